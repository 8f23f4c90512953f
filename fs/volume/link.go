package volume

import (
	"bytes"
	"context"
	"errors"
	"time"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// Link gives a file of any kind but a directory a further name; package links says how they are kept. It is
// ErrPermission on a service that cannot compare versions, and ErrTooManyLinks from links.Max on. A file that was made
// without a name gets its first one on any service.
func (v *Volume) Link(ctx context.Context, n, dir *Inode, name string) (Stat, error) {
	if err := v.writable(); err != nil {
		return Stat{}, err
	}
	if n.unnamed() {
		if st, err := v.nameFirst(ctx, n, place{dir, name}); !errors.Is(err, errAgain) {
			return st, err
		}
	}
	if n.isDir() || !v.caps.ConditionalPut {
		return Stat{}, ErrPermission
	}
	const attempts = 4 // each but the last has met another client's change
	for i := 1; ; i++ {
		st, err := v.linkOnce(ctx, n, place{dir, name})
		if err == nil || i == attempts || !errors.Is(err, errAgain) {
			return st, err
		}
		if errors.Is(err, errClosed) {
			if err := v.finish(ctx, n); err != nil {
				return st, err
			}
		}
	}
}

// errAgain says that an operation met a change by another client and may be started over. errClosed does too, of a file
// that is to be a plain object.
var (
	errAgain  = errors.Join(errors.New("it has just changed"), ErrStale)
	errClosed = errors.Join(errors.New("it is becoming a plain object"), errAgain)
)

func (v *Volume) linkOnce(ctx context.Context, n *Inode, p place) (Stat, error) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	if err := v.settleInode(ctx, n); err != nil {
		return Stat{}, err
	}
	if !v.publishesLater(n, p.dir) {
		if err := v.commitAlone(ctx, p.dir); err != nil {
			return Stat{}, err
		}
	}
	at, unlock, err := v.lockLink(ctx, n, p)
	if err != nil {
		return Stat{}, err
	}
	done, err := v.publishLater(ctx, n, p, at, unlock)
	if !done && err == nil {
		err = v.commitTarget(ctx, p.dir)
	}
	if !done && err == nil && v.mayPublish(n) {
		done, err = v.publish(ctx, n, p, at, unlock)
	}
	switch {
	case done:
		return v.Getattr(ctx, n)
	case err != nil:
		unlock()
		return Stat{}, err
	}
	ptr, err := v.linkGated(ctx, n, p, at)
	unlock()
	if err != nil {
		if ptr != nil { // listed, but not made
			v.dropName(ctx, *ptr, v.keys.File(at))
		}
		return Stat{}, err
	}
	return v.Getattr(ctx, n)
}

// lockLink owns the path of a file and that of its new name, and takes the gate.
func (v *Volume) lockLink(ctx context.Context, n *Inode, p place) (at string, unlock func(), err error) {
	for {
		if at, err = v.childPath(p.dir, p.name); err != nil {
			return "", nil, err
		}
		home, err := n.path()
		if err != nil {
			return "", nil, ErrNotExist // removed: no name can be given to it any more
		}
		release, err := v.paths.own(ctx, at, home)
		if err != nil {
			return "", nil, err
		}
		if err := n.gate.lock(ctx); err != nil {
			release()
			return "", nil, err
		}
		unlock = func() { n.gate.unlock(); release() }
		nowAt, err := v.childPath(p.dir, p.name)
		if now, _ := n.path(); err == nil && nowAt == at && now == home {
			return at, unlock, nil
		}
		unlock()
	}
}

// linkable returns the path of a file that may get a further name.
func (v *Volume) linkable(ctx context.Context, n *Inode, p place, at string) (home string, err error) {
	if home, err = n.path(); err != nil {
		return "", ErrNotExist
	}
	if err := nameError(v.keys.CheckFile(at)); err != nil {
		return "", err
	}
	if err := v.mustBeAbsent(ctx, p, at, false); err != nil {
		return "", err
	}
	for _, name := range []string{home, at} {
		if _, clash := v.keys.ClashAlias(name); clash {
			return "", ErrPermission // a name of a name
		}
	}
	return home, nil
}

