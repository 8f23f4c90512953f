// Package fs shows a volume.Volume to the kernel through FUSE. It is the only importer of go-fuse and the only place
// where errors become errno values; everything with a meaning of its own lives in volume.
//
// One node type stands for every inode, whatever its kind, and one handle type for every open file. The kernel knows an
// inode by the number that volume gave it, so two lookups that lead to one volume.Inode give one go-fuse Inode
// (nodes.go). Directory handles answer READDIRPLUS from the listing that they walk (readdir.go), with attributes for those who
// want them (interest.go).
//
// # Time and interrupts
//
// The kernel keeps names and attributes for a second by default, and the absence of a name for a second too. What this
// mount creates, removes or renames is known to the kernel at once, as it goes through the kernel; what another client
// makes appears when the time is over. It is also the longest time for which stat may show the state before another
// client's change, while open asks the service, unless a lease says what it would answer.
//
// A signal to a process that waits for FUSE cancels the request only after a grace, and only where nothing is changed:
// reads, lookups and attribute requests then fail with EINTR. Programs that take signals all the time (a profiler, Go's
// scheduler) so never see EINTR from a request that was about to succeed. Requests that change something are not
// interrupted at all: their result would be unknown. The time they may take is bounded by the client below.
//
// # Passthrough
//
// A file that is wholly in the cache on disk is read by the kernel itself (through.go), in mounts that are read-only. The
// kernel has an inode either so or through its page cache, for all its handles, refuses an open of the other kind with EIO,
// and cannot be made to change its mind while one is open. Where there may be writers, this has no solution: one who comes
// while readers have the file so can neither share the inode (what is written through a mapping of the file in the cache
// would never be told to us) nor have another one (locks would not hold between the two, nor would a reader see what a
// writer's mapping has). Where there are none, only another version of the file can come, stored by another client. That
// gets a new inode in the kernel, with the same number for programs: the open fails with ESTALE, for which the kernel looks
// the name up again by itself, and is given the new one. Those who have the old version open keep it.
//
// # Locks
//
// Acquire left before right: go-fuse's own locks < nodes.mu < retries.mu < node.mu < backings.mu. Under interest.mu
// only go-fuse is asked for a child. No volume call is made under a lock of this package, but those that borrow a file
// of the cache and ask what is open, and nothing here waits for the network while it holds one. The kernel is told
// under one that attributes are out of date, for which it takes no lock that anybody holds who waits for us. It is
// never told so of a name: it would wait for the directory, which is locked by who looks another name up in it, and a
// mount that is killed while it waits in the kernel never ends, nor does who waits for it.
//
// # What may fail
//
// A panic in a request is logged with its stack and fails that request alone, with EIO. An error that has no errno of
// its own becomes EIO and is logged once, with operation, inode number and the service's request id.
package fs
