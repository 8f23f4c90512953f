package fs

import (
	"context"
	"errors"
	"math"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

var (
	_ fusefs.NodeOpener   = (*node)(nil)
	_ fusefs.NodeCreater  = (*node)(nil)
	_ fusefs.NodeTmpfiler = (*node)(nil)
	_ fusefs.NodeFsyncer  = (*node)(nil)
	_ fusefs.NodeIoctler  = (*node)(nil)

	_ fusefs.NodeCopyFileRanger = (*node)(nil)
)

// Open implements fusefs.NodeOpener. O_DIRECT needs nothing from here: the kernel leaves its cache out by itself.
func (n *node) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	// An open that truncates changes something; any other may be interrupted.
	work, end := interruptible(ctx)
	defer end()
	if flags&syscall.O_TRUNC != 0 {
		work = detached(ctx)
	}
	told := n.fs.nodes.retries.take(ctx, n.v)
	seen := flags&syscall.O_ACCMODE == syscall.O_RDONLY && n.fs.atime.due(n.fs.vol, n.v, flags)
	f := told.opened(n, flags)
	kept := f != nil
	var err error
	if !kept {
		f, err = n.open(work, flags, seen, told)
	}
	var kind uint32
	if err == nil {
		kind, err = n.kind(ctx, f, kept)
	}
	switch {
	case errors.Is(err, errReplaced):
		n.letGo(f)
		return nil, 0, n.stale(ctx, f)
	case err != nil:
		return nil, 0, n.fs.errno("open", n.v, err)
	}
	n.showSize(uint64(f.h.Size()))
	if seen {
		kind &^= fuse.FOPEN_KEEP_CACHE // the kernel does not say when it reads what it has
	}
	if !f.h.Writes() {
		kind |= fuse.FOPEN_NOFLUSH // its Flush has nothing to do, and close(2) would wait for it
	}
	return f, kind, 0
}

// open opens the version in place. With errReplaced it returns what may go on at another node: what is only read.
func (n *node) open(ctx context.Context, flags uint32, seen bool, told *attempt) (*handle, error) {
	how := openFlags(flags)
	if !seen {
		how.Cached = n.cached()
	}
	f := &handle{n: n, flags: flags, nameless: told != nil && told.n == n}
	admit := func(h *volume.Handle) error { return n.admit(f, h, told != nil) }
	keep := !how.Write && !how.Truncate
	if !keep {
		how.Admit = admit
	}
	h, err := n.fs.vol.Open(ctx, n.v, how)
	if err == nil && keep {
		if err = admit(h); errors.Is(err, errReplaced) {
			err = n.reopen(ctx, f, how)
		}
		return f, err
	}
	if err == nil && how.Truncate {
		how := loss(ctx)
		how.SetID = how.SetID || caller(ctx).UID != 0 // kernels before 5.11 do not say so
		if err = n.lose(ctx, h, how); err != nil {
			h.Release()
		}
	}
	if err != nil {
		n.letGo(f)
		return nil, err
	}
	return f, nil
}

// reopen opens f once more, which is to go on at another node, and says errReplaced: as the version that was open here has gone, the
// bytes come with the answer, before that is replaced too.
func (n *node) reopen(ctx context.Context, f *handle, how volume.OpenFlags) (err error) {
	n.letGo(f)
	f.h.Release()
	how.Cached = ""
	if f.h, err = n.fs.vol.Open(ctx, n.v, how); err == nil {
		err = errReplaced
	}
	return err
}

// Create implements fusefs.NodeCreater. The kernel sends it also for a name that another client has made meanwhile, so
// the inode may be a known one.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	who, mode := creator(ctx, mode)
	v, h, st, err := n.fs.vol.Create(detached(ctx), n.v, name, mode&07777, openFlags(flags), who)
	if err != nil {
		return nil, nil, 0, n.fs.errno("create", n.v, err)
	}
	inode := n.entry(ctx, v, st, out)
	child := inode.Operations().(*node)
	if flags&syscall.O_TRUNC != 0 {
		if err := child.lose(detached(ctx), h, loss(ctx)); err != nil {
			h.Release()
			return nil, nil, 0, n.fs.errno("create", n.v, err)
		}
	}
	return inode, child.hold(&handle{n: child, h: h, flags: flags, paged: true}), child.opened(h.Version()), 0
}

// Tmpfile implements fusefs.NodeTmpfiler, which is open(2) with O_TMPFILE.
func (n *node) Tmpfile(ctx context.Context, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	who, mode := creator(ctx, mode)
	v, h, st, err := n.fs.vol.CreateUnnamed(detached(ctx), n.v, mode&07777, openFlags(flags), who)
	if err != nil {
		return nil, nil, 0, n.fs.errno("open without a name", n.v, err)
	}
	inode := n.entry(ctx, v, st, out)
	child := inode.Operations().(*node)
	return inode, child.hold(&handle{n: child, h: h, flags: flags, paged: true}), child.opened(h.Version()), 0
}

// CopyFileRange implements fusefs.NodeCopyFileRanger. What it does not support the kernel does by reading and writing.
func (n *node) CopyFileRange(ctx context.Context, from fusefs.FileHandle, fromOff uint64, _ *fusefs.Inode,
	to fusefs.FileHandle, toOff, size, flags uint64,
) (uint32, syscall.Errno) {
	src, ok := from.(*handle)
	dst, ok2 := to.(*handle)
	if !ok || !ok2 || fromOff != 0 || toOff != 0 || flags != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	defer dst.n.pagesChanged()
	copied, err := dst.h.CopyFrom(detached(ctx), src.h, int64(min(size, math.MaxUint32)))
	if errors.Is(err, volume.ErrNotSupported) {
		return 0, syscall.EOPNOTSUPP
	}
	if err == nil {
		n.fs.atime.read(n.fs.vol, n.v, src.flags)
		err = dst.n.lose(detached(ctx), dst.h, loss(ctx))
	}
	if err != nil {
		return 0, n.fs.errno("copy_file_range", dst.n.v, err)
	}
	return uint32(copied), 0
}

// Fsync implements fusefs.NodeFsyncer for handles of files, and of directories, which have no Fsyncdir of their own.
func (n *node) Fsync(ctx context.Context, f fusefs.FileHandle, _ uint32) syscall.Errno {
	h, ok := f.(*handle)
	if !ok {
		if err := n.fs.vol.SyncDir(detached(ctx), n.v); err != nil {
			return n.fs.errno("fsync", n.v, err)
		}
		return 0
	}
	if err := h.h.Fsync(detached(ctx)); err != nil {
		return n.fs.errno("fsync", n.v, err)
	}
	return 0
}

// Ioctl implements fusefs.NodeIoctler.
func (n *node) Ioctl(context.Context, fusefs.FileHandle, uint32, uint64, []byte, []byte) (int32, syscall.Errno) {
	return 0, syscall.ENOTTY
}

// openFlags translates the flags of open(2).
func openFlags(flags uint32) volume.OpenFlags {
	access := flags & syscall.O_ACCMODE
	return volume.OpenFlags{
		Read:     access != syscall.O_WRONLY,
		Write:    access != syscall.O_RDONLY,
		Append:   flags&syscall.O_APPEND != 0,
		Truncate: flags&syscall.O_TRUNC != 0,
		Excl:     flags&syscall.O_EXCL != 0,
	}
}
