package volume

import (
	"context"
	"errors"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// Unlink removes a file: one DELETE, or with many others in one request (Options.LazyUnlink). Its open handles go on
// reading and writing: what of it is only on the service is kept for them before.
func (v *Volume) Unlink(ctx context.Context, dir *Inode, name string) error {
	if err := v.writable(); err != nil {
		return err
	}
	p := place{dir, name}
	if pub := v.published.take(func(pub *publication) bool { return pub.first == p || pub.second == p }); pub != nil {
		if done, err := v.unpublish(ctx, pub, p); done || err != nil {
			return err
		}
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	paths, unlock, err := v.lockPlaces(ctx, v.paths.own, p)
	if err != nil {
		return err
	}
	at := paths[0]
	o, err := v.exists(ctx, p, at)
	if o != nil && err == nil && v.isPointer(*o) {
		err = v.unlinkName(ctx, p, at, *o)
		if unlock(); err == nil {
			ptr, _ := v.pointer(*o)
			v.dropName(ctx, ptr, o.info.Key)
		}
		return err
	}
	queued, over := false, make(chan struct{})
	defer func() {
		if close(over); !queued {
			unlock()
		}
	}()
	switch {
	case err != nil:
		return err
	case o == nil:
		return ErrNotExist
	case o.view:
		return ErrPermission // it lives and dies with the directory
	case o.dir:
		return ErrIsDir
	}
	n, open, err := v.gatedInode(ctx, p, o.mode()) // nobody opens it by another one
	if err != nil {
		return err
	}
	defer open()
	var late error // the removal came after another client's file
	remove := func(key string, _ *marking) error {
		v.endJournaled()
		err := v.deleteVersions(ctx, v.removedVersion(n, at, key, whatever))
		if errors.Is(err, s3client.ErrPrecondition) {
			late, err = err, nil
		}
		return err
	}
	_, beside := v.keys.ClashAlias(at) // once the directory is gone, its key has another path
	later := v.removesLater(ctx, dir) && !n.isOpen() && !beside
	if later {
		remove = func(key string, marker *marking) error {
			began := v.opt.Now()
			what := v.removedVersion(n, at, key, func() bool { return v.within(atOnce, began) })
			err := v.queueRemoval(ctx, removal{dir: dir, at: at, what: what, marker: marker, over: over, unlock: unlock})
			queued = err == nil
			return err
		}
	}
	if err := v.unlinkGated(ctx, p, n, at, later, remove); err != nil {
		return err
	}
	return v.overtaken(at, late)
}

// unlinkName removes one of the names of a file with several.
func (v *Volume) unlinkName(ctx context.Context, p place, at string, name object) error {
	if err := v.ensureMarker(ctx, p.dir); err != nil {
		return err
	}
	began := v.names.Begin()
	late := v.deleteName(ctx, v.keys.File(at), name)
	if removalFailed(late) {
		v.names.Forget(at)
		return late
	}
	v.table.Unlink(p.dir.node, p.name)
	v.vacated(p, at, nil, began)
	return v.overtaken(at, late)
}

// deleteName removes the object of a name, also if another mount has stored it anew. Where the removal is sent again and
// meets what another client has made there meanwhile, that stays: ErrPrecondition.
func (v *Volume) deleteName(ctx context.Context, key string, name object) error {
	ptr, _ := v.pointer(name)
	for tag := name.info.ETag; ; {
		err := v.deleteVersions(ctx, s3client.Version{Key: key, ETag: tag, Any: whatever})
		if !errors.Is(err, s3client.ErrPrecondition) {
			return err
		}
		there, info, lookErr := v.whatIs(ctx, key, ptr)
		switch {
		case lookErr != nil:
			return lookErr
		case there == nothing:
			return nil
		case there == anotherObject:
			return err
		}
		tag = info.ETag
	}
}

// unlinkGated removes a name by remove, which queues that where later says so.
func (v *Volume) unlinkGated(ctx context.Context, p place, n *Inode, at string, later bool, remove func(key string, marker *marking) error) error {
	gone := n.absentSince()
	if !n.pending() || n.sent() { // what was sent may be there, though no answer has said so
		marker, marked, err := v.beginMarker(ctx, p.dir, later)
		if err != nil {
			return err
		}
		queued := false
		defer func() {
			if queued {
				return
			}
			if err := marked(); err != nil { // the next removal tells of it
				v.log.Warn("a directory has no marker yet", "path", tree.Dir(at), "error", err)
			}
		}()
		stay, err := v.leave(ctx, n)
		if err != nil {
			return err
		}
		gone = v.names.Begin()
		if err := remove(v.keys.File(at), marker); err != nil { // leave may have taken long
			stay()
			v.names.Forget(at)
			return err
		}
		queued = later
		v.countRemoval(p.dir)
	}
	defer v.endNaming(ctx, n, at)()
	v.vacated(p, at, n, gone)
	return nil
}

// endNaming keeps the states of a file that is removed out of the journal until done: one that is on its way there would
// not end with the file, but later, and a crash in between would bring the file back. This is not for the request before, which
// may take as long as the service likes: who syncs the file meanwhile does not wait for that. The caller has the gate.
func (v *Volume) endNaming(ctx context.Context, n *Inode, at string) (done func()) {
	ctx, cancel := v.detached(ctx, n.unsavedSize()) // as journal
	defer cancel()
	done, err := v.keepStill(ctx, n)
	if err != nil { // the file is gone already
		v.log.Warn("a crash may bring a removed file back, whose state is still on its way to the journal", "path", at, "error", err)
		return func() {}
	}
	return done
}

// leave prepares an inode for the removal of its object: content that is in use is kept elsewhere, and opens wait. stay
// undoes that.
func (v *Volume) leave(ctx context.Context, n *Inode) (stay func(), err error) {
	if at, err := n.path(); err == nil {
		o, _, _ := v.names.Get(at)
		n.remember(o)
	}
	stay = func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.mu.leaving = false
	}
	n.mu.Lock()
	n.mu.leaving = true
	c := n.mu.content
	if c == nil || c.handles == 0 {
		n.mu.Unlock()
		return stay, nil
	}
	h, size := n.attachLocked(c, OpenFlags{}), c.size() // it must not be closed meanwhile
	n.mu.Unlock()
	work, cancel := v.detached(ctx, size)
	defer cancel()
	err = v.keep(work, n, c)
	h.Release()
	if err = readError(err); err != nil && !errors.Is(err, ErrStale) {
		stay()
		return nil, err
	}
	return stay, nil // also if the version that is open is gone already: its handles will say so
}

// isLeaving reports whether the removal of n's object is on its way.
func (n *Inode) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.leaving
}

