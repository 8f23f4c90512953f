package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

// The kernel reads a file up to the size that an answer told it, and takes that from whichever of several answers it gets
// hold of first: it ignores those to requests that are older than the one that it took last, or than our word that what it has
// is out of date. So an answer that was found out before another client's version was opened must not be believed after that.
// The order is that of node.mu: what is told before the open looks (showSize) makes that say that it is out of date, unless
// nothing but the right size was told; what is told later has the attributes of what is open, whatever was found out.

// sizes is what a file was said to have, since the kernel was told that what it has is out of date.
type sizes struct {
	last    uint64
	any     bool
	several bool
}

func (s *sizes) note(size uint64) {
	s.several = s.several || s.any && s.last != size
	s.last, s.any = size, true
}

// only reports whether the kernel can believe in no other size.
func (s *sizes) only(size uint64) bool { return !s.any || !s.several && s.last == size }

// tell answers a request with attributes: st, or those of what is open.
func (n *node) tell(out *fuse.Attr, st volume.Stat) {
	n.mu.Lock()
	st, parted := n.shownLocked(st)
	n.mu.told.note(st.Size)
	n.mu.Unlock()
	if parted {
		n.fs.nodes.replace(n)
	}
	fill(out, st)
}

// shownLocked returns which attributes the kernel is told of a file with these: those of what its handles read, where they
// have parted.
func (n *node) shownLocked(st volume.Stat) (_ volume.Stat, parted bool) {
	if now, ok := n.v.Open(); ok {
		st = now
	}
	old := n.apartLocked() // after the look at what is open: the other way round it might be another version by then
	if old != nil && !n.namelessLocked() {
		return old.h.Stat(), true
	}
	return st, old != nil
}

// apartLocked returns one of the handles that have parted: one that is read up to the size that the kernel believes in, if there
// is any. All these have one version, as the kernel's pages do.
func (n *node) apartLocked() *handle {
	old := n.partedLocked()
	if old == nil || old.paged {
		return old
	}
	for h := range n.mu.handles {
		if h.paged && h.h.Parted() {
			return h
		}
	}
	return old
}

// showSize makes the kernel ask for the attributes again if it may believe in another size: it reads up to that, whatever the
// version that was opened has.
func (n *node) showSize(size uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.mu.told.only(size) {
		n.mu.told = sizes{}
		n.attributesChanged()
	}
}
