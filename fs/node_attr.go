package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

var (
	_ fusefs.NodeGetattrer = (*node)(nil)
	_ fusefs.NodeSetattrer = (*node)(nil)
)

// Getattr implements fusefs.NodeGetattrer. The handle adds nothing: an inode knows what is written to it through any.
func (n *node) Getattr(ctx context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, end := interruptible(ctx)
	defer end()
	st, err := n.fs.vol.Getattr(ctx, n.v)
	if err != nil {
		return n.fs.errno("getattr", n.v, err)
	}
	n.tell(&out.Attr, st)
	return 0
}

// Setattr implements fusefs.NodeSetattrer. With a handle (ftruncate) the change may wait for the handle's flush.
func (n *node) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	var h *volume.Handle
	if open, ok := f.(*handle); ok {
		h = open.h
	}
	set := changes(in)
	nothing := in.Valid&^(fuse.FATTR_FH|fuse.FATTR_LOCKOWNER) == 0
	if set.Size != nil || set.UID != nil || set.GID != nil || nothing {
		cost := loss(ctx)
		cost.SetID = nothing || in.Valid&fuse.FATTR_KILL_SUIDGID != 0
		set.Loss = &cost
	}
	if nothing && n.refuses(ctx, *set.Loss) {
		return syscall.EPERM
	}
	first := h == nil && !nothing && !n.again(ctx)
	if first && (n.replaced.Load() || n.parted() != nil) {
		if done, errno := n.setParted(ctx, set, out); done {
			return errno
		}
	}
	if set.Size != nil {
		defer n.pagesChanged()
	}
	st, err := n.fs.vol.Setattr(detached(ctx), n.v, set, h)
	if err != nil {
		return n.refuse("setattr", err)
	}
	if first && n.parted() != nil { // it is set once more, where it is seen
		_, errno := n.setParted(ctx, set, out)
		return errno
	}
	n.answer(out, st)
	return 0
}

// again reports whether a request is that of a thread which was told to look the name up again.
func (n *node) again(ctx context.Context) bool {
	told := n.fs.nodes.retries.take(ctx, n.v)
	told.end()
	return told != nil
}

// setParted has attributes set where they are seen, of a file whose handles have parted from it: by a name at the node that the
// name leads to now, by a descriptor at what that reads. Nothing is done for a descriptor that reads what is in place.
func (n *node) setParted(ctx context.Context, set volume.SetAttr, out *fuse.AttrOut) (done bool, _ syscall.Errno) {
	if !byDescriptor(ctx) {
		return true, n.stale(ctx, nil)
	}
	n.mu.Lock()
	old := n.apartLocked()
	n.mu.Unlock()
	if old == nil {
		return false, 0
	}
	if err := old.h.Setattr(set); err != nil {
		return true, n.fs.errno("setattr", n.v, err)
	}
	n.answer(out, old.h.Stat())
	return true, 0
}

// answer tells attributes that were set.
func (n *node) answer(out *fuse.AttrOut, st volume.Stat) {
	n.tell(&out.Attr, st)
	out.SetTimeout(n.fs.attrTimeout) // go-fuse does it for Getattr only
}

// refuses reports whether a request that sets nothing is refused. The kernel sends one for a chown(2) that leaves both
// owners, and before every write(2) or fallocate(2), if the file has set-id bits to lose by it. Only the first takes the
// right to change the mode; for the others somebody has the file open.
func (n *node) refuses(ctx context.Context, cost volume.Loss) bool {
	st, err := n.fs.vol.Getattr(detached(ctx), n.v)
	return err == nil && cost.Mode(&st.Attr) != st.Attr.Mode && !n.v.Writing() && !mayChangeMode(ctx, st.UID)
}

// attributesChanged says that the attributes that the kernel has are out of date.
func (n *node) attributesChanged() {
	_ = n.NotifyContent(-1, 0) // no bytes; an error says that it has nothing of the file
}

// changes returns what a request asks to set. The change time is not among it: it is the volume's own.
func changes(in *fuse.SetAttrIn) (set volume.SetAttr) {
	if mode, ok := in.GetMode(); ok {
		set.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		set.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		set.GID = &gid
	}
	if size, ok := in.GetSize(); ok {
		set.Size = &size
	}
	if atime, ok := in.GetATime(); ok {
		set.Atime = &atime
	}
	if mtime, ok := in.GetMTime(); ok {
		set.Mtime = &mtime
	}
	return set
}
