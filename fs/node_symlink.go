package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

var (
	_ fusefs.NodeSymlinker  = (*node)(nil)
	_ fusefs.NodeReadlinker = (*node)(nil)
)

// Symlink implements fusefs.NodeSymlinker.
func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	v, st, err := n.fs.vol.Symlink(detached(ctx), n.v, name, target, caller(ctx))
	if err != nil {
		return nil, n.fs.errno("symlink", n.v, err)
	}
	return n.entry(ctx, v, st, out), 0
}

// Readlink implements fusefs.NodeReadlinker.
func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	ctx, end := interruptible(ctx)
	defer end()
	target, err := n.fs.vol.Readlink(ctx, n.v)
	if err != nil {
		return nil, n.fs.errno("readlink", n.v, err)
	}
	n.fs.atime.read(n.fs.vol, n.v, 0)
	return []byte(target), 0
}
