package fs

import (
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
)

// maxNodes is how many nodes the kernel may know before it is asked to forget some. By itself it forgets only when the
// machine runs out of memory, so that a walk over a million files would fill ours.
const maxNodes = 16 << 10

// NodeMemory is about what the files take here that the kernel knows and nobody uses.
const NodeMemory = maxNodes * 2 << 10

// pruner asks the kernel to forget nodes. It forgets those that nobody uses, and tells so in its own time; a kernel before
// Linux 6.18 cannot be asked, and the answer is an errno.
type pruner struct {
	limit  int
	ask    func([]*fusefs.Inode) syscall.Errno
	fresh  int // nodes that have come since it was asked; like all of this, guarded by nodes.mu
	asking bool
	off    bool
}

func askKernel(list []*fusefs.Inode) syscall.Errno {
	if len(list) == 0 {
		return 0
	}
	return list[0].NotifyPrune(list)
}

// pruneLocked asks the kernel to forget nodes where it knows too many. It is asked for twice as many as come meanwhile, and
// for any: which of them are used the kernel knows better.
func (t *nodes) pruneLocked() {
	p := &t.mu.pruner
	if p.off || p.asking || len(t.mu.byInode) <= p.limit || p.fresh < p.limit/16 {
		return
	}
	p.fresh, p.asking = 0, true
	request := make(chan struct{}) // holds the nodes as a request of the kernel would
	list := make([]*fusefs.Inode, 0, p.limit/8)
	for _, n := range t.mu.byInode {
		if len(list) == cap(list) {
			break
		}
		if n.holds > 0 {
			continue
		}
		n.holds++
		t.mu.held[request] = append(t.mu.held[request], n)
		list = append(list, n.EmbeddedInode())
	}
	go func() {
		errno := p.ask(list)
		t.release(request)
		t.mu.Lock()
		defer t.mu.Unlock()
		p.asking, p.off = false, errno != 0
	}()
}
