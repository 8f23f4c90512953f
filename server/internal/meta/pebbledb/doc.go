// Package pebbledb is a meta.DB on Pebble, the embedded engine.
//
// # Transactions
//
// One Update runs at a time: its function, over an indexed batch, and the application of the batch to the memtable.
// That is the simplest serializable order, takes microseconds, and never runs a function twice. The wait for the disk
// is outside: ApplyNoSyncWait gives the batch its place in the log, the next Update begins at once, and SyncWait
// returns when the log is synced up to that place. So any number of Updates share one fsync (group commit), and one
// client alone pays exactly one.
//
// A View is a Pebble snapshot, which the Views between two Updates share: that of the last Update that is durable, taken
// when its batch was applied (snapshot.go). So no View waits for the disk, and none tells of what a power cut could take
// back. An Update may see batches that are not synced yet. The log is synced in order: what an Update built upon is durable
// when the Update is. An Update that writes nothing waits for the last batch before it, so that an answer like "it is
// deleted already" is as durable as the deletion. Its context is heeded until the batch is applied, not after: then the only honest answer is the disk's.
//
// # Crashes
//
// Pebble's log and manifest carry checksums; a torn end of the log is cut at open, and everything synced is replayed.
// When the log cannot be written (a failing disk), Pebble cannot go on and neither can we: the logger's Fatalf
// panics, and the next start finds what was acknowledged. A full disk must not lead there, so an Update is refused
// with meta.ErrNoSpace while there is still room for the log, flushes and deletions.
//
// # Owners
//
// Where several processes take turns (package owner), each works on a Clone of what its predecessor left, and
// Options.Prove, called before any outcome is told, keeps one that was superseded from telling any.
//
// # Memory
//
// 48 MiB of block cache and at most 3 memtables of 16 MiB; blocks that fell out are mostly in the page cache still.
package pebbledb
