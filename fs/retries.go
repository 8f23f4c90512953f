package fs

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

// retries knows which threads were told to look a name up again, and of which inode. Its lock comes between those of nodes and
// of a node.
type retries struct {
	mu   sync.Mutex
	told map[retry]*attempt
}

type retry struct {
	thread uint32 // 0: not known
	v      *volume.Inode
}

// attempt is the system call of a thread that was told so.
type attempt struct {
	n     *node   // that it came to
	f     *handle // what it had opened; nil: nothing
	at    *node   // which holds f, and is held for it, since the name was looked up
	timer *time.Timer
}

// maxRetries is how many are remembered. A thread that is killed, or finds the name gone, leaves one behind, and what it had
// opened for no longer than an open may be served with an answer from before.
const (
	maxRetries  = 1024
	maxKeptOpen = 500 * time.Millisecond
)

// stale has the kernel look the name up again. f is what is opened already, if anything, and is taken over.
func (n *node) stale(ctx context.Context, f *handle) syscall.Errno {
	n.fs.nodes.replace(n)
	at, a := retryOf(ctx, n.v), &attempt{n: n, f: f}
	if at.thread == 0 {
		a.end()
		a.f = nil
	}
	n.fs.nodes.retries.note(at, a)
	return syscall.ESTALE
}

func retryOf(ctx context.Context, v *volume.Inode) retry {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return retry{v: v}
	}
	return retry{threadOf(c), v}
}

func (r *retries) note(at retry, a *attempt) {
	r.mu.Lock()
	if r.told == nil {
		r.told = map[retry]*attempt{}
	}
	gone := []*attempt{r.told[at]}
	delete(r.told, at)
	for other, old := range r.told {
		if len(r.told) < maxRetries {
			break
		}
		delete(r.told, other)
		gone = append(gone, old)
	}
	r.told[at] = a
	if a.f != nil {
		a.timer = time.AfterFunc(maxKeptOpen, func() { r.expire(at, a) })
	}
	r.mu.Unlock()
	for _, old := range gone {
		old.end()
	}
}

// expire closes what an attempt had opened, which goes on without.
func (r *retries) expire(at retry, a *attempt) {
	kept := attempt{}
	r.mu.Lock()
	if r.told[at] == a {
		kept, a.f = *a, nil
	}
	r.mu.Unlock()
	kept.end()
}

// take returns the attempt of the thread, and ends it; nil: there was none.
func (r *retries) take(ctx context.Context, v *volume.Inode) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := retryOf(ctx, v)
	a := r.told[at]
	delete(r.told, at)
	return a
}

// lead has an attempt of the thread, which looks the name up, go on at n, with what it had opened; at a node that make returns
// if another version is in place by now. The caller has the lock of nodes.
func (r *retries) lead(ctx context.Context, n *node, make func() *node) *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.told[retryOf(ctx, n.v)]
	switch {
	case a == nil || a.f == nil:
		return n
	case a.at != nil:
		return a.at
	}
	n.hold(a.f)
	if a.f.h.Parted() { // looked at when it is held, as in admit
		n.letGo(a.f)
		n = make()
		n.hold(a.f)
	}
	a.at, a.f.n = n, n
	n.holds++
	return n
}

// opened returns what an attempt had opened, if it goes on at n, and so; else it is closed.
func (a *attempt) opened(n *node, flags uint32) *handle {
	if a != nil && a.f != nil && a.at == n && a.f.flags == flags {
		a.timer.Stop()
		n.fs.nodes.unhold(n)
		return a.f
	}
	a.end()
	return nil
}

// end closes what was opened.
func (a *attempt) end() {
	if a == nil || a.f == nil {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.at != nil {
		a.at.letGo(a.f)
		a.at.fs.nodes.unhold(a.at)
	}
	a.f.h.Release()
}
