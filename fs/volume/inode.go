package volume

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// Inode is a file, a directory or a special file.
//
// What is known of it lives in the volume's cache of names, unless it is open or has changes that are not stored: then
// mu.obj is right, and the cache is behind.
type Inode struct {
	partings atomic.Uint64 // of open handles from their file

	v    *Volume
	node *tree.Node[Inode]
	typ  uint32 // file type bits; fixed for life

	gate   gate // held over the requests of a commit, an attribute change, a rename and a removal
	naming gate // held while a state is journaled, over the requests of a rename, at the end of a removal; with a journal only
	still  bool // whoever has the gate has naming as well; guarded by gate

	mu struct {
		sync.Mutex
		content *content   // of an open or unstored file
		unused  []*content // to be freed by unlock
		obj     object     // valid with content, or when removed
		dirty   bool       // obj.attr has changes that are not stored
		changes int        // counts changes of obj.attr
		writes  int        // counts changes of the content
		log     logged
		stamp   tree.Stamp // of the last change by this mount, or answer that was used
		removed bool       // by this mount: what handles do to it stays local
		unnamed bool       // it has never had a name, and is removed until it gets one
		own     bool       // a directory that this mount has made
		alone   bool       // and of which the service has nothing: what is not here is nowhere
		sending func()     // breaks off the attempt in the background that is on its way; nil: there is none
		yielded int        // attempts in a row that were broken off
		rest    time.Time  // until then an open file is not sent
		leaving bool       // an unlink or a rename onto it is on its way: opens wait

		writers int // handles open for writing
		flushed int // of these, see Handle.flushed

		lost    error // the conflict that handles are told of
		lostSeq int   // counts conflicts

		touched time.Time // of a directory: last change of its entries by this mount, not stored
		subdirs subdirs   // of a directory
		others  others    // of a directory
		row     row       // of removals in a directory
		marking *marking  // of a directory; nil: none is being made
		renamed time.Time // by this mount, not stored
		twice   bool      // its second name is a copy, see publication

		accessed time.Time // by this mount, not stored; zero once the attributes have it, or another time was set
		target   string    // of a symlink
		tag      s3client.ETag
	}
}

// makeInode returns the constructor that the table calls. Answers from before do not concern the new inode.
func (v *Volume) makeInode(typ uint32) func(*tree.Node[Inode]) *Inode {
	s := v.names.Begin()
	return func(node *tree.Node[Inode]) *Inode {
		n := &Inode{v: v, node: node, typ: typ, gate: newGate(), naming: newGate()}
		n.mu.stamp = s
		return n
	}
}

// Ino returns the inode number.
func (n *Inode) Ino() uint64 { return n.node.Ino() }

// Mode returns the file type bits, which are fixed for life.
func (n *Inode) Mode() uint32 { return n.typ }

// nodeOf is n's place in the table, nil for nil.
func nodeOf(n *Inode) *tree.Node[Inode] {
	if n == nil {
		return nil
	}
	return n.node
}

func (n *Inode) isDir() bool { return n.typ == attr.Dir }

// child returns the live inode of a name, or nil.
func (v *Volume) child(p place) *Inode {
	if node := v.table.Child(p.dir.node, p.name); node != nil {
		return node.Value()
	}
	return nil
}

// inode returns the inode of a name that is of this type, as the caller, who owns the path, knows.
func (v *Volume) inode(p place, typ uint32) *Inode {
	for {
		if n := v.inodeAsOf(p, typ, v.names.Begin()); n != nil {
			return n
		}
	}
}

// lockedInode is inode with its mu locked, under which no answer takes the name from it (detach).
func (v *Volume) lockedInode(p place, typ uint32) *Inode {
	for {
		n := v.inode(p, typ)
		n.mu.Lock()
		if v.child(p) == n {
			return n
		}
		n.mu.Unlock()
	}
}

// gatedInode is inode with its gate, so that it keeps the name until unlock.
func (v *Volume) gatedInode(ctx context.Context, p place, typ uint32) (n *Inode, unlock func(), err error) {
	for {
		n := v.inode(p, typ)
		if err := n.gate.lock(ctx); err != nil {
			return nil, nil, err
		}
		if v.child(p) == n {
			return n, n.gate.unlock, nil
		}
		n.gate.unlock()
	}
}

