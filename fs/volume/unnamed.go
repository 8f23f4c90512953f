package volume

import (
	"context"
	"errors"
	"maps"
	"path"

	"pail/fs/attr"
	"pail/fs/stage"
	"pail/s3client"
)

// A file that is made without a name (O_TMPFILE) is kept here alone, as one that was removed while it is open, until it is
// given its first name (linkat(2)): that stores it, in one request, where there is nothing yet. So it appears whole, or not
// at all.

// CreateUnnamed makes a regular file in no directory, and opens it. What of a directory passes on to new files comes from dir.
// Link gives it a name; else it goes with its last handle.
func (v *Volume) CreateUnnamed(ctx context.Context, dir *Inode, mode uint32, flags OpenFlags, who Caller) (*Inode, *Handle, Stat, error) {
	if err := v.writable(); err != nil {
		return nil, nil, Stat{}, err
	}
	at, err := dir.path()
	if err != nil {
		return nil, nil, Stat{}, ErrNotExist
	}
	o := v.fresh(ctx, dir, at, attr.Regular|mode&attr.PermMask, who)
	n := v.table.AddUnnamed(dir.node, v.makeInode(attr.Regular)).Value()
	n.mu.Lock()
	defer n.mu.Unlock()
	c := newContent(v, s3client.ObjectInfo{}, false)
	c.file = v.opt.Stage.NewFile(nil, 0)
	n.mu.content, n.mu.obj, n.mu.removed, n.mu.unnamed = c, o, true, true
	h := n.attachLocked(c, flags)
	return n, h, n.statLocked(o, 0), nil
}

// unnamed reports whether n was made without a name and has not got one.
func (n *Inode) unnamed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.unnamed && n.mu.content != nil
}

// holdUnnamed returns a handle that keeps an unnamed file where another thread closes it meanwhile; nil if n is none any more.
func (n *Inode) holdUnnamed() *Handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.mu.unnamed || n.mu.content == nil {
		return nil
	}
	return n.attachLocked(n.mu.content, OpenFlags{})
}

// nameFirst gives an unnamed file a name. ErrExist: another client was quicker, or there is one already.
func (v *Volume) nameFirst(ctx context.Context, n *Inode, p place) (Stat, error) {
	ctx, cancel := v.detached(ctx, n.unsavedSize())
	defer cancel()
	if err := v.commitAlone(ctx, p.dir); err != nil {
		return Stat{}, err
	}
	paths, unlock, err := v.lockPlaces(ctx, v.paths.own, p)
	if err != nil {
		return Stat{}, err
	}
	defer unlock()
	at := paths[0]
	if err := nameError(v.keys.CheckFile(at)); err != nil {
		return Stat{}, err
	}
	if err := v.mustBeAbsent(ctx, p, at, true); err != nil {
		return Stat{}, err
	}
	if err := n.gate.lock(ctx); err != nil {
		return Stat{}, err
	}
	defer n.gate.unlock()
	h := n.holdUnnamed()
	if h == nil { // two have tried at once, or it was closed
		return Stat{}, errAgain
	}
	defer h.Release()
	defer v.arriving(at)()
	if err := v.storeFirst(ctx, n, p, at); err != nil {
		v.names.Forget(at)
		return Stat{}, err
	}
	p.dir.touch()
	return v.Getattr(ctx, n)
}

// storeFirst stores the content of an unnamed file under its name.
func (v *Volume) storeFirst(ctx context.Context, n *Inode, p place, at string) error {
	n.mu.Lock()
	c := n.mu.content
	n.mu.obj.attr.Ctime = v.opt.Now()
	n.mu.obj.info.System.ContentType = attr.ContentType(path.Base(at), n.mu.obj.attr.Mode, v.opt.MIME)
	n.mu.Unlock()
	snap, next, err := v.freeze(ctx, n, c)
	if err != nil {
		return err
	}
	defer snap.Release(false)
	next.key = v.keys.File(at)
	info, err := v.send(ctx, snap, next)
	if err != nil {
		if info, err = v.sentAfterAll(ctx, snap, next, err); err != nil {
			return err
		}
	}
	n.mu.Lock()
	n.mu.removed, n.mu.unnamed, n.mu.dirty = false, false, n.mu.changes != next.changes
	n.openLocked()
	n.mu.Unlock()
	if old := v.table.Attach(n.node, p.dir.node, p.name); old != nil {
		v.removed(old.Value()) // looked up meanwhile
	}
	v.committed(n, c, snap, next, info)
	return nil
}

// sentAfterAll finds out whether only the answer to a first version got lost.
func (v *Volume) sentAfterAll(ctx context.Context, snap *stage.Snapshot, next version, cause error) (s3client.ObjectInfo, error) {
	info, err := v.client.Head(ctx, next.key)
	switch {
	case err == nil && info.Size == snap.Size() && maps.Equal(info.Meta, next.meta):
		return info, nil
	case errors.Is(cause, s3client.ErrPrecondition):
		return info, errors.Join(ErrExist, cause)
	}
	return info, cause
}
