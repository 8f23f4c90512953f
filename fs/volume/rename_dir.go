package volume

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// renameDir renames a directory with all that is below it.
func (v *Volume) renameDir(ctx context.Context, mv *move) error {
	m := *mv
	if v.keys.Synthetic(m.from) {
		return ErrPermission
	}
	if err := nameError(v.keys.CheckDir(m.to)); err != nil {
		return err
	}
	if err := v.commitTarget(ctx, m.src.dir, m.dst.dir); err != nil {
		return err
	}
	for _, dir := range []*Inode{v.child(m.src), v.child(m.dst)} {
		if err := v.storeDir(ctx, dir); err != nil {
			return err
		}
	}
	o, _, err := v.resolve(ctx, m.from)
	if err == nil && !o.dir {
		err = ErrStale
	}
	if err != nil {
		return err
	}
	there, err := v.checkTarget(ctx, m)
	if err != nil {
		return err
	}
	n, target := v.inode(m.src, attr.Dir), v.child(m.dst)
	if err := v.commitBelow(ctx, n); err != nil {
		return err
	}
	v.endJournaled()
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	if m.src.dir != m.dst.dir {
		if err := v.ensureMarker(ctx, m.src.dir); err != nil {
			return err
		}
	}
	if target != nil && there != nil {
		target.remember(*there)
	}
	defer v.moving(n)()
	defer v.arriving(m.to)()
	left, err := v.moveDir(ctx, m, o, there)
	v.names.ForgetTree(m.from)
	v.names.ForgetTree(m.to)
	if err != nil {
		return err
	}
	v.presentAbove(m.to)
	v.dirMoved()
	n.mu.Lock()
	n.mu.renamed = v.opt.Now()
	n.mu.Unlock()
	v.replace(m, target)
	v.vacated(m.src, m.from, nil, tree.Stamp{}) // a file whose name it had shows now
	if left {
		v.names.ForgetTree(m.from) // there is a directory still, with what another client has stored
	} else {
		m.src.dir.addSubdirs(-1)
	}
	if there == nil {
		m.dst.dir.addSubdirs(1)
	}
	m.dst.dir.touch()
	for _, open := range v.openBelow(n) {
		v.follow(ctx, open)
	}
	return nil
}

// checkTarget says whether a directory may take the place of what has the new name.
func (v *Volume) checkTarget(ctx context.Context, m move) (there *object, err error) {
	if n := v.child(m.dst); !m.dst.dir.alone() && (n == nil || !n.unsaved()) && !v.caps.RenamePrefix {
		v.names.Forget(m.to) // the copies go over what is there
	}
	there, err = v.exists(ctx, m.dst, m.to)
	switch {
	case err != nil || there == nil:
		return nil, err
	case m.noReplace:
		return nil, ErrExist
	case !there.dir:
		return nil, ErrNotDir
	}
	if !there.full { // whether it has a marker is needed
		o, _, err := v.resolve(ctx, m.to)
		if err != nil {
			return nil, err
		}
		there = &o
	}
	return there, v.mustBeEmpty(ctx, v.child(m.dst), m.to, false)
}

// commitBelow stores everything below a directory that is not stored: directories before what is in them, and else several
// at once.
func (v *Volume) commitBelow(ctx context.Context, dir *Inode) error {
	byDepth := map[int][]*Inode{}
	for _, n := range v.openBelow(dir) {
		depth := math.MaxInt // files come last
		if path, err := n.path(); err == nil && n.isDir() {
			depth = strings.Count(path, "/")
		}
		if n.unsaved() {
			byDepth[depth] = append(byDepth[depth], n)
		}
	}
	for _, depth := range slices.Sorted(maps.Keys(byDepth)) {
		if err := v.commitAll(ctx, byDepth[depth]); err != nil {
			return err
		}
	}
	return nil
}