// linkGated makes a name. With an error it may return a pointer, which is in the list and has to be taken off.
func (v *Volume) linkGated(ctx context.Context, n *Inode, p place, at string) (*links.Pointer, error) {
	home, err := v.linkable(ctx, n, p, at)
	if err != nil {
		return nil, err
	}
	done, err := v.commitStill(ctx, n)
	if err != nil {
		return nil, err
	}
	defer done()
	var ptr links.Pointer
	if _, _, shared := links.ParseInode(home); shared {
		ptr, err = v.listName(ctx, n, home, at)
	} else {
		ptr, err = v.share(ctx, n, home, at)
	}
	if err != nil {
		return nil, err
	}
	if err := v.makeName(ctx, n, p, at, ptr); err != nil {
		if !refused(err) {
			return nil, err // it may be there, or come to be
		}
		return &ptr, err
	}
	return nil, nil
}

// listName adds a name to the list of a file that has several, and stores the count.
func (v *Volume) listName(ctx context.Context, n *Inode, home, at string) (links.Pointer, error) {
	ptr := links.Pointer{Key: v.keys.File(home), Name: links.NewName()}
	names, err := v.changeNames(ctx, ptr, func(l *links.Names) error {
		switch {
		case len(l.Keys) == 0:
			return ErrNotExist
		case l.Closed:
			return errClosed
		case len(l.Keys) >= links.Max:
			return ErrTooManyLinks
		}
		l.Keys[ptr.Name] = v.keys.File(at)
		return nil
	})
	if err != nil {
		return ptr, err
	}
	return ptr, v.count(ctx, n, len(names.Keys))
}

// count stores the number of names.
func (v *Volume) count(ctx context.Context, n *Inode, names int) error {
	_, err := v.changeGated(ctx, n, func(a *attr.Attr) error {
		a.Links, a.Ctime = uint32(names), v.opt.Now()
		return nil
	})
	return err
}

// share makes a file one with several names: the one that it has becomes a pointer. It returns the second, which is
// listed.
func (v *Volume) share(ctx context.Context, n *Inode, home, at string) (second links.Pointer, err error) {
	o, err := v.current(ctx, n)
	if err != nil {
		return second, err
	}
	if o.view || v.keys.Synthetic(home) {
		return second, ErrPermission
	}
	if v.isPointer(o) {
		v.names.Forget(home)
		return second, ErrStale // it has got several names meanwhile: the next lookup finds the file
	}
	if !o.sys {
		if o, err = v.headObject(ctx, o.info.Key); err != nil {
			return second, err
		}
	}
	to := links.Inode(links.NewID(n.Ino()))
	first := links.Pointer{Key: v.keys.File(to), Name: links.NewName()}
	second = links.Pointer{Key: first.Key, Name: links.NewName()}
	list := links.Names{Keys: map[string]string{first.Name: v.keys.File(home), second.Name: v.keys.File(at)}}
	made := []string{first.Key, first.List()}
	if _, err := v.client.Put(ctx, first.List(), bytes.NewReader(list.Encode()), s3client.PutOptions{IfNoneMatch: true}); err != nil {
		v.sweep(ctx, err, made[1:])
		return second, err
	}
	moved, err := v.copyToShare(ctx, first.Key, o)
	if err != nil {
		v.sweep(ctx, err, made)
		return second, v.unmade(home, err)
	}
	name, err := v.putPointer(ctx, v.keys.File(home), first, o, s3client.PutOptions{IfMatch: o.info.ETag})
	if err != nil {
		// An earlier attempt of the request may still be on its way, whatever this one was told, and the name would lead to
		// what was made: fsck removes that when nothing has come of it.
		return second, v.unmade(home, err)
	}
	there := v.placeOf(to)
	v.table.Share(n.node, there.dir.node, there.name)
	v.rebaseFrom(n, to, moved, o.info.ETag, tree.Stamp{})
	n.mu.Lock()
	n.mu.obj.attr.Links = moved.attr.Links
	n.mu.Unlock()
	v.names.Set(home, name, tree.Stamp{})
	return second, nil
}

