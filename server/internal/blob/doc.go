// Package blob keeps the bytes of large objects in immutable files.
//
// # Files
//
// A blob is the file DIR/blobs/<last two digits of its ID>/<ID>: the object's bytes from offset 0, so that they can be
// handed to a FUSE backing file as they are; then a footer with a CRC-32C for each 128 KiB chunk, and a
// trailer of fixed length with magic, version, chunk length, size and checksums (footer.go). A label, which means nothing
// here, may lie before the trailer. 128 KiB is the largest read
// a mount amplifies a random read to.
//
// IDs are never used again, so a blob is written under its final name at once. A rename would bring nothing: nobody
// reads a blob that no metadata names, and metadata names it only after Commit. Without it, the directory entry can be
// made durable beside the data instead of after it, and there is one journal entry less. Commit syncs file and
// directory and only then returns; so a crash leaves whole blobs and orphans, never a blob with a hole. Orphans are
// found with All and removed by the owner of the metadata.
//
// # Faults
//
// Bytes are verified before they are handed out, each chunk as a whole: a damaged chunk is ErrDamaged, never data. A
// read so costs at most one chunk more at either end, from the page cache. The length is reserved with fallocate where
// it is known, so that a full volume is ErrNoSpace before the first byte. A file that could not be written is removed. A
// failed fsync is final (the kernel may have dropped the pages): the blob is removed, the caller starts anew.
//
// # Memory
//
// Large aligned pieces are written with O_DIRECT where the file system can: filling the page cache costs several times
// the processor time of the write itself, for bytes that are seldom read back before others have taken their place.
// Sync still makes them durable, and what is not aligned goes the usual way.
//
// Writer and Blob hold no buffer but a checksum table of 4 bytes a chunk while writing; copying goes through a few
// 512 KiB buffers that are kept for ever, because fresh memory costs more than copying does.
//
// # Sending
//
// Bytes are read into a buffer that stays in a core's cache, verified there and written to the client; sendfile, which
// cannot verify, is no faster (BenchmarkSend), and a mapping of the file costs several times as much in page faults.
//
// # File system
//
// All access goes through FS, which is small enough for blobtest.MemFS, a file system in memory that can lose power: what
// was not synced may be there, be partly there or be gone afterwards.
package blob
