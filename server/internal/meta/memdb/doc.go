// Package memdb is a meta.DB in memory, for tests of what stands above.
//
// The rows are one sorted slice that is never changed once it is visible: a View keeps the slice it began with, and
// an Update works on a copy. That is O(rows) per Update, and simple enough to be trusted as a reference.
package memdb
