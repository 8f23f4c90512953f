package volume

import (
	"context"
	"errors"
)

// Lookup returns the inode of a name in a directory. Within the TTL it needs no request.
func (v *Volume) Lookup(ctx context.Context, dir *Inode, name string) (*Inode, Stat, error) {
	path, err := v.childPath(dir, name)
	if err != nil {
		return nil, Stat{}, err
	}
	if n := v.child(place{dir, name}); n != nil {
		if st, ok := n.localStat(); ok {
			return n, st, nil
		}
	}
	o, s, err := v.resolve(ctx, path)
	n := v.child(place{dir, name})
	if n != nil {
		if st, ok := n.localStat(); ok { // created meanwhile
			return n, st, nil
		}
	}
	if err != nil {
		if n != nil && errors.Is(err, ErrNotExist) {
			v.detach(n)
		}
		return nil, Stat{}, err
	}
	n = v.inode(place{dir, name}, typeOf(o))
	n.adopt(o, s)
	return n, v.stat(n, o), nil
}

// Getattr returns the attributes of an inode.
func (v *Volume) Getattr(ctx context.Context, n *Inode) (Stat, error) {
	if st, ok := n.localStat(); ok {
		return st, nil
	}
	o, err := v.current(ctx, n)
	if err != nil {
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
	path, err := n.path()
	if err != nil {
		return object{}, err
	}
	o, s, err := v.resolve(ctx, path)
	if err != nil {
		if errors.Is(err, ErrNotExist) {
			v.detach(n)
		}
		return object{}, err
	}
	if typeOf(o) != n.typ {
		v.detach(n)
		return object{}, ErrStale
	}
	n.adopt(o, s)
	return o, nil
}
