package fs

import (
	"context"
	"errors"
	"io"
	"math"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pail/fs/volume"
)

var (
	_ fusefs.FileReader    = (*handle)(nil)
	_ fusefs.FileWriter    = (*handle)(nil)
	_ fusefs.FileFlusher   = (*handle)(nil)
	_ fusefs.FileReleaser  = (*handle)(nil)
	_ fusefs.FileAllocater = (*handle)(nil)
	_ fusefs.FileLseeker   = (*handle)(nil)
)

// handle is an open file.
type handle struct {
	n     *node
	h     *volume.Handle
	flags uint32 // of open(2)

	paged    bool // the kernel reads it by the size and the pages of its inode; guarded by n.mu
	through  bool // the kernel reads the file itself
	nameless bool // opened by a node that was replaced, for lack of a name to look up
}

// Read implements fusefs.FileReader. The bytes go to the kernel from where they were fetched to, or from go-fuse's own
// buffer.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	ctx, end := interruptible(ctx)
	defer end()
	n, loan, err := h.h.Lend(ctx, dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, h.n.fs.errno("read", h.n.v, err)
	}
	h.n.fs.atime.read(h.n.fs.vol, h.n.v, h.flags)
	return result(dest, n, loan), 0
}

// Write implements fusefs.FileWriter. It is not broken off in the middle: the kernel has changed its pages already.
func (h *handle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	defer h.n.pagesChanged()
	n, err := h.h.WriteAt(detached(ctx), data, off)
	if err != nil && n == 0 {
		return 0, h.n.refuse("write", err)
	}
	h.n.admitted()
	if err := h.n.lose(detached(ctx), h.h, loss(ctx)); err != nil {
		return 0, h.n.fs.errno("write", h.n.v, err)
	}
	return uint32(n), 0
}

// Allocate implements fusefs.FileAllocater. The kernel refuses other modes by itself.
func (h *handle) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	how := volume.Allocation{
		KeepSize: mode&unix.FALLOC_FL_KEEP_SIZE != 0,
		Zero:     mode&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0,
	}
	const known = unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_ZERO_RANGE
	if mode&^known != 0 {
		return syscall.EOPNOTSUPP
	}
	defer h.n.pagesChanged()
	if err := h.h.Allocate(detached(ctx), how, int64(off), int64(size)); err != nil {
		return h.n.refuse("fallocate", err)
	}
	if err := h.n.lose(detached(ctx), h.h, loss(ctx)); err != nil {
		return h.n.fs.errno("fallocate", h.n.v, err)
	}
	return 0
}

// Lseek implements fusefs.FileLseeker; the kernel asks for SEEK_DATA and SEEK_HOLE only.
func (h *handle) Lseek(_ context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	at, ok := h.h.FindHole(int64(min(off, math.MaxInt64)), whence == unix.SEEK_HOLE)
	if !ok {
		return 0, syscall.ENXIO
	}
	return uint64(at), 0
}

// Flush implements fusefs.FileFlusher: close(2) returns what became of the data.
func (h *handle) Flush(ctx context.Context) syscall.Errno {
	if err := h.h.Flush(detached(ctx)); err != nil {
		return h.n.fs.errno("flush", h.n.v, err)
	}
	return 0
}

// Release implements fusefs.FileReleaser.
func (h *handle) Release(context.Context) syscall.Errno {
	h.n.letGo(h)
	if h.through {
		h.n.passed()
	} else {
		h.n.closed()
	}
	h.h.Release()
	return 0
}
