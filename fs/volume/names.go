package volume

import (
	"bytes"
	"context"
	"errors"
	"io"

	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// changeNames changes the list of a file's names, as often as another client is quicker. A list that is not there is
// ErrNotExist.
func (v *Volume) changeNames(ctx context.Context, ptr links.Pointer, fn func(*links.Names) error) (links.Names, error) {
	const attempts = 16
	for i := 1; ; i++ {
		list, tag, err := v.readNames(ctx, ptr)
		if err != nil {
			return list, err
		}
		if err := fn(&list); err != nil {
			return list, err
		}
		_, err = v.client.Put(ctx, ptr.List(), bytes.NewReader(list.Encode()), s3client.PutOptions{IfMatch: tag})
		if err == nil || i == attempts || !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
			return list, err
		}
	}
}

func (v *Volume) readNames(ctx context.Context, ptr links.Pointer) (list links.Names, tag s3client.ETag, err error) {
	got, err := v.client.Get(ctx, ptr.List(), s3client.GetOptions{})
	if notFound(err) {
		return list, "", errors.Join(ErrNotExist, err)
	}
	if err != nil {
		return list, "", err
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, links.MaxList))
	if closeErr := got.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return list, "", err
	}
	list, err = links.ParseNames(body)
	return list, got.Info.ETag, err
}

// dropNameNow takes a name that is gone off its file's list, and brings the file up to date with that; also if an earlier
// attempt has come as far as the list.
func (v *Volume) dropNameNow(ctx context.Context, ptr links.Pointer, key string) error {
	if err := v.finishFile(ctx, v.homeOf(ptr)); err != nil {
		return err
	}
	n, err := v.shared(ctx, ptr)
	if err != nil {
		return err
	}
	unlock, err := v.lockInode(ctx, n)
	if err != nil {
		return err
	}
	list, left, err := v.unlist(ctx, ptr, key)
	switch {
	case err != nil:
	case len(list.Keys) == 0:
		err = v.removeShared(ctx, n, ptr)
	case left == "":
		err = v.recount(ctx, n, len(list.Keys))
	}
	unlock()
	if err == nil && left != "" {
		return v.unshare(ctx, n, ptr, list, left)
	}
	return err
}

// unlist takes a name off the list; left is the only one that is left, if there is one: then the list is closed. A name
// that is still somewhere else stays: it was copied, and the copy is what was removed. One that is not listed any more is
// as good.
func (v *Volume) unlist(ctx context.Context, ptr links.Pointer, key string) (list links.Names, left string, err error) {
	list, err = v.changeNames(ctx, ptr, func(l *links.Names) error {
		if _, ok := l.Keys[ptr.Name]; !ok {
			return errUnlisted
		}
		if v.elsewhere(ctx, l, ptr, key) {
			return ErrExist
		}
		delete(l.Keys, ptr.Name)
		delete(l.Copies, ptr.Name)
		left = ""
		for name := range l.Keys {
			if len(l.Keys) == 1 && !v.elsewhere(ctx, l, links.Pointer{Key: ptr.Key, Name: name}, l.Keys[name]) {
				l.Closed, l.Origins, left = true, true, name
			}
		}
		return nil
	})
	if errors.Is(err, errUnlisted) {
		for name := range list.Keys {
			if list.Closed {
				left = name
			}
		}
		err = nil
	}
	return list, left, err
}

var errUnlisted = errors.New("the name is not in the list")

// recount stores the number of names, if it is another one than is stored.
func (v *Volume) recount(ctx context.Context, n *Inode, names int) error {
	if st, err := v.Getattr(ctx, n); err != nil || st.Nlink == uint32(names) {
		return err
	}
	return v.count(ctx, n, names)
}

// What may be where a name should be. A copy of the file that says whose it is (links.Origin) is its name.
const (
	nothing = iota
	anotherObject
	thisName
)

// whatIs tells what the key of a name has.
func (v *Volume) whatIs(ctx context.Context, key string, ptr links.Pointer) (int, s3client.ObjectInfo, error) {
	info, err := v.client.Head(ctx, key)
	switch there, ok := links.ParseName(info.Meta); {
	case notFound(err):
		return nothing, info, nil
	case err != nil:
		return nothing, info, err
	case ok && there == ptr:
		return thisName, info, nil
	}
	return anotherObject, info, nil
}

