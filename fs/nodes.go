package fs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"

	"pail/fs/volume"
)

// filesystem is what all nodes of a mount share.
type filesystem struct {
	vol         *volume.Volume
	log         *slog.Logger
	attrTimeout time.Duration
	acls        bool
	atime       atime
	nodes       nodes
	interest    *interest
	backings    atomic.Pointer[backings] // nil: the kernel reads no files itself
}

// nodes finds the node of an inode, so that however often an inode is looked up, the kernel knows it by one number.
//
// go-fuse makes a node known to the kernel only after the operation that returned it has ended, and may decide in that
// moment that the same node is forgotten. A node is therefore held from the operation that returns it until the request
// is answered (request.go), and dropped when the kernel has forgotten it and nobody holds it.
type nodes struct {
	forget  func(*volume.Inode)
	retries retries

	mu struct {
		sync.Mutex
		byInode map[*volume.Inode]*node
		held    map[<-chan struct{}][]*node // by the cancel channel of the request, which is its own
		pruner  pruner

		generation uint64 // of nodes that are made: counts those that were replaced
	}
}

func newFilesystem(vol *volume.Volume, opt Options) *filesystem {
	f := &filesystem{vol: vol, log: opt.Log, attrTimeout: opt.AttrTimeout, acls: opt.acls(), atime: newAtime(opt), interest: newInterest()}
	f.nodes.forget = vol.Forget
	f.nodes.mu.byInode = map[*volume.Inode]*node{}
	f.nodes.mu.held = map[<-chan struct{}][]*node{}
	f.nodes.mu.pruner = pruner{limit: maxNodes, ask: askKernel}
	return f
}

// child returns the go-fuse inode of v for a request on parent, and holds it until release is called with the Done
// channel of ctx.
func (f *filesystem) child(ctx context.Context, parent *node, v *volume.Inode) *fusefs.Inode {
	t := &f.nodes
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.mu.byInode[v]
	if n != nil && n.parted() != nil {
		t.replaceLocked(n)
		n = nil
	}
	if n == nil {
		n = &node{fs: f, v: v, generation: t.mu.generation}
		t.mu.byInode[v] = n
		t.mu.pruner.fresh++
	}
	if other := t.retries.lead(ctx, n, func() *node { return t.asideLocked(n) }); other != n {
		t.dropLocked(n, nil) // if it is a new one
		n = other
	}
	n.holds++
	request := ctx.Done()
	t.mu.held[request] = append(t.mu.held[request], n)
	t.pruneLocked()
	// Under the lock, as NewInode fills a new node in, and returns one that it knows as it is.
	return parent.NewInode(ctx, n, fusefs.StableAttr{Mode: v.Mode() & syscall.S_IFMT, Ino: v.Ino(), Gen: n.generation})
}

// asideLocked returns a node of the inode of n that no other lookup leads to.
func (t *nodes) asideLocked(n *node) *node {
	aside := &node{fs: n.fs, v: n.v, generation: t.mu.generation + 1}
	aside.replaced.Store(true)
	t.mu.generation += 2
	return aside
}

// release ends what a request held.
func (t *nodes) release(request <-chan struct{}) {
	t.mu.Lock()
	held := t.mu.held[request]
	delete(t.mu.held, request)
	var gone []*volume.Inode
	for _, n := range held {
		n.holds--
		gone = t.dropLocked(n, gone)
	}
	t.mu.Unlock()
	for _, v := range gone {
		t.forget(v)
	}
}

// forgotten is go-fuse's message that the kernel has dropped n. It may come late, when n is known to the kernel again.
func (t *nodes) forgotten(n *node) {
	t.mu.Lock()
	gone := t.dropLocked(n, nil)
	t.mu.Unlock()
	for _, v := range gone {
		t.forget(v)
	}
}

// unhold ends a hold that is no request's.
func (t *nodes) unhold(n *node) {
	t.mu.Lock()
	n.holds--
	t.mu.Unlock()
	t.forgotten(n)
}

// dropLocked drops n if the kernel does not know it and nobody is about to make it known, and adds its inode to gone.
func (t *nodes) dropLocked(n *node, gone []*volume.Inode) []*volume.Inode {
	if n.holds > 0 || t.mu.byInode[n.v] != n {
		return gone
	}
	//lint:ignore SA1019 OnForget, offered instead, is the event; this is the state that it has to be checked against
	if !n.Forgotten() {
		return gone
	}
	delete(t.mu.byInode, n.v)
	return append(gone, n.v)
}
