package volume

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"time"

	"pail/fs/attr"
	"pail/s3client"
)

// With a journal, what is made in a directory that this mount has made itself is made here first: directories, symbolic
// links and special files too, and files that are asked for exclusively. Elsewhere other machines may be about to make
// the same name, so the service is asked at once, and only one of them succeeds.

// owns reports whether things are made here first in a directory.
func (v *Volume) owns(dir *Inode) bool {
	if v.opt.Journal == nil {
		return false
	}
	dir.mu.Lock()
	defer dir.mu.Unlock()
	return dir.mu.own && !dir.mu.removed
}

// alone reports whether the service has heard of nothing in a directory, nor of itself. Then names in it need no request,
// also while the service is away.
func (n *Inode) alone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.alone && n.mu.content != nil && !n.mu.content.stored && !n.mu.removed
}

// sendingFrom says that something in the directory of n is about to be sent.
func (v *Volume) sendingFrom(n *Inode) {
	if v.opt.Journal == nil {
		return
	}
	dir, _ := v.table.Parent(n.node)
	if dir == nil {
		return
	}
	parent := dir.Value()
	parent.mu.Lock()
	defer parent.mu.Unlock()
	parent.mu.alone = false
}

// commitAbove stores the directories above n that are not stored, so that what the service has of them is never less
// than what they hold.
func (v *Volume) commitAbove(ctx context.Context, n *Inode) error {
	if v.opt.Journal == nil {
		return nil
	}
	if dir, _ := v.table.Parent(n.node); dir != nil {
		return v.commitAlone(ctx, dir.Value())
	}
	return nil
}

// commitAlone stores a directory of which the service has not heard, before something comes into it there.
func (v *Volume) commitAlone(ctx context.Context, dir *Inode) error {
	if dir.alone() {
		return v.commitNow(ctx, dir)
	}
	return nil
}

// own notes that this mount has made a directory.
func (n *Inode) own() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.own = n.isDir()
}

