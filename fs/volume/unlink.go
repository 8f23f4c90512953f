package volume

import (
	"context"
	"errors"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// Unlink removes a file: one DELETE. Its open handles go on reading and writing: what of it is only on the service is
// fetched first.
func (v *Volume) Unlink(ctx context.Context, dir *Inode, name string) error {
	if err := v.writable(); err != nil {
		return err
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	p := place{dir, name}
	paths, unlock, err := v.lockPlaces(ctx, v.paths.share, p)
	if err != nil {
		return err
	}
	defer unlock()
	at, n := paths[0], v.child(p)
	if err := v.checkUnlink(ctx, n, at); err != nil {
		return err
	}
	open, err := lockGates(ctx, n)
	if err != nil {
		return err
	}
	defer open()
	return v.unlinkGated(ctx, dir, n, at)
}

// checkUnlink says why there is no file to remove. Of a live inode the type is known.
func (v *Volume) checkUnlink(ctx context.Context, n *Inode, at string) error {
	if _, ok := v.keys.MarkerContent(at); ok {
		return ErrPermission // it lives and dies with the directory
	}
	typ := uint32(0)
	if n != nil {
		typ = n.typ
	} else {
		o, _, err := v.resolve(ctx, at)
		if err != nil {
			return err
		}
		typ = typeOf(o)
	}
	if typ == attr.Dir {
		return ErrIsDir
	}
	return nil
}

func (v *Volume) unlinkGated(ctx context.Context, dir, n *Inode, at string) error {
	if n == nil || !n.pending() {
		if err := v.ensureMarker(ctx, dir); err != nil {
			return err
		}
		stay, err := v.leave(ctx, n)
		if err != nil {
			return err
		}
		if err := v.client.Delete(ctx, v.keys.File(at)); err != nil {
			stay()
			v.names.Forget(at)
			return err
		}
		v.names.PutAbsent(at, v.names.Begin())
	}
	v.removed(n)
	dir.touch()
	return nil
}

// leave prepares an inode for the removal of its object: content that is in use becomes local, and opens wait. stay
// undoes that.
func (v *Volume) leave(ctx context.Context, n *Inode) (stay func(), err error) {
	if n == nil {
		return func() {}, nil
	}
	if at, err := n.path(); err == nil {
		o, _, _ := v.names.Get(at)
		n.remember(o)
	}
	set := func(leaving bool) (c *content, used bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.mu.leaving = leaving
		return n.mu.content, n.mu.content != nil && n.mu.content.handles > 0
	}
	stay = func() { set(false) }
	if c, used := set(true); used {
		n.mu.Lock()
		size := c.size()
		n.mu.Unlock()
		ctx, cancel := v.detached(ctx, size)
		defer cancel()
		if err := v.localize(ctx, n, c); err != nil {
			stay()
			return nil, readError(err)
		}
	}
	return stay, nil
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
	if n == nil {
		return
	}
	n.mu.Lock()
	n.mu.removed, n.mu.leaving, n.mu.dirty = true, false, false
	n.mu.stamp = v.names.Begin()
	n.mu.obj.attr.Ctime = v.opt.Now()
	n.mu.Unlock()
	v.table.Remove(n.node)
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
	o, _, err := v.resolve(ctx, at)
	switch {
	case n != nil && n.unsaved(), err == nil && !o.dir:
		return ErrNotDir
	case err != nil:
		return err
	case v.keys.Synthetic(at):
		return ErrPermission
	}
	if err := v.mustBeEmpty(ctx, n, at); err != nil {
		return err
	}
	if err := v.ensureMarker(ctx, dir); err != nil {
		return err
	}
	if n != nil {
		n.remember(o)
	}
	if err := v.client.Delete(ctx, v.markers(at, o)...); err != nil {
		v.names.ForgetTree(at)
		return err
	}
	v.names.ForgetTree(at)
	v.names.PutAbsent(at, v.names.Begin())
	v.removed(n)
	dir.touch()
	return nil
}

// markers returns the keys that mark a directory.
func (v *Volume) markers(at string, o object) []string {
	keys := []string{v.keys.Dir(at)}
	if o.info.Key != "" && o.info.Key != keys[0] {
		keys = append(keys, o.info.Key)
	}
	return keys
}

// mustBeEmpty says ErrNotEmpty if a directory holds anything: two keys below it show that, as one may be its marker.
// A marker with bytes is a file.
func (v *Volume) mustBeEmpty(ctx context.Context, n *Inode, at string) error {
	if n != nil && len(v.pendingIn(n)) > 0 {
		return ErrNotEmpty
	}
	page, err := v.client.List(ctx, s3client.ListQuery{Prefix: v.keys.Dir(at), MaxKeys: 2})
	if err != nil {
		return err
	}
	for _, info := range page.Objects {
		if info.Key != v.keys.Dir(at) || info.Size > 0 {
			return ErrNotEmpty
		}
	}
	return nil
}

// known returns what kind of thing is at a path. Its attributes may be missing.
func (v *Volume) known(ctx context.Context, at string) (object, error) {
	if o, state, _ := v.names.Get(at); state == tree.Present && o.mode() != 0 {
		return o, nil
	}
	o, _, err := v.resolve(ctx, at)
	return o, err
}

// exists returns what a rename finds at a place; nil if nothing.
func (v *Volume) exists(ctx context.Context, p place, at string) (*object, error) {
	if n := v.child(p); n != nil && n.unsaved() {
		n.mu.Lock()
		defer n.mu.Unlock()
		o := n.mu.obj
		return &o, nil
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
