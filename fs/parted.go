package fs

// The kernel has one size, one page cache and one set of attributes for each of its inodes, whatever its handles read. So when
// another client has replaced a file that is open here, the version in place gets an inode of its own in the kernel, with the
// same number: the one that is known goes on with the version that its handles read, and with that one's attributes. It is
// what a rename over an open file is on a local disk.

// hold notes that a file is open.
func (n *node) hold(h *handle) *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.handles == nil {
		n.mu.handles = map[*handle]struct{}{}
	}
	n.mu.handles[h] = struct{}{}
	return h
}

func (n *node) letGo(h *handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.mu.handles, h)
}

// parted returns one of the handles that read a version which is in place no more; nil if there is none.
func (n *node) parted() *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	for h := range n.mu.handles {
		if h.h.Parted() {
			return h
		}
	}
	return nil
}
