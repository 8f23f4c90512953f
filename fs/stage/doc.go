// Package stage holds the local content of files that are being written, until it is stored as an object.
//
// An Area is one directory and one memory budget for the whole mount. A File is the current content of one file,
// composed of three kinds of ranges: bytes written here, zeros (holes, and what lies behind a truncation), and
// unchanged bytes of the object version that the file started from, its Base. Writing never touches the network; a
// range of the base is read only when somebody reads it.
//
// Written bytes stay in a memory buffer while the file is small, and move to a sparse unlinked file when it grows past
// Options.MemoryPerFile or the budget is used up. Either way a byte lives at its own file offset, so that a file whose
// content is wholly local can later be handed to the kernel as it is.
//
// What is elsewhere on the local disk already is borrowed, and copied only when somebody writes to the file. So is a file's
// own storage once somebody else keeps it (Snapshot.Give), as the journal does with what is closed.
//
// An upload takes a Snapshot: the content of one moment, which stays while the file is written to. Who overwrites bytes
// that a snapshot has copies them aside first, on disk or, of a file in memory, in memory; the room for that is taken from
// the same budgets, and who finds none there waits until the snapshot is released. (Writing elsewhere in place of copying
// would spare a copy, but scatter the bytes of a file over many places for good.) Truncations and holes free storage only
// when no snapshot is held, so they need no room and wait for nothing. Release(true) says that the frozen content is now
// an object; from then on all of it that is still there counts as unchanged (Base in Extents), although what is here is
// still read from here. Rebase names the object. The order that leaves no window in which a reader meets the replaced
// version is: commit, Rebase, Release(true).
//
// The sums of all bytes on disk are taken when they are written, and every read of them is checked against these
// (summed.go), whoever reads: so no upload and no journal takes a new sum of bytes that the disk has changed. ErrDamaged
// stays until the range is written anew from its beginning, or cut off. A byte is copied from place to place through such
// reads only. What is borrowed is checked by its Source.
//
// Locks: File.mu is held for local disk and memory access of that file only, never while the base is read. Area keeps
// atomic counters. Errors: ErrNoSpace leaves the content as it was before the call.
package stage
