// Package journal keeps on the local disk what a mount has promised and the service does not have yet. It knows no S3
// and no paths: an entry has a number, an Info that means something to its owner only, and bytes of a file.
//
// # Promise
//
// When Put returns nil, the entry survives a crash and a power cut at any instant: the next Open returns it, until Forget
// says that it is done. Several changes of one Put are there together or not at all. What Put has not acknowledged is
// there whole, or absent. Nothing is dropped for lack of room: Put says ErrFull, and what was there stays.
//
// # Files
//
// A journal is a directory, private to its user (0700, files 0600) and locked by the process that has it open (Dir).
//
//	log-N   a segment: a header, then records; N counts up, in hexadecimal
//	data-N  the bytes of one entry, where they are too many for a record; the record has their checksum. It is a copy, or a
//	        file that its owner has given (Content.Give)
//	bad-*   what Open found damaged and set aside
//	lock    held while the journal is open
//
// Header and record begin with a magic number and carry lengths and a CRC-32C; the header has the format's version and
// the owner, which names the service, bucket and prefix that the entries belong to (ErrOwner at Open for another).
// record.go has the layout, and testdata a golden segment.
//
// Small contents lie in the record itself, so that closing many small files at once costs one write and one fsync
// for all of them. A data file is written and synced, and its name as well, before the record that refers to it.
//
// # Group commit
//
// Whoever comes first writes and syncs for all that have come meanwhile (commit.go). Forget is written but not synced:
// after kill -9 it is there, after a power cut it may not be. It is synced with what comes next, or alone after a second.
// Barrier syncs it at once, for an owner who is about to do what must not be followed by the entry's return.
//
// # Replay
//
// Segments are read in order, and each record replaces or ends what earlier ones said of its entries. A record that was
// being written when the power went ends its segment: nothing after it was acknowledged. Every record says how much
// of its segment was synced before it, so a bad record that had been acknowledged is told from one that had not: the
// damage is reported, the segment is kept aside under bad-*, and the records after it count. Open changes nothing that
// a second Open after a crash would miss: it writes to a new segment, and removes only what no entry refers to.
//
// # Damage
//
// Bytes are checked against the sums of what was put whenever they are read: by Read as a whole, by a View block by block, and
// before an entry is written again, as its new record would make damage look right. That stays where it is.
//
// # Room
//
// The oldest segment is removed when no entry lies in it, and its removal is synced before the next one's: else a
// Forget could vanish before the Put that it ends. When the log is mostly dead, the live entries of the oldest segment are
// written again at the end (reclaim.go). Data files are removed when the Forget that ends them is synced,
// which a Put that finds no room sees to before it says ErrFull.
//
// # Errors
//
// A write that fails is cut off again. After a failed fsync nobody knows what is on disk: the segment is not written to
// any more, what was not synced in it and still matters is repeated in the next one, and what was not acknowledged is taken
// back there before anything else is (retract.go).
package journal
