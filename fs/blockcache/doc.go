// Package blockcache keeps bytes of object versions on the local disk, so that what was read once is read again without
// the network, also by the next mount.
//
// Client decorates the client that package readahead reads with, and Keep takes what it has fetched. A version is named by
// key, ETag and size, so what is kept may be missing but never stale: who asks for another version finds nothing. Nothing
// here says that a version is still the one in place; package volume asks the service for that at every open.
//
// # Files
//
// A version is a sparse file with the bytes at their own offsets, and an index: a header that repeats the name, and a
// record for each chunk of 128 KiB, with its CRC32C once it is whole. Nothing is synced. A chunk that a crash, a full or a
// failing disk has damaged does not match its checksum and is fetched again. One mount at a time uses a directory. Only
// its owner may read it.
//
// A version that is whole can be lent, as a file that is then read without us (FUSE passthrough). Its chunks are compared
// with their checksums before, once in the life of a Cache.
//
// # Room
//
// Objects up to 1 MiB are not kept, as the answer to an open brings them whole, nor those above 64 GiB. Versions that were
// not used for the longest time go when the disk would have less free than it should keep, or the cache would have more
// than it may. Those that are being read stay, so that of one that is larger than that a part is kept. A disk that takes
// no more costs the cache, never the read.
//
// # Locks
//
// Cache.mu guards the table of versions and their records; it is never held over reads or writes of the disk, but for the
// opening and removing of files.
package blockcache