// inodeAsOf returns the inode of a name that was of this type when s was taken: nil if it has become another one since, or
// is about to.
// An inode of another type, which another client has replaced, loses its name.
func (v *Volume) inodeAsOf(p place, typ uint32, s tree.Stamp) *Inode {
	for {
		n := v.table.Add(p.dir.node, p.name, v.makeInode(typ)).Value()
		further := !v.table.IsPath(n.node, p.dir.node, p.name)
		if n.typ == typ && !further {
			return n
		}
		n.mu.Lock()
		later := n.overtakenLocked(s) || !further && v.isMoving(n)
		if !later && !further && !n.unsavedLocked() {
			n.abandonLocked()
		}
		n.unlock()
		if later {
			return nil
		}
		if further { // of a file with several names, of which another client has replaced this one
			v.table.Unlink(p.dir.node, p.name)
			continue
		}
		v.table.Remove(n.node) // also with changes, which are stored under its last path
	}
}

// detach takes the name of an inode that had nothing, or something else, at its path when s was taken; unless it has
// another path now, something has been or is being done to it here since, it is going back to its only name, or it has changes that
// are not stored yet. Handles go on reading the version that they have. Whoever is about to do something to it has its gate, or
// its mu.
func (v *Volume) detach(n *Inode, path string, s tree.Stamp) {
	if !n.gate.tryLock() {
		return
	}
	defer n.gate.unlock()
	if v.back.holds(n) {
		return
	}
	n.mu.Lock()
	defer n.unlock()
	if n.busyLocked(s) || !v.table.RemoveAt(n.node, path) {
		return
	}
	n.abandonLocked()
}

// busyLocked reports whether what the service had under n's name when s was taken tells nothing about n, as something has been or
// is being done to it here.
func (n *Inode) busyLocked(s tree.Stamp) bool {
	return n.unsavedLocked() || n.overtakenLocked(s) || n.mu.leaving || n.v.isMoving(n)
}

// overtakenLocked reports whether something was done to n, or to a directory above it, after s was taken.
func (n *Inode) overtakenLocked(s tree.Stamp) bool {
	n.v.mu.Lock()
	defer n.v.mu.Unlock()
	return s.Before(n.mu.stamp) || s.Before(n.v.mu.moved)
}

// path returns where n is. It fails for an inode that has no name any more.
func (n *Inode) path() (string, error) {
	path, ok := n.v.table.Path(n.node)
	if !ok {
		return path, ErrStale
	}
	return path, nil
}

// unsaved reports whether something of n is not stored.
func (n *Inode) unsaved() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unsavedLocked()
}

func (n *Inode) unsavedLocked() bool {
	c := n.mu.content
	return c != nil && !n.mu.removed && (n.mu.dirty || c.changed())
}

// pending reports whether n was created here and has never been stored.
func (n *Inode) pending() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.content != nil && !n.mu.content.stored && !n.mu.removed
}

// sent reports whether a version of n was sent whose answer is missing. The caller has the gate, so none is on its way.
func (n *Inode) sent() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.content != nil && len(n.mu.content.sent) > 0
}

// touchFileLocked sets the times that a write changes.
func (n *Inode) touchFileLocked() {
	now := n.v.opt.Now()
	n.timesLocked(&n.mu.obj.attr)
	n.mu.accessed = time.Time{}
	n.mu.obj.attr.Mtime, n.mu.obj.attr.Ctime = now, now
	n.mu.changes++
	n.mu.writes++
}

// adopt brings an open file up to date with what the service says, unless something later is known. A version that
// another client stored takes the place of one without local changes; handles keep theirs.
func (n *Inode) adopt(o object, s tree.Stamp) {
	n.mu.Lock()
	defer n.unlock()
	c := n.mu.content
	if c == nil || n.mu.removed || n.unsavedLocked() || n.overtakenLocked(s) || o.dir {
		return
	}
	if path, _ := n.v.table.Path(n.node); n.v.keys.File(path) != o.info.Key || n.mu.leaving || n.v.isMoving(n) {
		return // renamed since, or about to be
	}
	if c.base.ETag != o.info.ETag {
		n.abandonLocked()
		return
	}
	if o.full {
		o = o.withHeaders(n.mu.obj)
		n.mu.obj, n.mu.stamp = o, s
		c.base = o.info
	}
}
