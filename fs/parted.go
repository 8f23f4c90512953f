package fs

import (
	"context"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

// The kernel has one size, one page cache and one set of attributes for each of its inodes, whatever its handles read. So when
// another client has replaced a file that is open here, the version in place gets an inode of its own in the kernel, with the
// same number: the one that is known goes on with the version that its handles read, and with that one's attributes. It is
// what a rename over an open file is on a local disk.
//
// Who comes by the old inode is told ESTALE, for which the kernel looks the name up and asks once more. That leads to the old
// one again where there is no name to look up, as with /proc/self/fd or a bind mount, and to another that is old by then where
// the file is replaced all the time. Then it is opened past the kernel's pages.

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
	if n.parted() == nil {
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

// stale has the kernel look the name up again.
func (n *node) stale(ctx context.Context) syscall.Errno {
	n.fs.nodes.replace(n)
	n.fs.nodes.retries.note(ctx, n)
	return syscall.ESTALE
}

// retries knows which threads were told to look a name up again, and of which inode.
type retries struct {
	mu   sync.Mutex
	told map[retry]*node
}

type retry struct {
	thread uint32
	v      *volume.Inode
}

// maxRetries is how many are remembered. A thread that is killed, or finds the name gone, leaves one behind.
const maxRetries = 1024

func retryOf(ctx context.Context, v *volume.Inode) retry {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return retry{v: v}
	}
	return retry{c.Pid &^ lossBit, v}
}

func (r *retries) note(ctx context.Context, n *node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil {
		r.told = map[retry]*node{}
	}
	for old := range r.told {
		if len(r.told) < maxRetries {
			break
		}
		delete(r.told, old)
	}
	r.told[retryOf(ctx, n.v)] = n
}

// take returns the node for which the thread was told so, and ends it; nil: it was not.
func (r *retries) take(ctx context.Context, v *volume.Inode) *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := retryOf(ctx, v)
	told := r.told[at]
	delete(r.told, at)
	return told
}
