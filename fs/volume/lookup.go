package volume

import (
	"context"
	"errors"

	"pail/fs/links"
	"pail/fs/tree"
)

// Lookup returns the inode of a name in a directory. Within the TTL it needs no request.
func (v *Volume) Lookup(ctx context.Context, dir *Inode, name string) (*Inode, Stat, error) {
	defer v.lookAhead(dir, name)()
	return v.lookup(ctx, dir, name)
}

func (v *Volume) lookup(ctx context.Context, dir *Inode, name string) (*Inode, Stat, error) {
	p := place{dir, name}
	if v.hidden(dir, name) {
		return nil, Stat{}, ErrNotExist
	}
	for {
		path, err := v.childPath(dir, name)
		if err != nil {
			return nil, Stat{}, err
		}
		if n, st, ok := v.lookupLocal(p); ok {
			return n, st, nil
		}
		if dir.alone() {
			return nil, Stat{}, ErrNotExist
		}
		o, s, err := v.resolve(ctx, path)
		if n, st, ok := v.lookupLocal(p); ok { // created meanwhile
			return n, st, nil
		}
		arriving := v.isArriving(path) // if it is over already, the path tells
		if now, _ := v.childPath(dir, name); now != path {
			continue // a directory above was renamed
		}
		if err == nil && arriving && v.child(p) == nil {
			if o.dir || !v.isArrivingAt(path) {
				return nil, Stat{}, ErrNotExist // not yet
			}
			unlock, err := v.paths.own(ctx, path) // there may have been another file all the time, which it replaces
			if err != nil {
				return nil, Stat{}, err
			}
			unlock()
			continue
		}
		if err == nil && v.isPointer(o) {
			n, st, err := v.lookupShared(ctx, p, path, o, s)
			if errors.Is(err, errAgain) {
				continue
			}
			return n, st, err
		}
		if err != nil {
			if n := v.child(p); n != nil && errors.Is(err, ErrNotExist) {
				v.detach(n, path, s)
			}
			return nil, Stat{}, err
		}
		if n := v.child(p); n != nil && v.isGoingBack(n, o) {
			if err := v.finishBack(ctx, n); err != nil {
				return nil, Stat{}, err
			}
		}
		if n := v.found(p, path, o, s); n != nil {
			v.bindAhead(path, n)
			return n, v.stat(n, o), nil
		}
		if n := v.child(p); n != nil && v.isMoving(n) { // whoever moves it holds what this waits for
			unlock, err := v.lockInode(ctx, n)
			if err != nil {
				return nil, Stat{}, err
			}
			unlock()
		}
	}
}

// found returns the inode of what was at a path when s was taken; nil if that is out of date.
func (v *Volume) found(p place, path string, o object, s tree.Stamp) *Inode {
	if pub := v.published.peek(p); pub != nil {
		return pub.n
	}
	if n := v.child(p); n != nil && v.isGoingBack(n, o) {
		return n
	}
	n := v.inodeAsOf(p, typeOf(o), s)
	if n == nil { // it is something else by now
		v.names.Forget(path)
		return nil
	}
	// A removal first says that the name is gone and then looks for such an inode: either it finds this one, or it is
	// seen here.
	if state, t := v.names.State(path); s.Before(t) && (state == tree.Absent || state == tree.WasAbsent) {
		return nil
	}
	n.adopt(o, s)
	return n
}

// lookupLocal finds a file with changes that only this mount knows.
func (v *Volume) lookupLocal(p place) (*Inode, Stat, bool) {
	n := v.child(p)
	if n == nil {
		return nil, Stat{}, false
	}
	st, ok := n.localStat()
	return n, st, ok
}

// Getattr returns the attributes of an inode.
func (v *Volume) Getattr(ctx context.Context, n *Inode) (Stat, error) {
	if st, ok := n.localStat(); ok {
		return st, nil
	}
	o, err := v.current(ctx, n)
	if err != nil {
		if st, ok := n.localStat(); ok { // removed meanwhile
			return st, nil
		}
		return Stat{}, err
	}
	return v.stat(n, o), nil
}

// localStat returns the attributes of an inode that only this mount knows: one with changes that are not stored, or
// one that is removed.
func (n *Inode) localStat() (Stat, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.mu.removed && !n.unsavedLocked() {
		return Stat{}, false
	}
	size := n.mu.obj.info.Size
	if n.mu.content != nil {
		size = n.mu.content.size()
	}
	return n.statLocked(n.mu.obj, size), true
}

// current returns what the service has for an inode without local changes.
func (v *Volume) current(ctx context.Context, n *Inode) (object, error) {
	for {
		path, err := n.path()
		if err != nil {
			return object{}, err
		}
		o, s, err := v.resolve(ctx, path)
		if now, _ := n.path(); now != path {
			continue // renamed meanwhile
		}
		if err == nil && typeOf(o) != n.typ {
			err = ErrStale
		}
		if err == nil && v.leadsElsewhere(ctx, o) {
			v.names.Forget(path)
			err = ErrStale
		}
		if err != nil && (v.isMoving(n) || n.isLeaving()) { // whoever holds locks that this waits for is not here
			unlock, err := v.lockInode(ctx, n)
			if err != nil {
				return object{}, err
			}
			unlock()
			continue
		}
		if err != nil {
			if errors.Is(err, ErrNotExist) || errors.Is(err, ErrStale) {
				v.detach(n, path, s)
			}
			if _, _, shared := links.ParseInode(path); shared && errors.Is(err, ErrNotExist) {
				err = ErrStale // one of its names may be a plain object by now
			}
			return object{}, err
		}
		n.adopt(o, s)
		return o, nil
	}
}
