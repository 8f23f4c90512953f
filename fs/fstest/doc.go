// Package fstest compares a mount with a local filesystem, system call by system call.
//
// A script is a list of calls, one per line, as a shell would have them: an optional caller, a name, arguments.
//
//	open f a O_CREAT|O_EXCL|O_RDWR 0644
//	u1000 chmod a 0600
//	u1000:100,7 rename a b NOREPLACE
//
// Run performs each call twice, with an Actor in either directory, and compares: the error number, what the call
// returned, and then all that can be seen below the two directories: names, types, modes, owners, sizes, device numbers,
// link counts, targets, contents, extended attributes, which inodes are new, and which times the call has changed. The
// local filesystem is the expectation, so that a script contains none. Where a mount promises something else on
// purpose, the line says so and why, after "#=":
//
//	rename a b EXCHANGE #= EINVAL: a copy is no rename
//
// Such a call is not made on the local side.
//
// An Actor makes its calls on a thread of its own, which has its own identity, umask and working directory; paths are
// relative to that, so that they have the same length on both sides. It needs root.
//
// Walk makes scripts of random calls from a seed. One that fails shrinks to the shortest that still does, and can be
// pasted into a table.
package fstest