// removeShared removes a file that has no name any more. Who has it open goes on using it.
func (v *Volume) removeShared(ctx context.Context, n *Inode, ptr links.Pointer) error {
	stay, err := v.leave(ctx, n)
	if err != nil {
		return err
	}
	v.endJournaled()
	home, _ := v.table.Path(n.node)
	if err := v.deleteKeys(ctx, ptr.Key, ptr.List()); err != nil {
		stay()
		v.names.Forget(home)
		return err
	}
	v.removed(n)
	v.names.SetAbsent(home, tree.Stamp{})
	return nil
}

// finish goes on with what a mount that has closed a list did not come to.
func (v *Volume) finish(ctx context.Context, n *Inode) error {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	home, _ := v.table.Path(n.node)
	ptr := links.Pointer{Key: v.keys.File(home)}
	list, err := v.listToFinish(ctx, n, ptr)
	if err != nil || !list.Closed {
		return err
	}
	for name := range list.Keys {
		return v.unshare(ctx, n, ptr, list, name)
	}
	return ErrNotExist
}

// listToFinish reads the list of a file that may be going back. Where another mount has come to another end, as it has opened the
// list again or removed the last name, it is not going back any more. The gate is held, as this mount closes no list without it.
func (v *Volume) listToFinish(ctx context.Context, n *Inode, ptr links.Pointer) (links.Names, error) {
	if err := n.gate.lock(ctx); err != nil {
		return links.Names{}, err
	}
	defer n.gate.unlock()
	list, _, err := v.readNames(ctx, ptr)
	if errors.Is(err, ErrNotExist) || err == nil && (!list.Closed || len(list.Keys) == 0) {
		v.back.end(n)
	}
	return list, err
}

// unshare makes a file whose only name is listed and closed a plain object under that name. Where the name is not there
// any more, as it or a directory above was renamed, or has no room for the metadata, the file stays as it is, and the list is
// opened again.
func (v *Volume) unshare(ctx context.Context, n *Inode, ptr links.Pointer, list links.Names, name string) error {
	at, _, _ := v.keys.Path(list.Keys[name])
	home, _ := v.table.Path(n.node)
	release, err := v.paths.own(ctx, at, home)
	if err != nil {
		return err
	}
	defer release()
	if err := n.gate.lock(ctx); err != nil {
		return err
	}
	defer n.gate.unlock()
	if now, err := n.path(); err != nil || now != home {
		return err // somebody else has done it
	}
	ptr.Name = name
	if at == "" {
		return v.reopen(ctx, n, ptr)
	}
	still := v.commitStill
	if v.back.holds(n) { // it may be where nothing can be committed to any more
		still = v.keepStill
	}
	done, err := still(ctx, n)
	if err != nil {
		return err
	}
	defer done()
	moved := v.moving(n)
	o, from, err := v.moveBack(ctx, n, ptr, list.Keys[name])
	if o.full {
		v.returned.add(ptr.ID())
		there := v.placeOf(at)
		v.table.Unshare(n.node, there.dir.node, there.name)
		v.movedBack(n, at, o, from)
		v.names.SetAbsent(home, tree.Stamp{})
	}
	moved()
	stays := errors.Is(err, errNoName) || errors.Is(err, errNoRoom)
	if o.full || stays || errors.Is(err, ErrStale) && !errors.Is(err, errAgain) {
		v.back.end(n)
	}
	switch {
	case stays:
		return v.reopen(ctx, n, ptr)
	case err != nil:
		v.names.Forget(at)
		return err
	}
	return v.deleteKeys(ctx, ptr.Key, ptr.List())
}

// reopen lets a file with one name get others again.
func (v *Volume) reopen(ctx context.Context, n *Inode, ptr links.Pointer) error {
	list, err := v.changeNames(ctx, ptr, func(l *links.Names) error {
		l.Closed = false
		return nil
	})
	if err != nil {
		return err
	}
	return v.count(ctx, n, len(list.Keys))
}

// shared returns the inode of a file with several names.
func (v *Volume) shared(ctx context.Context, ptr links.Pointer) (*Inode, error) {
	home, _, ok := v.keys.Path(ptr.Key)
	if !ok {
		return nil, ErrCrossDevice
	}
	o, s, err := v.resolve(ctx, home)
	if err != nil {
		return nil, err
	}
	return v.sharedInode(home, o, s)
}