// commitTarget is commitAlone for somebody who holds paths in these directories, and so their own still. To share those would
// have to wait for those who have begun to wait for a directory, and they wait for him.
func (v *Volume) commitTarget(ctx context.Context, dirs ...*Inode) error {
	for _, dir := range dirs {
		if !dir.alone() {
			continue
		}
		if parent, _ := v.table.Parent(dir.node); parent != nil {
			if err := v.commitTarget(ctx, parent.Value()); err != nil {
				return err
			}
		}
		if err := v.storeDir(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// makeLater makes an object of any kind that is sent later. The caller owns its path.
func (v *Volume) makeLater(ctx context.Context, p place, o object, body []byte) (*Inode, Stat, error) {
	o.info.Size = int64(len(body))
	n := v.lockedInode(p, typeOf(o))
	c := newContent(v, s3client.ObjectInfo{Key: o.info.Key}, false)
	if c.body = body; n.typ == attr.Regular {
		c.file = v.opt.Stage.NewFile(nil, 0)
	}
	n.abandonLocked()
	n.mu.content, n.mu.obj, n.mu.dirty, n.mu.stamp = c, o, true, v.names.Begin()
	n.mu.own, n.mu.alone, n.mu.target = o.dir, o.dir, string(body)
	n.openLocked()
	n.unlock()
	if err := v.journalMade(ctx, n, c); err != nil {
		v.removed(n)
		return nil, Stat{}, err
	}
	p.dir.touch()
	v.storeLater(n)
	st, _ := n.localStat()
	return n, st, nil
}

// journalMade journals what was just made by somebody who owns its path, or stores it where the journal has no room.
func (v *Volume) journalMade(ctx context.Context, n *Inode, c *content) error {
	unlock, err := v.keepName(ctx, n)
	if err != nil {
		return err
	}
	err = v.journalNow(ctx, n, c)
	unlock()
	if err == nil {
		return nil
	}
	if err := n.gate.lock(ctx); err != nil {
		return err
	}
	defer n.gate.unlock()
	if sendErr := v.commitGated(ctx, n); sendErr != nil {
		return errors.Join(sendErr, err)
	}
	return nil
}

// storeMade stores an object that was made here, and is no file with bytes.
func (v *Volume) storeMade(ctx context.Context, n *Inode, c *content) error {
	v.sendingFrom(n)
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	o, changes := n.mu.obj, n.mu.changes
	n.mu.Unlock()
	o.info.Key, o.info.Size = v.keys.File(path), int64(len(c.body))
	if o.dir {
		o.info.Key = v.keys.Dir(path)
	}
	meta := attr.Encode(o.attr, o.info.Meta)
	v.noteSending(n, c, o.info.Size, meta)
	began := v.names.Begin()
	info, err := v.client.Put(ctx, o.info.Key, bytes.NewReader(c.body), s3client.PutOptions{
		Meta: meta, System: o.info.System, IfNoneMatch: v.caps.Exclusive(),
	})
	if errors.Is(err, s3client.ErrPrecondition) {
		if info, err = v.client.Head(ctx, o.info.Key); err != nil {
			return err
		}
		if !c.made(info) {
			return v.madeByAnother(ctx, n, c, path, o)
		}
		if !maps.Equal(info.Meta, meta) {
			changes = unchanged // an earlier state of it, whose answer got lost
		}
	}
	if err != nil {
		return err
	}
	o.info.ETag, o.info.LastModified, o.info.Meta, o.at = info.ETag, info.LastModified, meta, v.opt.Now()
	n.mu.Lock()
	c.base, c.stored, c.sent = o.info, true, nil
	n.mu.tag = info.ETag
	n.mu.Unlock()
	v.rebase(n, path, o, changes, began)
	return nil
}

// made reports whether an object is one that was sent from here.
func (c *content) made(info s3client.ObjectInfo) bool { return c.sent.has(info.Size, info.Meta) }

// madeByAnother gives way to another client that has made the name meanwhile. Two directories are one; anything else is
// kept beside.
func (v *Volume) madeByAnother(ctx context.Context, n *Inode, c *content, path string, o object) error {
	if !o.dir {
		beside := v.conflictPath(path)
		_, err := v.client.Put(ctx, v.keys.File(beside), bytes.NewReader(c.body), s3client.PutOptions{
			Meta: attr.Encode(o.attr, o.info.Meta), System: o.info.System,
		})
		if err != nil {
			return err
		}
		v.log.Error("another client has made a name that was made here; what was made here is kept beside it", "path", path, "kept", beside)
		v.noteConflict(beside)
		v.names.Forget(beside)
	}
	v.names.Forget(path)
	n.mu.Lock()
	defer n.unlock()
	n.abandonLocked()
	n.mu.stamp = v.names.Begin()
	return nil
}

// changeLater changes the attributes of what is stored: here and in the journal first. It reports false for what only
// the service can change. The caller has the gate.
func (v *Volume) changeLater(ctx context.Context, n *Inode, fn func(*attr.Attr) error) (st Stat, done bool, err error) {
	at, err := n.path()
	if err != nil || at == "" || v.keys.Synthetic(at) {
		return Stat{}, false, nil
	}
	o, err := v.current(ctx, n)
	switch {
	case err != nil:
		return Stat{}, true, err
	case o.view:
		return Stat{}, true, ErrPermission
	case o.dir && o.info.Key != v.markerKey(at): // it needs a marker, to be there when its entries go
		return Stat{}, false, nil
	}
	if !o.sys {
		s := v.names.Begin()
		if o, err = v.headObject(ctx, o.info.Key); err != nil {
			return Stat{}, true, err
		}
		n.adopt(o, s)
	}
	n.mu.Lock()
	defer n.unlock()
	if n.mu.removed || n.unsavedLocked() {
		return Stat{}, false, nil
	}
	n.timesLocked(&o.attr)
	if o.attr, err = changed(o, fn); err != nil {
		return Stat{}, true, err
	}
	if c := n.mu.content; c != nil && c.base.ETag != o.info.ETag {
		n.abandonLocked()
	}
	if n.mu.content == nil {
		n.mu.content = newContent(v, o.info, true)
		n.openLocked()
	}
	n.mu.obj, n.mu.dirty, n.mu.stamp = o, true, v.names.Begin()
	n.mu.accessed = time.Time{}
	n.mu.changes++
	return n.statLocked(o, o.info.Size), true, nil
}

// openLocked registers an inode that has content.
func (n *Inode) openLocked() {
	n.v.mu.Lock()
	defer n.v.mu.Unlock()
	n.v.mu.open[n] = struct{}{}
}

// storeDir stores a directory that was made or changed here, before something is done to it on the service.
func (v *Volume) storeDir(ctx context.Context, dir *Inode) error {
	if dir == nil || !dir.isDir() || !dir.unsaved() {
		return nil
	}
	if err := dir.gate.lock(ctx); err != nil {
		return err
	}
	defer dir.gate.unlock()
	return v.commitWithin(ctx, dir)
}

// syncNames makes durable what was done to names.
func (v *Volume) syncNames() error {
	if v.opt.Journal == nil {
		return nil
	}
	return journalError(v.opt.Journal.Barrier())
}
