package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pail/s3client"
)

// backings has the kernel read files from the local disk itself (FUSE passthrough). The kernel does so for all handles of one
// of its inodes or for none, and from one file: anything else is EIO. So there is nothing to be done for who comes to write
// while readers have the file this way, and it is used only where there are no writers, in mounts that are read-only. What
// may come there is another version, of another client: that gets an inode of its own in the kernel (nodes.replace).
//
// It is not left to go-fuse, which counts handles of both kinds down alike, and goes on without for good, also in the middle
// of a file, after one failure.
type backings struct {
	kernel registrar

	mu struct {
		sync.Mutex
		told map[<-chan struct{}]int32 // what an answer to open is going to name, by the cancel channel of the request
	}
}

// registrar is the part of fuse.Server that is needed here.
type registrar interface {
	RegisterBackingFd(*fuse.BackingMap) (int32, syscall.Errno)
	UnregisterBackingFd(id int32) syscall.Errno
}

// through is the use of a local file by the handles of a node. Guarded by node.mu.
type through struct {
	handles  int
	version  s3client.ETag
	id       int32 // of the file in the kernel
	giveBack func()
}

// newBackings tries with a file in dir whether the kernel reads files there itself, also with the flags of open(2) that it
// passes on.
func newBackings(kernel registrar, dir string) (*backings, error) {
	f, err := os.CreateTemp(dir, "passthrough-*")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer os.Remove(f.Name())
	direct, err := os.OpenFile(f.Name(), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	defer direct.Close()
	b := &backings{kernel: kernel}
	b.mu.told = map[<-chan struct{}]int32{}
	id, err := b.register(f)
	if err != nil {
		return nil, err
	}
	return b, b.unregister(id)
}

// passThrough has the kernel read files itself, if it is asked for and possible, and logs which.
func (f *filesystem) passThrough(server *fuse.Server, opt Options) {
	if opt.PassThrough == "" {
		return
	}
	why := errors.New("the mount is not read-only")
	if opt.ReadOnly {
		var b *backings
		if b, why = newBackings(server, opt.PassThrough); why == nil {
			f.backings.Store(b)
			opt.Log.Info("files that are wholly in the cache are read by the kernel itself (passthrough)", "dir", opt.PassThrough)
			return
		}
	}
	opt.Log.Info("files in the cache are read through the page cache, without passthrough", "reason", why)
}

func (b *backings) register(f *os.File) (int32, error) {
	id, errno := b.kernel.RegisterBackingFd(&fuse.BackingMap{Fd: int32(f.Fd())})
	if errno != 0 {
		return 0, fmt.Errorf("register a file: %w", errno)
	}
	return id, nil
}

func (b *backings) unregister(id int32) error {
	if errno := b.kernel.UnregisterBackingFd(id); errno != 0 {
		return fmt.Errorf("unregister a file: %w", errno)
	}
	return nil
}

// tell says which file the answer to a request is going to name.
func (b *backings) tell(request <-chan struct{}, id int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.told[request] = id
}

// complete puts into an answer what was told for it.
func (b *backings) complete(request <-chan struct{}, out *fuse.OpenOut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.mu.told[request]; ok {
		out.BackingID = id
		delete(b.mu.told, request)
	}
}

// errReplaced is what an open gets whose inode goes on with another version: the kernel then looks the name up again, and
// finds the node that takes the place of this one.
var errReplaced = errors.New("the file has another version")

// kind returns the flags that say how the kernel is going to read a file that was opened. kept: before the name led to this node.
func (n *node) kind(ctx context.Context, h *handle, kept bool) (uint32, error) {
	kind, err := n.passes(h, ctx.Done())
	if err != nil {
		return 0, err
	}
	if !h.through {
		kind = n.opened(h.h.Version())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.paged = h.through || kept || !n.replaced.Load(); !h.paged {
		kind = fuse.FOPEN_DIRECT_IO // the pages are those of other versions
	}
	return kind, nil
}

// passes lets the kernel read the file of h itself, if it is all here and nobody reads it in another way; kind has the flags
// for that, 0 if it does not. errReplaced: handles of another version have it so. request is the open's.
func (n *node) passes(h *handle, request <-chan struct{}) (kind uint32, err error) {
	b := n.fs.backings.Load()
	if b == nil {
		return 0, nil
	}
	version := h.h.Version()
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &n.mu.through
	switch {
	case t.handles > 0 && t.version != version:
		return 0, errReplaced
	case t.handles == 0 && (n.mu.pages.open > 0 || h.flags&unix.O_DIRECT != 0 || !n.borrowLocked(b, h)):
		return 0, nil
	}
	t.handles++
	t.version, h.through = version, true
	b.tell(request, t.id)
	kind = fuse.FOPEN_PASSTHROUGH
	if h.flags&unix.O_DIRECT != 0 {
		kind |= fuse.FOPEN_DIRECT_IO // which asks us all the same: disks want reads to be aligned
	}
	return kind, nil
}

// borrowLocked makes the local file of h known to the kernel, if there is one.
func (n *node) borrowLocked(b *backings, h *handle) bool {
	f, giveBack, ok := h.h.Borrow()
	if !ok {
		return false
	}
	id, err := b.register(f)
	if err != nil {
		n.fs.log.Debug("a file in the cache is not passed through", "inode", n.v.Ino(), "error", err)
		giveBack()
		return false
	}
	n.mu.through = through{id: id, giveBack: giveBack}
	return true
}

// passed counts a handle off that the kernel has read itself. When we hear of its release, the kernel has ended that.
func (n *node) passed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &n.mu.through
	if t.handles--; t.handles > 0 {
		return
	}
	if err := n.fs.backings.Load().unregister(t.id); err != nil {
		n.fs.log.Debug("a file in the cache stays registered", "inode", n.v.Ino(), "error", err)
	}
	t.giveBack()
	*t = through{}
}

// replace makes the next lookup of an inode, under any name, give the kernel a new one in place of n.
func (t *nodes) replace(n *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replaceLocked(n)
}

func (t *nodes) replaceLocked(n *node) {
	n.replaced.Store(true)
	if t.mu.byInode[n.v] == n {
		delete(t.mu.byInode, n.v)
		t.mu.generation++ // go-fuse may know n for as long as its handles are open
	}
}
