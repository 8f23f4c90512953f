package volume

import (
	"context"
	"errors"

	"pail/s3client"
)

// CopyFrom makes the whole of another file, of at most n bytes, the content of an empty one, inside the service: no byte is
// moved through here. It is stored when CopyFrom returns. ErrNotSupported says that nothing was done, and that the bytes are to
// be read and written: where that is as good, or safer.
func (h *Handle) CopyFrom(ctx context.Context, from *Handle, n int64) (int64, error) {
	v := h.n.v
	source, ok := from.storedWhole()
	if !ok || n < source.Size || !v.upload.Copies(source.Size) || v.opt.Journal != nil || v.opt.ReadOnly ||
		!h.flags.Write || from.n == h.n {
		return 0, ErrNotSupported
	}
	ctx, cancel := v.detached(ctx, source.Size)
	defer cancel()
	unlock, err := v.lockInode(ctx, h.n)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := h.c.order.lock(ctx); err != nil {
		return 0, err
	}
	defer h.c.order.unlock()
	next, ok := h.nextIfEmpty()
	if !ok {
		return 0, ErrNotSupported
	}
	info, err := v.cloneTo(ctx, source, next)
	if err != nil {
		if !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
			h.n.mu.Lock()
			h.c.sent.note(source.Size, next.meta) // it may be there
			h.n.mu.Unlock()
		}
		v.log.Debug("a file is not copied inside the service", "key", next.key, "error", err)
		return 0, ErrNotSupported
	}
	h.cloned(next, info)
	return source.Size, nil
}

// storedWhole returns the version that a handle reads, if it is as it is stored.
func (h *Handle) storedWhole() (s3client.ObjectInfo, bool) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.c.base, h.c.stored && !h.c.changed() && !h.c.abandoned && !h.n.mu.removed
}

// nextIfEmpty returns what a commit with other bytes stores, if there are none yet.
func (h *Handle) nextIfEmpty() (version, bool) {
	n, c := h.n, h.c
	path, err := n.path()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil || n.mu.content != c || c.abandoned || n.mu.removed || c.size() > 0 {
		return version{}, false
	}
	n.touchFileLocked()
	return n.versionLocked(c, path), true
}

// cloneTo stores a copy of source as the next version of another file.
func (v *Volume) cloneTo(ctx context.Context, source s3client.ObjectInfo, next version) (s3client.ObjectInfo, error) {
	src := v.openVersion(source)
	defer func() { _ = src.Close() }() // was only read, if at all
	file := v.opt.Stage.NewFile(src, source.Size)
	defer func() { _ = file.Close() }() // holds no local data
	snap, err := file.Snapshot()
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	defer snap.Release(false)
	opt := s3client.PutOptions{Meta: next.meta, System: next.system}
	if v.caps.ConditionalPut {
		opt.IfNoneMatch = !next.stored
		opt.IfMatch = next.expect.ETag
	}
	info, err := v.upload.Commit(ctx, next.key, snap, &source, opt)
	info.Key, info.Size, info.Meta, info.System = next.key, source.Size, next.meta, next.system
	return info, err
}

// cloned makes a version that was stored what the file is based on, in place of what was empty.
func (h *Handle) cloned(next version, info s3client.ObjectInfo) {
	n, c, v := h.n, h.c, h.n.v
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	file, src := c.file, c.src
	c.file, c.src = nil, v.openVersion(info)
	c.base, c.stored, c.claim, c.sent = info, true, false, nil
	n.mu.obj.info, n.mu.obj.at = info, v.opt.Now()
	n.mu.dirty = n.mu.dirty && n.mu.changes != next.changes
	n.mu.stamp = v.present(path, n.mu.obj, next.began)
	n.mu.Unlock()
	if file != nil {
		v.logClose(n, file.Close())
	}
	v.logClose(n, src.Close())
}
