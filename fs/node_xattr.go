package fs

import (
	"context"
	"errors"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"

	"pail/fs/attr"
	"pail/fs/volume"
)

var (
	_ fusefs.NodeGetxattrer    = (*node)(nil)
	_ fusefs.NodeSetxattrer    = (*node)(nil)
	_ fusefs.NodeListxattrer   = (*node)(nil)
	_ fusefs.NodeRemovexattrer = (*node)(nil)
)

// labelXattr is what ls -l asks for of every file. Where there is none, it is told that there are none on this mount, and
// stops asking.
const labelXattr = "security.selinux"

// hides reports whether an attribute is an ACL, of a mount that has none. An ls that uses getxattr asks for no other then.
func (f *filesystem) hides(name string) bool { return !f.acls && attr.IsACL(name) }

// Getxattr implements fusefs.NodeGetxattrer.
func (n *node) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	if n.fs.hides(name) {
		return 0, syscall.EOPNOTSUPP
	}
	ctx, end := interruptible(ctx)
	defer end()
	value, err := n.fs.vol.Getxattr(ctx, n.v, name)
	if name == labelXattr && errors.Is(err, volume.ErrNoAttr) {
		return 0, syscall.EOPNOTSUPP
	}
	if err != nil {
		return 0, n.fs.errno("getxattr", n.v, err)
	}
	return sized(dest, value)
}

// Setxattr implements fusefs.NodeSetxattrer.
func (n *node) Setxattr(ctx context.Context, name string, value []byte, flags uint32) syscall.Errno {
	if n.fs.hides(name) {
		return syscall.EOPNOTSUPP
	}
	how := int(flags)
	if losesSetID(ctx) {
		how |= volume.XattrDropSetgid
	}
	if err := n.fs.vol.Setxattr(detached(ctx), n.v, name, value, how); err != nil {
		return n.fs.errno("setxattr", n.v, err)
	}
	return 0
}

// Listxattr implements fusefs.NodeListxattrer.
func (n *node) Listxattr(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	ctx, end := interruptible(ctx)
	defer end()
	names, err := n.fs.vol.Listxattr(ctx, n.v)
	if err != nil {
		return 0, n.fs.errno("listxattr", n.v, err)
	}
	var list []byte
	for _, name := range names {
		if !n.fs.hides(name) {
			list = append(append(list, name...), 0)
		}
	}
	return sized(dest, list)
}

// Removexattr implements fusefs.NodeRemovexattrer.
func (n *node) Removexattr(ctx context.Context, name string) syscall.Errno {
	if n.fs.hides(name) {
		return syscall.EOPNOTSUPP
	}
	if err := n.fs.vol.Removexattr(detached(ctx), n.v, name); err != nil {
		return n.fs.errno("removexattr", n.v, err)
	}
	return 0
}

// sized answers a request that may only ask for the size: ERANGE tells a caller whose buffer is too small.
func sized(dest, value []byte) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
