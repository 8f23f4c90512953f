package volume

import (
	"context"
	"errors"
	"slices"

	"pail/fs/attr"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/tree"
	"pail/fs/upload"
	"pail/s3client"
)

// commit stores what is not stored of n: content and attributes in one request, or the attributes alone. A failure
// leaves everything as it was, for the next attempt.
func (v *Volume) commit(ctx context.Context, n *Inode) error {
	n.mu.Lock()
	unsaved, size := n.unsavedLocked(), int64(0)
	if unsaved {
		size = n.mu.content.size()
	}
	n.mu.Unlock()
	if !unsaved {
		return nil
	}
	ctx, cancel := v.detached(ctx, size)
	defer cancel()
	return v.commitNow(ctx, n)
}

// commitNow is commit, but ends with its context.
func (v *Volume) commitNow(ctx context.Context, n *Inode) error {
	if err := v.commitAbove(ctx, n); err != nil {
		return err
	}
	unlock, err := v.lockInode(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	err = v.commitGated(ctx, n)
	n.closeContent()
	return err
}

// lockInode holds n's path still and takes its gate.
func (v *Volume) lockInode(ctx context.Context, n *Inode) (unlock func(), err error) {
	return v.lockWith(ctx, n, n.gate)
}

func (v *Volume) lockWith(ctx context.Context, n *Inode, lock gate) (unlock func(), err error) {
	if err := v.settleInode(ctx, n); err != nil {
		return nil, err
	}
	if err := v.finishBack(ctx, n); err != nil {
		return nil, err
	}
	for {
		path, _ := v.table.Path(n.node)
		release, err := v.paths.share(ctx, path)
		if err != nil {
			return nil, err
		}
		if err := lock.lock(ctx); err != nil {
			release()
			return nil, err
		}
		if now, _ := v.table.Path(n.node); now == path {
			return func() { lock.unlock(); release() }, nil
		}
		lock.unlock()
		release()
	}
}

// commitGated is commit for a caller that holds the gate, and n's path still. What is written while it sends is left to
// the next commit.
func (v *Volume) commitGated(ctx context.Context, n *Inode) error {
	defer v.settleJournal(n)
	n.mu.Lock()
	if !n.unsavedLocked() {
		n.mu.Unlock()
		return nil
	}
	c := n.mu.content
	changed := c.changed()
	n.mu.Unlock()
	if changed {
		if err := v.storeContent(ctx, n, c); err != nil {
			return err
		}
	}
	n.mu.Lock()
	c = n.mu.content
	attributes := n.unsavedLocked() && !c.changed()
	n.mu.Unlock()
	switch {
	case attributes && !c.stored:
		return v.storeMade(ctx, n, c)
	case attributes:
		return v.storeAttributes(ctx, n, c)
	}
	return nil
}

// version is what a commit is about to store.
type version struct {
	key     string
	expect  s3client.ObjectInfo // the version that it replaces, if stored
	stored  bool
	meta    s3client.Meta
	system  s3client.System
	changes int
	writes  int
	sent    attempts // whose answers are missing, of the content or of what it replaces
	began   tree.Stamp
	held    held // what its entry in the journal says of the bytes
	kept    bool // the journal has the bytes

	stream *upload.Stream // has sent a part of the bytes; may be over
}

// storeContent stores the bytes of c with n's attributes. All that n's path leads to stays as it is until the service
// has the new object whole.
func (v *Volume) storeContent(ctx context.Context, n *Inode, c *content) error {
	if n.unsavedSize() >= claimFirst {
		if err := v.claimGated(ctx, n); err != nil && !errors.Is(err, s3client.ErrPrecondition) {
			return err
		}
	}
	unlock, err := v.keepName(ctx, n)
	if err != nil {
		return err
	}
	snap, next, err := v.freeze(ctx, n, c)
	if err != nil {
		unlock()
		return err
	}
	defer snap.Release(false)
	v.journalAhead(n, c, snap, next)
	v.noteSending(n, c, snap.Size(), next.meta)
	unlock() // later states are journaled from now on
	return v.storeSnapshot(ctx, n, c, snap, next)
}

// freeze returns the content and the attributes that belong to it.
func (v *Volume) freeze(ctx context.Context, n *Inode, c *content) (*stage.Snapshot, version, error) {
	if err := c.order.lock(ctx); err != nil {
		return nil, version{}, err
	}
	defer c.order.unlock()
	snap, err := c.file.Snapshot()
	if err != nil {
		return nil, version{}, localError(err)
	}
	next := v.nextVersion(n, c)
	next.stream = n.takeStream(c)
	return snap, next, nil
}

// storeSnapshot stores a snapshot of c as the next version, which is noted to be sent.
func (v *Volume) storeSnapshot(ctx context.Context, n *Inode, c *content, snap *stage.Snapshot, next version) error {
	v.sendingFrom(n)
	path, _ := v.table.Path(n.node)
	data := v.keptOf(ctx, path, snap)
	info, err := v.send(ctx, snap, next)
	switch {
	case err == nil:
		v.kept.put(n, info.ETag, data)
		v.committed(n, c, snap, next, info)
		return nil
	case errors.Is(err, s3client.ErrPrecondition) || errors.Is(err, ErrStale) || notFound(err):
		return v.contested(ctx, n, c, snap, next, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c.sent.note(snap.Size(), next.meta) // the service may have it: perhaps only the answer got lost
	return err
}

// nextVersion reads what to store. The caller has content.order, so that it goes with the bytes.
func (v *Volume) nextVersion(n *Inode, c *content) version {
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.versionLocked(c, path)
}

func (n *Inode) versionLocked(c *content, path string) version {
	return version{
		key: n.v.keys.File(path), expect: c.base, stored: c.stored,
		meta:   attr.Encode(n.mu.obj.attr, n.mu.obj.info.Meta),
		system: n.mu.obj.info.System, changes: n.mu.changes, writes: n.mu.writes,
		sent: slices.Clone(c.sent), held: held{bytes: c.file != nil, size: c.size()}, began: n.v.names.Begin(),
	}
}

// send stores a snapshot, on the condition that the version it replaces is in place.
func (v *Volume) send(ctx context.Context, snap *stage.Snapshot, next version) (s3client.ObjectInfo, error) {
	opt := s3client.PutOptions{Meta: next.meta, System: next.system}
	var base *s3client.ObjectInfo
	if next.stored {
		base = &next.expect
	}
	if v.caps.ConditionalPut {
		opt.IfNoneMatch = !next.stored
		opt.IfMatch = next.expect.ETag
	}
	if next.stream != nil {
		return next.stream.Commit(ctx, next.key, snap, base, opt)
	}
	return v.upload.Commit(ctx, next.key, snap, base, opt)
}

// committed makes info the version that n is based on.
func (v *Volume) committed(n *Inode, c *content, snap *stage.Snapshot, next version, info s3client.ObjectInfo) {
	info.Key, info.Size, info.Meta, info.System = next.key, snap.Size(), next.meta, next.system
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	old := c.moveTo(v.openVersion(info))
	defer func() { v.logClose(n, old.Close()) }()
	defer n.mu.Unlock()
	c.base, c.stored, c.claim, c.sent = info, true, false, nil
	n.mu.obj.info, n.mu.obj.at = info, v.opt.Now()
	n.mu.log.covered = next.changes + 1
	if n.mu.changes == next.changes {
		n.mu.dirty = false
	}
	snap.Release(true)
	n.mu.stamp = v.present(path, n.mu.obj, next.began) // before anybody sees that n has nothing unsaved
}

// present says that this mount has made what is at a path, by a request that began after since; the zero Stamp if that has
// not decided all that o says.
func (v *Volume) present(path string, o object, since tree.Stamp) tree.Stamp {
	s := v.names.Set(path, o, since)
	v.presentAbove(path)
	return s
}

// presentAbove says that there is something at a path that this mount has made, and that the cache has been told of: a directory
// above that was thought not to exist, or to be a file, as another client or a rename had removed it, does so now. What is
// heard of it later, but was asked before, the cache does not take.
func (v *Volume) presentAbove(path string) {
	for dir := path; dir != ""; {
		if dir = tree.Dir(dir); v.names.WasNoDir(dir) {
			v.names.Forget(dir)
		}
	}
}

// rebaseFrom is rebase for an o that was made of the version from, be that what n is based on or not. What was changed here on
// top of another version stays based on that: its commit finds another client's, and keeps both. What was not changed is left to
// the handles that have it. The caller holds the gate.
func (v *Volume) rebaseFrom(n *Inode, path string, o object, from s3client.ETag, since tree.Stamp) {
	if n.partFrom(from) {
		v.present(path, o, since)
		return
	}
	v.rebase(n, path, o, unchanged, since)
}

// rebase makes o, which holds the bytes that n already has, what n is based on; since is that of present. changes tells which
// state of the attributes o has, for an open file with others.
func (v *Volume) rebase(n *Inode, path string, o object, changes int, since tree.Stamp) {
	var old readahead.Source
	n.mu.Lock()
	if n.mu.changes == changes {
		n.mu.dirty = false
	}
	n.mu.log.covered = max(n.mu.log.covered, changes+1)
	if c := n.mu.content; c != nil && !n.mu.removed {
		if c.base.ETag != o.info.ETag || c.base.Key != o.info.Key {
			old = c.moveTo(v.openVersion(o.info))
		}
		c.base = o.info
		n.mu.obj.info = o.info
		if !n.unsavedLocked() {
			n.mu.obj = o
		}
	}
	n.mu.stamp = v.present(path, o, since)
	n.mu.Unlock()
	if old != nil {
		v.logClose(n, old.Close())
	}
}
