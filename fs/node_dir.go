package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

var (
	_ fusefs.NodeLookuper = (*node)(nil)
	_ fusefs.NodeMkdirer  = (*node)(nil)
	_ fusefs.NodeMknoder  = (*node)(nil)
	_ fusefs.NodeLinker   = (*node)(nil)
	_ fusefs.NodeUnlinker = (*node)(nil)
	_ fusefs.NodeRmdirer  = (*node)(nil)
)

// entry answers a request that ends in an inode below n.
func (n *node) entry(ctx context.Context, v *volume.Inode, st volume.Stat, out *fuse.EntryOut) *fusefs.Inode {
	child := n.fs.child(ctx, n, v)
	child.Operations().(*node).tell(&out.Attr, st)
	return child
}

// Lookup implements fusefs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	work, end := interruptible(ctx)
	defer end()
	v, st, err := n.fs.vol.Lookup(work, n.v, name)
	if err != nil {
		return nil, n.fs.errno("lookup", n.v, err)
	}
	if v.Mode()&syscall.S_IFMT != syscall.S_IFDIR {
		n.fs.interest.shown(n.v.Ino(), name)
	}
	return n.entry(ctx, v, st, out), 0
}

// Mkdir implements fusefs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	who, mode := creator(ctx, mode)
	v, st, err := n.fs.vol.Mkdir(detached(ctx), n.v, name, mode&07777, who)
	if err != nil {
		return nil, n.fs.errno("mkdir", n.v, err)
	}
	return n.entry(ctx, v, st, out), 0
}

// Mknod implements fusefs.NodeMknoder.
func (n *node) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	who, mode := creator(ctx, mode)
	v, st, err := n.fs.vol.Mknod(detached(ctx), n.v, name, mode, uint64(dev), who)
	if err != nil {
		return nil, n.fs.errno("mknod", n.v, err)
	}
	return n.entry(ctx, v, st, out), 0
}

// Link implements fusefs.NodeLinker.
func (n *node) Link(ctx context.Context, target fusefs.InodeEmbedder, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	file, ok := target.(*node)
	if !ok {
		return nil, syscall.EXDEV
	}
	st, err := n.fs.vol.Link(detached(ctx), file.v, n.v, name)
	if err != nil {
		return nil, n.fs.errno("link", file.v, err)
	}
	return n.entry(ctx, file.v, st, out), 0
}

// Unlink implements fusefs.NodeUnlinker.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	work := detached(ctx)
	if n.fs.interest.listed(ctx, n.v.Ino()) {
		work = volume.OneOfMany(work)
	}
	if err := n.fs.vol.Unlink(work, n.v, name); err != nil {
		return n.fs.errno("unlink", n.v, err)
	}
	return 0
}

// Rmdir implements fusefs.NodeRmdirer.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if err := n.fs.vol.Rmdir(detached(ctx), n.v, name); err != nil {
		return n.fs.errno("rmdir", n.v, err)
	}
	return 0
}