// commitAll stores inodes, several at once, until one of them fails.
func (v *Volume) commitAll(ctx context.Context, inodes []*Inode) error {
	work, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	work.SetLimit(v.opt.Parallel)
	for _, n := range inodes {
		work.Go(func() error {
			if failed.Err() != nil {
				return nil
			}
			wait, cancel := v.detached(ctx, 0)
			err := n.gate.lock(wait)
			cancel()
			if err != nil {
				return err
			}
			defer n.gate.unlock()
			err = v.commitWithin(ctx, n)
			n.closeContent() // of a closed file nothing is to be found after the rename
			return err
		})
	}
	return work.Wait()
}

// commitWithin is commitGated with the time that the content needs, also if the caller's is over.
func (v *Volume) commitWithin(ctx context.Context, n *Inode) error {
	ctx, cancel := v.detached(ctx, n.unsavedSize())
	defer cancel()
	return v.commitGated(ctx, n)
}

// moveDir moves all keys of a directory, for as long as that takes: every request has a deadline of its own. A marker in an
// old form is not below it, and becomes one in today's form. left is that of copyPrefix.
func (v *Volume) moveDir(ctx context.Context, m move, o object, there *object) (left bool, err error) {
	src, dst := v.keys.Dir(m.from), v.keys.Dir(m.to)
	left, err = v.movePrefix(ctx, dst, src, there == nil)
	if errors.Is(err, ErrNotExist) && o.info.Key != "" && o.info.Key != src {
		err = nil // only a marker in an old form
	}
	if err != nil {
		return left, err
	}
	var old []string
	if o.info.Key != "" && o.info.Key != src {
		opt := s3client.PutOptions{Meta: o.info.Meta}
		opt.System.ContentType = attr.TypeDirectory
		if err := v.putMarker(ctx, dst, opt); err != nil {
			return left, err
		}
		old = append(old, o.info.Key)
	}
	// The marker of the replaced directory has been overwritten, unless there was none to do it.
	if there != nil && there.info.Key != "" && (there.info.Key != dst || o.info.Key == "") {
		old = append(old, there.info.Key)
	}
	if len(old) > 0 {
		err = v.deleteKeys(ctx, old...)
	}
	return left, err
}

func (v *Volume) putMarker(ctx context.Context, key string, opt s3client.PutOptions) error {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	_, err := v.client.Put(ctx, key, emptyBody(), opt)
	return err
}

// movePrefix moves all keys below src, in one atomic request where the service can.
func (v *Volume) movePrefix(ctx context.Context, dst, src string, vacant bool) (left bool, err error) {
	if !v.caps.RenamePrefix {
		return v.copyPrefix(ctx, dst, src)
	}
	err = v.client.Rename(ctx, dst, src, s3client.RenameOptions{IfNoneMatch: vacant})
	switch {
	case notFound(err):
		return false, errors.Join(ErrNotExist, err)
	case errors.Is(err, s3client.ErrPrecondition):
		return false, errors.Join(ErrExist, err)
	}
	return false, err
}

// follow finds the content of an open file after a directory above it was renamed. A copy may have another ETag, so
// the service is asked; where that fails, reading says ErrStale. A directory that was made here and stored for the
// rename has nothing left to find, unless its attributes have been changed since.
func (v *Volume) follow(ctx context.Context, n *Inode) {
	at, err := n.path()
	if err != nil {
		return
	}
	key := v.keys.File(at)
	if n.isDir() {
		if n.closeContent(); !n.unsaved() {
			return
		}
		key = v.keys.Dir(at)
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	o, err := v.headObject(ctx, key)
	if err != nil {
		v.log.Warn("an open file was not found after its directory was renamed", "path", at, "error", err)
		v.detach(n, at, v.names.Begin())
		return
	}
	n.mu.Lock()
	c := n.mu.content
	same := c != nil && c.base.Size == o.info.Size && (c.base.ETag == o.info.ETag || !v.caps.RenamePrefix) // a copy's may differ
	n.mu.Unlock()
	if same {
		v.rebase(n, at, o, unchanged, tree.Stamp{})
	}
}
