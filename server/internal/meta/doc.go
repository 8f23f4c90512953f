// Package meta is the seam between S3's semantics and an ordered transactional key-value store, and the place where
// the layout of keys and the envelope of records are fixed.
//
// # Engines
//
// DB is small on purpose: an engine (memdb, pebbledb, pgdb) is a few hundred lines and holds no S3 rule. Package metatest is
// the contract of an engine as a test suite. Update is serializable and durable, and may run its function again; so
// the function must do everything through its Txn. What a View or an Update tells, a refusal too, is as durable as what was
// acknowledged: a client may act upon it, and drop the copy that it would need after a power cut.
//
// # Keys (keys.go), format version 1
//
// The first byte of a key is its table; then come fixed-width big-endian numbers and IDs, and at most one name of any
// bytes. Rows that a listing walks are small: the bytes of inline objects ('d') and the pieces and parts of multipart
// objects ('m') are rows of their own, named by ID, so that a listing reads neither and a rename moves neither.
// Buckets have a number that is never given again: what a deleted bucket may have left behind cannot come back in a
// new bucket of its name.
// Delete markers and versions that are not current have a table of their own ('v'), so that a listing of objects passes
// none of them; which of them clients know as "null" is a row as well ('n').
//
// A name that is last in its key is written as it is, so that the order of rows is the byte order of names, and the
// successor of a prefix is found by adding one to its last byte. A name with something after it is escaped: 0x00
// becomes 0x00 0xFF, and 0x00 0x01 ends it; this keeps the order for any bytes.
//
// # Records (record.go)
//
// A record is a version byte, a CRC-32C over key, version and payload, and the payload. The key is under the checksum
// so that a row found in the wrong place is damage too. The payload is a sequence of tagged fields; zero fields are left
// out and unknown ones skipped, so a field can be added without a new version. A damaged record is ErrDamaged with its
// key, and never decoded.
package meta