// vacated says that the object or marker of a name is removed, at a time after gone, or never was there; zero: nobody knows
// since when. A lookup that was quicker may have brought the name back to life meanwhile. The caller owns the path.
func (v *Volume) vacated(p place, at string, n *Inode, gone tree.Stamp) {
	if n != nil {
		v.removed(n)
	}
	v.names.SetAbsent(at, gone)
	if again := v.child(p); again != nil && again != n {
		if v.table.Unlink(p.dir.node, p.name); v.child(p) == again {
			v.removed(again)
		}
	}
	p.dir.letGo()
	p.dir.touch()
}

// remember keeps what is known of an inode that is about to lose its name, for those who hold it.
func (n *Inode) remember(o object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.content != nil {
		return
	}
	if !o.full {
		now := n.v.opt.Now()
		o.attr = attr.Attr{Mode: n.typ, Mtime: now, Atime: now, Ctime: now}
	}
	o.dir = n.isDir()
	n.mu.obj = o
}

// removed takes the name of an inode whose object this mount has removed. What its handles do from now on stays here.
func (v *Volume) removed(n *Inode) {
	n.mu.Lock()
	n.mu.removed, n.mu.leaving, n.mu.dirty = true, false, false
	n.mu.stamp = v.names.Begin()
	n.mu.obj.attr.Ctime = v.opt.Now()
	if c := n.mu.content; c != nil {
		c.dropStreamLocked()
	}
	n.mu.Unlock()
	v.table.Remove(n.node)
	v.settleJournal(n)
	n.closeContent()
}

