package volume

import (
	"context"
	"errors"
	"fmt"

	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// move is a rename on its way.
type move struct {
	src, dst  place
	from, to  string // paths
	noReplace bool
	began     tree.Stamp
	known     tree.Stamp    // of what is moved, as for present
	version   s3client.ETag // that was moved
	left      bool          // another client has made the old name anew

	name, over *links.Pointer // what is moved, and what it replaces, where these are names of files with several
}

// Rename gives a file or directory another name. What had that name is replaced, if the types allow it; its open
// handles go on as after Unlink. Where the service can rename, it is one atomic request; else a copy and a removal.
func (v *Volume) Rename(ctx context.Context, fromDir *Inode, fromName string, toDir *Inode, toName string, flags RenameFlags) error {
	if err := v.writable(); err != nil {
		return err
	}
	m := move{src: place{fromDir, fromName}, dst: place{toDir, toName}, noReplace: flags.NoReplace, began: v.names.Begin()}
	if flags.Exchange {
		return v.exchange(ctx, m)
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	from, err := v.childPath(fromDir, fromName)
	if err != nil {
		return err
	}
	o, err := v.exists(ctx, m.src, from)
	switch {
	case err != nil:
		return err
	case o == nil:
		return ErrNotExist
	case o.view:
		return ErrPermission
	}
	lock, rename := v.paths.own, v.renameFile
	if o.dir {
		lock, rename = v.paths.exclude, v.renameDir
	}
	paths, unlock, err := v.lockPlaces(ctx, lock, m.src, m.dst)
	if err != nil {
		return err
	}
	m.from, m.to = paths[0], paths[1]
	switch {
	case m.from == m.to && m.noReplace:
		err = ErrExist
	case m.from == m.to:
	case below(m.to, m.from) && o.dir:
		err = ErrInvalid
	case below(m.to, m.from):
		err = ErrNotDir
	default:
		err = rename(ctx, &m)
	}
	unlock()
	if err == nil {
		v.renamedNames(ctx, m)
	}
	return err
}

func (v *Volume) renameFile(ctx context.Context, m *move) error {
	if err := nameError(v.keys.CheckFile(m.to)); err != nil {
		return err
	}
	n, target, open, err := v.lockRenamed(ctx, m)
	if err != nil || n == target {
		return err
	}
	defer open()
	if done, err := v.renameLater(ctx, m, n, target); done || err != nil {
		return err
	}
	if err := v.commitTarget(ctx, m.src.dir, m.dst.dir); err != nil {
		return err
	}
	done, err := v.commitStill(ctx, n)
	if err != nil {
		return err
	}
	defer done()
	gone := target // with its file
	if m.over != nil {
		gone = nil
	}
	if gone != nil && v.opt.Journal != nil && !v.caps.ConditionalPut { // what it has in the journal might be sent later
		done, err := v.commitStill(ctx, gone)
		if err != nil {
			return err
		}
		defer done()
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	if m.src.dir != m.dst.dir {
		if err := v.ensureMarker(ctx, m.src.dir); err != nil {
			return err
		}
	}
	stay := func() {}
	if gone != nil {
		if stay, err = v.leave(ctx, gone); err != nil {
			return err
		}
	}
	if m.name == nil {
		defer v.moving(n)()
	}
	defer v.arriving(m.to)()
	o, err := v.moveObject(ctx, m)
	if err != nil {
		stay()
		v.names.Forget(m.from)
		v.names.Forget(m.to)
		return err
	}
	if gone != nil {
		defer v.endNaming(ctx, gone, m.to)()
	}
	v.moved(*m, n, target, o)
	if m.left {
		v.names.Forget(m.from)
	}
	return nil
}

// lockRenamed is renamed with the gates of both inodes, so that they keep their names; with none if they are one.
func (v *Volume) lockRenamed(ctx context.Context, m *move) (n, target *Inode, open func(), err error) {
	const attempts = 8 // each but the last has met another client's change
	for range attempts {
		if n, target, err = v.renamed(ctx, m); err != nil || n == target {
			return n, target, nil, err
		}
		if open, err = lockGates(ctx, n, target); err != nil {
			return nil, nil, nil, err
		}
		if v.child(m.src) == n && (target == nil || v.child(m.dst) == target) {
			return n, target, open, nil
		}
		open()
	}
	return nil, nil, nil, fmt.Errorf("%w: it keeps changing", ErrStale)
}

// renamed returns the inode of a file that is to be renamed, and the one that has the new name, if any. Both are in the
// table from now on, so that nobody opens the files by others. They are one where both names are of one file: then there
// is nothing to do (rename(2)).
func (v *Volume) renamed(ctx context.Context, m *move) (n, target *Inode, err error) {
	m.name, m.over = nil, nil
	src, err := v.exists(ctx, m.src, m.from)
	switch {
	case err != nil:
		return nil, nil, err
	case src == nil:
		return nil, nil, ErrNotExist
	case src.dir:
		return nil, nil, ErrStale // since it was looked at first
	}
	if ptr, ok := v.pointer(*src); ok {
		m.name = &ptr
	}
	dst, err := v.exists(ctx, m.dst, m.to)
	switch {
	case err != nil:
		return nil, nil, err
	case dst == nil:
		n, err = v.named(ctx, m.src, src)
		return n, nil, err
	case m.noReplace:
		return nil, nil, ErrExist
	case dst.dir:
		return nil, nil, ErrIsDir
	case dst.view:
		return nil, nil, ErrPermission
	}
	if ptr, ok := v.pointer(*dst); ok {
		m.over = &ptr
	}
	if n, err = v.named(ctx, m.src, src); err == nil {
		target, err = v.named(ctx, m.dst, dst)
	}
	if n == target {
		m.name, m.over = nil, nil
	}
	return n, target, err
}

// moveObject moves whatever version of the file is there.
func (v *Volume) moveObject(ctx context.Context, m *move) (object, error) {
	const attempts = 4 // each but the last has lost to another client
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	for i := 1; ; i++ {
		o, err := v.known(ctx, m.from)
		if err != nil {
			return object{}, err
		}
		if o.dir || v.isPointer(o) != (m.name != nil) {
			return object{}, ErrStale
		}
		if m.name != nil && !v.caps.RenameObject {
			if err := v.noteName(ctx, *m.name, o.info.Key, v.keys.File(m.to)); err != nil {
				return object{}, err
			}
		}
		m.known = tree.Stamp{} // what is moved may be another state of it
		under, _ := v.leaseGranted(tree.Dir(m.from))
		sure, state, s := v.sure(m.from)
		if state == tree.Present && sure.full {
			o, m.known = sure, s
		}
		m.version = o.info.ETag
		o.info, m.left, err = v.moveVersion(ctx, v.keys.File(m.to), o.info, m.noReplace)
		if err == nil {
			if !v.reliedOn(m.from, under) { // what assured it ended meanwhile, perhaps before the service moved it
				m.known = tree.Stamp{}
			}
			return o, nil
		}
		if m.noReplace && errors.Is(err, s3client.ErrPrecondition) {
			if there, _ := v.headMaybe(ctx, v.keys.File(m.to)); there != nil {
				return object{}, errors.Join(ErrExist, err)
			}
		}
		if i == attempts || !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
			return object{}, err
		}
		v.names.Forget(m.from)
	}
}

// moveVersion moves one version of an object to another key.
func (v *Volume) moveVersion(ctx context.Context, dst string, src s3client.ObjectInfo, noReplace bool) (_ s3client.ObjectInfo, left bool, err error) {
	noReplace = noReplace && v.caps.ConditionalPut
	if v.caps.RenameObject {
		err := v.client.Rename(ctx, dst, src.Key, s3client.RenameOptions{SrcIfMatch: src.ETag, IfNoneMatch: noReplace})
		if notFound(err) { // perhaps done already, and the answer got lost
			if there, headErr := v.client.Head(ctx, dst); headErr == nil && there.ETag == src.ETag {
				err = nil
			}
		}
		src.Key = dst
		return src, false, err
	}
	info, err := v.copyObject(ctx, dst, src, s3client.CopyOptions{SrcIfMatch: src.ETag, IfNoneMatch: noReplace})
	if err != nil {
		return info, false, err
	}
	err = v.deleteVersions(ctx, v.expected(src.Key, src.ETag))
	if left = errors.Is(err, s3client.ErrPrecondition); err != nil && !left {
		return info, false, fmt.Errorf("%q is there, but %q could not be removed: %w", dst, src.Key, err)
	}
	src.Key, src.ETag, src.LastModified = dst, info.ETag, info.LastModified
	return src, left, nil
}

// moved brings inodes and cache up to date after the object of a file has moved.
func (v *Volume) moved(m move, n, target *Inode, o object) {
	n.mu.Lock()
	n.mu.stamp = v.names.Begin() // what was asked about the other file of the new name is not about n
	n.mu.renamed = v.opt.Now()
	n.mu.Unlock()
	v.replace(m, target)
	if m.name != nil {
		v.present(m.to, o, m.known)
	} else {
		v.rebaseFrom(n, m.to, o, m.version, m.known)
	}
	v.vacated(m.src, m.from, nil, m.began)
	m.dst.dir.touch()
}

// replace gives an inode its new name, and takes it from the one that had it.
func (v *Volume) replace(m move, target *Inode) {
	if old := v.table.Rename(m.src.dir.node, m.src.name, m.dst.dir.node, m.dst.name); old != nil && old.Value() != target {
		v.removed(old.Value()) // looked up meanwhile
	}
	if target != nil && m.over == nil {
		v.removed(target)
	}
}

// renamedNames brings the lists of names up to date after a rename.
func (v *Volume) renamedNames(ctx context.Context, m move) {
	if m.over != nil {
		v.dropName(ctx, *m.over, v.keys.File(m.to))
	}
	if m.name != nil {
		v.arrived(ctx, *m.name, m.from, m.to)
	}
}

// arrived notes in the list of a file's names that one has moved.
func (v *Volume) arrived(ctx context.Context, name links.Pointer, from, to string) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	_, err := v.changeNames(ctx, name, func(list *links.Names) error {
		if _, ok := list.Keys[name.Name]; ok {
			list.Arrived(name.Name, v.keys.File(from), v.keys.File(to))
		}
		return nil
	})
	if err != nil {
		v.log.Warn("the list of a file's names has an old one", "list", name.List(), "error", err)
	}
}

// deleteKeys removes keys, with a deadline of its own.
func (v *Volume) deleteKeys(ctx context.Context, keys ...string) error {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	return v.client.Delete(ctx, keys...)
}

// expected is the version of a key that a removal is about, where the service can tell it from another.
func (v *Volume) expected(key string, tag s3client.ETag) s3client.Version {
	if !v.caps.ConditionalPut {
		tag = ""
	}
	return s3client.Version{Key: key, ETag: tag}
}

// deleteVersions is deleteKeys for versions of keys.
func (v *Volume) deleteVersions(ctx context.Context, list ...s3client.Version) error {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	return s3client.DeleteVersions(ctx, v.opt.Client, list...)
}
