// Package volume is a bucket prefix as a POSIX filesystem, without FUSE: what the operations mean, in which order
// requests are sent, and what is kept where. Package fs shows it to the kernel.
//
// # Names and attributes
//
// A name is a file, if its key is an object, or a directory, if it has a marker or anything is below it; package keymap
// says how both can be. What the service said of a name is kept in a cache (package tree) for the TTL; listings fill
// it, and a name that a complete listing lacks needs no request. A listing without metadata tells of a file only size
// and version: the attributes are asked for when somebody wants them, once per version, and those of the names that are
// likely to follow at the same time. Every change of this mount is in the cache at once.
//
// A program that goes through a tree gets its listings from pages of all keys below (flat.go), which tell of the markers
// of its directories too. They are used for half a second, but not for directories in which this mount has changed anything
// since: rm -r, too, goes through a tree.
//
// # Content
//
// open(2) in a directory whose files are opened, or looked up to be opened, in the order of its listing is served from
// answers that were asked for ahead, up to half a second old (walk.go, ahead.go); all other opens ask themselves, but
// under a lease for reads.
//
// All handles of a file share one content: a version of the object, and from the first write on a local file over it.
// open(2) asks for the version in place, close(2) and fsync(2) store what was written in one conditional request, with
// all attributes that were changed meanwhile. Nothing is replaced before its successor is complete on the service. A
// failed commit leaves the data as it is, for the next Flush, Fsync or Close; where no writing handle is left, for the next
// of the attempts in the background, which come less and less often, down to once in a minute.
//
// A large file is sent while it is written, where the service takes the attributes at the end of an upload (stream.go): the
// commit sends what is missing, and what has changed since. Only a commit makes an object of it.
//
// If another client was quicker, both versions are kept: the local one goes to NAME.conflict-TIME-RANDOM beside the
// other, and every writing handle gets ErrStale once. If another client removed the file, the local version is stored
// again: what was written here later exists nowhere else.
//
// A file that is unlinked or replaced while it is open has its content fetched into local storage first, or copied to a
// hidden key if it is large, and lives on there until its last handle closes.
//
// Files that are removed in a row are removed on the service in requests for many of them (removals.go). Their paths stay
// owned until then, and requests that could show them wait. Whoever waits has them sent at once, or when their directory has
// its marker.
//
// # Leases
//
// Where the service has leases (package lease), a file that is made exclusively in a directory with one is made here, and its
// name is promised (lease.go): nothing is sent before its commit, but an empty object if the lease ends before. An
// answer from before the grant is no reason to promise a name, however young; one from after it is, however old.
//
// Under a lease for reads nobody else changes anything, so what is known since the grant is what there is: the cache of names
// tells it however old it is (sure), to opens too, and whole small directories (sureChildren). Each entry has the stamp from
// before the request that told it, be it a change: before its answer came somebody else may have had the lease. What the
// request did not decide, as the metadata of a file that was renamed, or whether a file's name is not a directory's, which
// wins, is known only if it was before. When the lease ends, entries are as old as they are, and the TTL counts again. The
// bytes of small files that were stored under a lease are kept (kept.go): a reader of them, too, needs no request.
//
// All requests, those of uploads too, go through a client of the leases (Volume.connect), which ends them where a change is
// in doubt. What this package does itself when a change has failed, whatever the reason, is to forget what it knew of the path.
//
// # With a journal
//
// Options.Journal (package journal) makes Flush and Fsync return when the state of the inode is journaled: attributes,
// the version that it replaces, and the bytes that the service does not have (journal.go, entry.go); of these only what is
// not there yet is written (layers.go). Closed files are sent by a few goroutines when no more are closed (send.go), those
// that stay open too, less often (send_open.go), and by the next volume (replay.go). In directories of this mount's own, what
// is made is an inode with unsent content, whatever its kind (made.go); a rename of such a file changes its entry
// (rename_later.go).
//
// Nothing is sent that is not journaled before, if there is room, with all versions that may be in place without the
// mount's knowledge: after a crash, whose a version is shows as after a lost answer. An entry ends when that state or a
// later one is stored, or its file is removed. Its end is durable before its name is given to something else on the
// service; and no state of a file is journaled while its name changes there (Inode.naming), as it would come back under
// the old one, nor while the file's entry ends with it. Directories are sent before what is in them.
//
// # Hard links
//
// Package links says how a file with several names is kept. Its inode has the path of the object in .pail/inodes, so all
// that is said of an inode's path and key holds for it; its names are further names in the table. In the cache, a name's
// path has what its own object says (Volume.pointer), and Lookup goes on from there. Of a name that has got the bytes back it is
// found out once whether the file under the ID is gone (origin.go); until then that is the file. While this mount does not know
// whether it is gone of a file that it was moving, it stores and journals nothing of that (goingback.go).
//
// The second name of a temporary file is a plain copy for a moment, as the first is likely to be removed (publish.go); of
// one that the service has not heard of, it is an entry of its own in the journal (publish_later.go).
//
// # Directories
//
// A directory whose last entry goes stays: it gets a marker before, if it is not known to have one; with the first of
// several entries, which a listing has shown, at the same time (others.go). It is made once for all who remove entries
// meanwhile, and removals that are queued go after it (marker.go). Whether one that is to be removed is empty the
// service decides, where it can: what others make after a listing has told it would be in a directory that is gone. A
// rename is one request where the service offers it, else a copy and a removal; of a directory, all keys are copied before
// the first is removed.
//
// # Locks
//
// Acquire left before right:
//
//	pathLocks < Inode.gate (two: by number) < Inode.naming < content.order < Inode.mu < locks of upload < locks of stage and readahead
//	DirHandle.mu < Inode.mu
//	Inode.mu < Volume.mu, retries.mu, sender.mu, removals.mu, published.mu, tree.Table.mu, tree.Cache.mu
//	walks.mu, glances.mu, flats.mu < tree.Cache.mu
//	goingBack.mu < tree.Table.mu
//
// pathLocks, gates and content.order may be held over requests, but only those of the file or directory that the
// operation is about; waiting for them ends with the context. DirHandle.mu is held over the listing that its caller
// waits for. Nothing is waited for under the others. Who owns an entry of a directory waits for its marker, which goes on without
// him, whatever his context says: until then nobody may rename or remove the directory (marker.go).
//
// Snapshots are made with content.order, for the moment of making one: a snapshot and the times that go with it have
// all of a write or nothing. Hence no two contents that are sent have the same metadata, which tells whose a version is
// after an answer was lost. A writer who has to wait for an upload to release its snapshot holds content.order meanwhile; so
// who has a snapshot takes it only when that is released.
//
// A file may be written to, and its state journaled, while an earlier one is sent. That has been noted as sent before
// (noteSending), under the locks that keep later states out of the journal until then; so whoever finds the later one in
// the journal knows the earlier one for his own.
//
// # Order of events
//
// Lookups, opens and listings take no pathLock: their answers may be overtaken by changes of this mount. Every answer
// has the stamp of its request, every inode that of the last change to it, and the volume that of the last rename of a
// directory; an answer that is older than these changes nothing. While an object is on its way to another name or to
// nowhere, no answer about its old or new path changes what the inode is based on; who needs one waits. A change is told
// to the cache before other operations can see that the inode has nothing unsaved.
//
// A name has one inode, and only that has anything unsaved: two would be in conflict with each other. An answer that there
// is nothing, or something else, under a name takes the name from its inode (detach), but not while somebody has the
// inode's gate, nor if it has something unsaved. So who makes, renames or removes a file looks whether the inode has the
// name still once he has the gate, or the mu that he gives it content under, and else takes the inode that has it now.
//
// # Interruption
//
// Operations that send changes use a context of their own, which a signal to the caller does not end: a request that is
// broken off in the middle leaves it open what the service has. Its deadline is Options.MetaTimeout and a share for the
// bytes to move; each request about a directory's keys has one of its own, as they may be many. Reads, lookups and
// listings end with the caller's context.
//
// # Errors
//
// The sentinels of this package, or what the service answered as *s3client.Error.
package volume
