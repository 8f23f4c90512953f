// Package blob keeps the bytes of objects in immutable files.
package blob
