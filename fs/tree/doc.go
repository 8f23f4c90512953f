// Package tree is what a mount remembers of its namespace: which inodes are alive and what they are called (Table), and
// what was last heard of names (Cache). It knows no service, no FUSE and no file content.
//
// # Inodes
//
// A Table links live inodes by parent and name. An inode's number is a hash of the path it was first seen under, so
// that it is the same at the next mount; a number that a live inode has already is perturbed. A rename keeps the
// number. Paths are not stored but derived from the parents, so that a renamed directory takes its descendants along.
//
// An inode lives as long as somebody can reach it: the adapter's node, an open handle, a child, the set of files with
// unsent data. The table itself holds weak pointers, which it sweeps now and then. Lookup counts would say the same
// with a race more: a message that the kernel has forgotten an inode may cross an answer that brings the inode back,
// and two inodes for one file would not see each other's writes. A reference cannot be forgotten that way.
//
// # Cache
//
// A Cache is an LRU of entries by path, bounded by their number. Every entry carries a Stamp taken before the request
// that brought it was sent (or after a change of our own was done), and an entry never replaces one with a later stamp:
// an answer that was overtaken by a change is thus ignored. Stamps also carry the time from which the entry ages.
// Besides, the cache knows for which directories it has seen the whole listing: a name that such a listing did not
// bring does not exist. A name may be that of two things, of which one hides the other (CacheOptions.Yields): what
// tells of the hidden one alone is surely (Sure) what the name shows only if it was known before that there is no
// other. An eviction below a directory ends that knowledge. What this mount has changed last is known by path
// (recent.go), so that answers which tell of much are good for all the rest. What is below a directory that was removed
// or renamed counts no more, but is looked for, and freed, only when there are many such directories: the cache is in
// no order.
//
// What is open or unsent is kept in the inode and not here, so the cache may evict anything.
//
// # Locks
//
// Table.mu and Cache.mu are leaves: they are held for map access only, never while another lock is taken or anything
// is waited for.
package tree
