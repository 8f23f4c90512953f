package fs

import "pail/fs/volume"

// The kernel has one size, one page cache and one set of attributes for each of its inodes, whatever its handles read. So when
// another client has replaced a file that is open here, the version in place gets an inode of its own in the kernel, with the
// same number: the one that is known goes on with the version that its handles read, and with that one's attributes. It is
// what a rename over an open file is on a local disk.
//
// Who comes by the old inode is told ESTALE, for which the kernel looks the name up and asks once more. That leads to the old
// one again where there is no name to look up, as with /proc/self/fd or a bind mount, and to another that is old by then where
// the file is replaced all the time. Then it is opened past the kernel's pages. Who opens it to read is spared the latter: what he
// had opened when he was told so is kept for him, and the inode that the name leads him to is one that goes on with that.

// hold notes that a file is open.
func (n *node) hold(h *handle) *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.handles == nil {
		n.mu.handles = map[*handle]struct{}{}
	}
	n.mu.handles[h] = struct{}{}
	n.mu.together = n.mu.together && !h.h.Parted()
	return h
}

func (n *node) letGo(h *handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.mu.handles, h)
}

// admit holds f, which is about to be opened as h: before it looks for other versions, so that of two that are opened at once
// one sees the other. Any version is admitted in the last attempt.
func (n *node) admit(f *handle, h *volume.Handle, last bool) error {
	f.h = h
	n.hold(f)
	if n.parted() == nil && !n.replaced.Load() {
		return nil
	}
	n.fs.nodes.replace(n)
	if last {
		return nil
	}
	return errReplaced
}

// parted returns one of the handles that read a version which is in place no more; nil if there is none.
func (n *node) parted() *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.partedLocked()
}

func (n *node) partedLocked() *handle {
	partings := n.v.Partings()
	if n.mu.together && n.mu.partings == partings {
		return nil // without a look at each of many
	}
	for h := range n.mu.handles {
		if h.h.Parted() {
			return h
		}
	}
	n.mu.together, n.mu.partings = true, partings
	return nil
}

// namelessLocked reports whether somebody who has no other way than this node has opened the version in place: he is told its
// attributes, though they cut what the others read.
func (n *node) namelessLocked() bool {
	for h := range n.mu.handles {
		if h.nameless && !h.h.Parted() {
			return true
		}
	}
	return false
}
