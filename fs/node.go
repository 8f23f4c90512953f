package fs

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

var (
	_ fusefs.InodeEmbedder   = (*node)(nil)
	_ fusefs.NodeOnForgetter = (*node)(nil)
	_ fusefs.NodeStatfser    = (*node)(nil)
)

// node is an inode of any kind as go-fuse sees it.
type node struct {
	fusefs.Inode

	fs *filesystem
	v  *volume.Inode

	generation uint64 // tells it from those of the same inode that it has replaced

	holds int // requests that are about to make the node known; guarded by fs.nodes.mu

	replaced atomic.Bool // by another one, which the next lookup makes known

	refused atomic.Uint32 // the errno that the last attempt to write was refused with, for lack of room; 0: it was not

	mu struct {
		sync.Mutex
		pages   pages // of handles that are read from us
		through through
		told    sizes // that the kernel may believe in
		handles map[*handle]struct{}

		together bool   // no handle had parted
		partings uint64 // when there were so many
	}
}

// OnForget implements fusefs.NodeOnForgetter.
func (n *node) OnForget() { n.fs.nodes.forgotten(n) }

// up returns the number of the directory that n is in; 0: it is not known.
func (n *node) up() uint64 {
	_, parent := n.Parent()
	if parent == nil {
		return 0
	}
	return parent.StableAttr().Ino
}

// Statfs implements fusefs.NodeStatfser.
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	ctx, end := interruptible(ctx)
	defer end()
	st := n.fs.vol.Statfs(ctx)
	block := uint64(st.BlockSize)
	out.Blocks, out.Bfree, out.Bavail = st.Size/block, st.Free/block, st.Available/block
	out.Files, out.Ffree = st.Files, st.FilesFree
	out.Bsize, out.Frsize, out.NameLen = st.BlockSize, st.BlockSize, st.NameLen
	return 0
}

// blockSize is what stat(2) calls the preferred size of I/O. Programs that write through stdio take it for their buffer,
// and FUSE asks for large writes; NFS says its wsize here for the same reason.
const blockSize = 128 << 10

// fill puts a volume's attributes into the kernel's form.
func fill(out *fuse.Attr, st volume.Stat) {
	out.Ino, out.Size, out.Blocks, out.Nlink = st.Ino, st.Size, st.Blocks, st.Nlink
	out.Mode, out.Rdev, out.Blksize = st.Mode, uint32(st.Rdev), blockSize
	out.Uid, out.Gid = st.UID, st.GID
	out.Atime, out.Atimensec = unixTime(st.Atime)
	out.Mtime, out.Mtimensec = unixTime(st.Mtime)
	out.Ctime, out.Ctimensec = unixTime(st.Ctime)
}

// unixTime splits t as FUSE does; seconds before 1970 are negative numbers in two's complement.
func unixTime(t time.Time) (sec uint64, nsec uint32) {
	if t.IsZero() {
		return 0, 0
	}
	return uint64(t.Unix()), uint32(t.Nanosecond())
}

// creator returns who sent a request to make something, and with which mode: see withUmask.
func creator(ctx context.Context, mode uint32) (volume.Caller, uint32) {
	who := caller(ctx)
	who.Umask = mode >> umaskShift
	return who, mode & (1<<umaskShift - 1)
}

// caller returns who sent the request.
func caller(ctx context.Context) volume.Caller {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return volume.Caller{}
	}
	return volume.Caller{UID: c.Uid, GID: c.Gid}
}