// inodeOf returns the inode that has a path. It may be of another type.
func (v *Volume) inodeOf(at string, typ uint32) *Inode {
	p := v.placeOf(at)
	if _, id, shared := links.ParseInode(at); shared {
		return v.table.AddAs(p.dir.node, p.name, links.Number(id), v.makeInode(typ)).Value()
	}
	return v.inode(p, typ)
}

func (v *Volume) sharedInode(home string, o object, s tree.Stamp) (*Inode, error) {
	n := v.inodeOf(home, typeOf(o))
	if n.typ != typeOf(o) {
		return nil, ErrStale
	}
	n.adopt(o, s)
	return n, nil
}

// lookupShared returns the file that a name leads to; errAgain if the name has changed meanwhile. A name that leads
// nowhere is a file that cannot be opened.
func (v *Volume) lookupShared(ctx context.Context, p place, at string, name object, s tree.Stamp) (*Inode, Stat, error) {
	ptr, _ := v.pointer(name)
	home := v.homeOf(ptr)
	if err := v.settleOrigin(ctx, name); err != nil {
		return nil, Stat{}, err
	}
	if !v.isPointer(name) { // the file has come back to it
		return nil, Stat{}, errAgain
	}
	o, t, err := v.resolve(ctx, home)
	if errors.Is(err, ErrNotExist) { // removed, or a plain object again
		now, t, err := v.fetch(ctx, at)
		if err != nil {
			return nil, Stat{}, err
		}
		if there, ok := v.pointer(now); !ok || there != ptr {
			return nil, Stat{}, errAgain
		}
		return v.lookupBroken(p, at, now, t)
	}
	if err != nil {
		return nil, Stat{}, err
	}
	n, err := v.sharedInode(home, o, t)
	if err != nil {
		return nil, Stat{}, err
	}
	if !v.linkFound(n, p) {
		return nil, Stat{}, errAgain
	}
	if state, t := v.names.State(at); s.Before(t) && (state == tree.Absent || state == tree.WasAbsent) {
		v.table.Unlink(p.dir.node, p.name)
		return nil, Stat{}, errAgain
	}
	if st, ok := n.localStat(); ok {
		return n, st, nil
	}
	return n, v.stat(n, o), nil
}

// linkFound gives a file a further name that was found to lead to it. It reports false where a file was made there since.
func (v *Volume) linkFound(n *Inode, p place) bool {
	old := v.child(p)
	if old == nil || old == n {
		return v.table.LinkOver(n.node, p.dir.node, p.name, nodeOf(old))
	}
	old.mu.Lock()
	defer old.unlock()
	path := v.table.IsPath(old.node, p.dir.node, p.name)
	if path && old.unsavedLocked() || !v.table.LinkOver(n.node, p.dir.node, p.name, old.node) {
		return false
	}
	if path {
		old.abandonLocked()
	}
	return true
}

func (v *Volume) lookupBroken(p place, at string, name object, s tree.Stamp) (*Inode, Stat, error) {
	n := v.found(p, at, name, s)
	if n == nil {
		return nil, Stat{}, errAgain
	}
	return n, v.stat(n, name), nil
}

// leadsElsewhere reports whether o is a name of a file that is kept elsewhere, and that is there.
func (v *Volume) leadsElsewhere(ctx context.Context, o object) bool {
	if isOrigin(o) {
		err := v.settleOrigin(ctx, o)
		return err != nil || v.isPointer(o)
	}
	ptr, ok := o.pointer()
	if !ok {
		return false
	}
	_, _, err := v.resolve(ctx, v.homeOf(ptr))
	return !errors.Is(err, ErrNotExist)
}

// homeOf returns the path of the file that a name leads to. Where that is outside of what is mounted, the directory that is
// mounted may have been renamed, and the file with it.
func (v *Volume) homeOf(ptr links.Pointer) string {
	if home, _, ok := v.keys.Path(ptr.Key); ok {
		return home
	}
	return links.Inode(ptr.ID())
}

// named returns the inode of a name that o was found at.
func (v *Volume) named(ctx context.Context, p place, o *object) (*Inode, error) {
	if !v.isPointer(*o) {
		return v.inode(p, o.mode()), nil
	}
	n, _, err := v.Lookup(ctx, p.dir, p.name)
	return n, err
}