func (v *Volume) copyToShare(ctx context.Context, key string, o object) (object, error) {
	n := o
	n.attr.Links, n.attr.Ctime = 2, v.opt.Now()
	opt := s3client.CopyOptions{
		Replace: true, Meta: attr.Encode(n.attr, o.info.Meta), System: o.info.System,
		SrcIfMatch: o.info.ETag,
	}
	info, err := v.copyObject(ctx, key, o.info, opt)
	info.Key, info.Size, info.Meta, info.System = key, o.info.Size, opt.Meta, opt.System
	n.info, n.at, n.full, n.sys = info, v.opt.Now(), true, true
	return n, err
}

// sweepFor is how long the removal of what is of no use may hold up the failure that it comes from.
const sweepFor = 10 * time.Second

// sweep removes what was, or may have been, made for a file that could not be given a second name, and to which nothing
// leads. What a service that is away keeps of it is found by fsck.
func (v *Volume) sweep(ctx context.Context, cause error, keys []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepFor)
	defer cancel()
	if err := v.client.Delete(ctx, keys...); err != nil {
		v.log.Warn("what was made for a hard link may be left behind", "keys", keys, "cause", cause, "error", err)
	}
}

// unmade says what became of a file that could not be given a second name.
func (v *Volume) unmade(home string, err error) error {
	v.names.Forget(home)
	if errors.Is(err, s3client.ErrPrecondition) || notFound(err) {
		err = errors.Join(errAgain, err)
	}
	return err
}

var errUnsure = errors.New("it is not known whether that was done")

// refused reports whether an error says for certain that nothing was changed.
func refused(err error) bool {
	return !errors.Is(err, errUnsure) && (errors.Is(err, s3client.ErrPrecondition) || errors.Is(err, s3client.ErrAccess) || notFound(err))
}

// makeName makes a name that is listed.
func (v *Volume) makeName(ctx context.Context, n *Inode, p place, at string, ptr links.Pointer) error {
	o, err := v.current(ctx, n)
	if err != nil {
		return err
	}
	name, err := v.putPointer(ctx, v.keys.File(at), ptr, o, s3client.PutOptions{IfNoneMatch: true})
	if err != nil {
		v.names.Forget(at)
		if errors.Is(err, s3client.ErrPrecondition) {
			err = errors.Join(ErrExist, err)
		}
		return err
	}
	v.table.Link(n.node, p.dir.node, p.name)
	v.present(at, name, tree.Stamp{})
	p.dir.touch()
	return nil
}

// putPointer stores a name of the file o. It tells its type to those who list it. A refusal may be due to an attempt whose
// answer got lost: then the name is there, and nobody else's, as its pointer has a name of its own.
func (v *Volume) putPointer(ctx context.Context, key string, ptr links.Pointer, o object, opt s3client.PutOptions) (object, error) {
	a := o.attr
	a.Xattrs, a.Links, a.LinkTarget = nil, 0, ""
	opt.Meta = ptr.Meta(attr.Encode(a, nil))
	opt.System.ContentType = "text/plain; charset=utf-8"
	info, err := v.client.Put(ctx, key, bytes.NewReader(ptr.Body()), opt)
	if err != nil {
		there, headErr := v.client.Head(ctx, key)
		made, ok := links.ParsePointer(there.Meta)
		switch {
		case headErr == nil && ok && made == ptr:
			info, err = there, nil
		case headErr != nil && !notFound(headErr):
			err = errors.Join(err, headErr, errUnsure)
		}
	}
	info.Key, info.Size, info.Meta, info.System = key, int64(len(ptr.Body())), opt.Meta, opt.System
	return object{info: info, attr: a, full: true, sys: true, at: v.opt.Now()}, err
}

// pointer returns where the name o leads to; ok is false where it is no name of a file with several.
func (o object) pointer() (ptr links.Pointer, ok bool) {
	if isBare(o) {
		return ptr, false
	}
	return links.ParsePointer(o.info.Meta)
}

// hidden reports whether a name is where shared files are kept.
func (v *Volume) hidden(dir *Inode, name string) bool { return name == links.Hidden && dir == v.Root() }