// Rmdir removes an empty directory.
func (v *Volume) Rmdir(ctx context.Context, dir *Inode, name string) error {
	if err := v.writable(); err != nil {
		return err
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	p := place{dir, name}
	paths, unlock, err := v.lockPlaces(ctx, v.paths.exclude, p)
	if err != nil {
		return err
	}
	defer unlock()
	at, n := paths[0], v.child(p)
	if n != nil {
		if err := n.removalError(); err != nil {
			return err
		}
	}
	if err := v.storeDir(ctx, n); err != nil {
		return err
	}
	o, _, err := v.resolve(ctx, at)
	switch {
	case n != nil && n.unsaved(), err == nil && !o.dir:
		return ErrNotDir
	case err != nil:
		return err
	case v.keys.Synthetic(at):
		return ErrPermission
	}
	markers := v.markers(at, o)
	decides := v.caps.DeleteDirectory && len(markers) == 1
	if err := v.mustBeEmpty(ctx, n, at, decides); err != nil {
		return err
	}
	if err := v.ensureMarker(ctx, dir); err != nil {
		return err
	}
	if n != nil {
		n.remember(o)
	}
	v.endJournaled()
	late := v.removeEmpty(ctx, markers, decides)
	if errors.Is(late, ErrNotEmpty) {
		return late
	}
	v.names.ForgetTree(at)
	if removalFailed(late) {
		return late
	}
	v.vacated(p, at, n, tree.Stamp{}) // a file whose name it had shows now
	dir.addSubdirs(-1)
	v.countRmdir(dir, n)
	return v.overtaken(at, late)
}

// markers returns what marks a directory, as far as it is known.
func (v *Volume) markers(at string, o object) []s3client.Version {
	list := []s3client.Version{{Key: v.keys.Dir(at), Any: whatever}}
	switch o.info.Key {
	case "":
	case list[0].Key:
		list[0].ETag = o.info.ETag
	default:
		list = append(list, s3client.Version{Key: o.info.Key, ETag: o.info.ETag, Any: whatever})
	}
	return list
}

// removeEmpty removes the markers of an empty directory. Where the service decides whether it is, nobody can put anything
// into it in between; one that does not take the request after all, as an older version of it, is asked as any other.
func (v *Volume) removeEmpty(ctx context.Context, markers []s3client.Version, decides bool) error {
	if decides {
		err := v.client.DeleteDirectory(ctx, markers[0].Key)
		switch {
		case errors.Is(err, s3client.ErrNotEmpty):
			return errors.Join(ErrNotEmpty, err)
		case notFound(err): // another client has removed it
			return errors.Join(ErrNotExist, err)
		case !errors.Is(err, s3client.ErrUnsupported):
			return err
		}
		if err := v.listedEmpty(ctx, markers[0].Key); err != nil {
			return err
		}
	}
	return s3client.DeleteVersions(ctx, v.opt.Client, markers...)
}

// mustBeEmpty says ErrNotEmpty if a directory holds anything; with decides, only of what need not be asked for.
func (v *Volume) mustBeEmpty(ctx context.Context, n *Inode, at string, decides bool) error {
	if n != nil && len(v.pendingIn(n)) > 0 {
		return ErrNotEmpty
	}
	if items, ok := v.sureChildren(at); ok {
		if len(items) > 0 {
			return ErrNotEmpty
		}
		return nil
	}
	if decides {
		return nil
	}
	return v.listedEmpty(ctx, v.keys.Dir(at))
}

// listedEmpty says ErrNotEmpty if two keys are below a directory, as one may be its marker. A marker with bytes is a file.
func (v *Volume) listedEmpty(ctx context.Context, key string) error {
	page, err := v.client.List(ctx, s3client.ListQuery{Prefix: key, MaxKeys: 2})
	if err != nil {
		return err
	}
	for _, info := range page.Objects {
		if info.Key != key || info.Size > 0 {
			return ErrNotEmpty
		}
	}
	return nil
}

// known returns what kind of thing is at a path. The attributes of a directory may be missing; those of a file say
// whether it is a name of one with several.
func (v *Volume) known(ctx context.Context, at string) (object, error) {
	o, state, _ := v.names.Get(at)
	if state != tree.Present || !o.dir && !o.full {
		var err error
		if o, _, err = v.resolve(ctx, at); err != nil {
			return o, err
		}
	}
	return o, v.settleOrigin(ctx, o)
}

// exists returns what a rename finds at a place; nil if nothing.
func (v *Volume) exists(ctx context.Context, p place, at string) (*object, error) {
	if n := v.child(p); n != nil && n.unsaved() && (v.table.IsPath(n.node, p.dir.node, p.name) || v.published.isUnheard(p)) {
		n.mu.Lock()
		defer n.mu.Unlock()
		o := n.mu.obj
		return &o, nil
	}
	if p.dir.alone() {
		return nil, nil
	}
	o, err := v.known(ctx, at)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &o, nil
}
