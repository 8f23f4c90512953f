// Package meta is the seam to an ordered transactional key-value store.
package meta
