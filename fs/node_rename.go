package fs

import (
	"context"
	"errors"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"

	"pail/fs/volume"
)

var _ fusefs.NodeRenamer = (*node)(nil)

// Rename implements fusefs.NodeRenamer. A flag of renameat2(2) that is not known here is refused with EINVAL, as the
// manual page asks.
func (n *node) Rename(ctx context.Context, name string, newParent fusefs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*node)
	if !ok {
		return syscall.EXDEV
	}
	if flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0 {
		return syscall.EINVAL
	}
	how := volume.RenameFlags{
		NoReplace: flags&unix.RENAME_NOREPLACE != 0,
		Exchange:  flags&unix.RENAME_EXCHANGE != 0,
	}
	if how.NoReplace && how.Exchange {
		return syscall.EINVAL
	}
	err := n.fs.vol.Rename(detached(ctx), n.v, name, to.v, newName, how)
	if how.Exchange && errors.Is(err, volume.ErrNotSupported) {
		return syscall.EINVAL
	}
	if err != nil {
		return n.fs.errno("rename", n.v, err)
	}
	return 0
}
