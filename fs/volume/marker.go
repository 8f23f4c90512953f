package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// A directory that has no marker gets one before its last entry goes, so that it stays (ensureMarker). It is made once for
// all who remove entries meanwhile: who waits for his removal waits for the marker, or has seen other entries that keep the
// directory (beginMarker); a removal that is queued goes after it.

// marking is a marker that is being made.
type marking struct {
	done   chan struct{}
	err    error // valid when done is closed
	urgent chan struct{}
	once   sync.Once // closes urgent
}

func newMarking() *marking { return &marking{done: make(chan struct{}), urgent: make(chan struct{})} }

// hurry says that somebody waits for the marker.
func (m *marking) hurry() {
	if m != nil {
		m.once.Do(func() { close(m.urgent) })
	}
}

// wait waits for the marker; nil is none to wait for. Who owns the path of an entry does not end that with his request, as
// nobody may rename or remove the directory until then; MetaTimeout ends it.
func (m *marking) wait() error {
	if m == nil {
		return nil
	}
	m.hurry()
	<-m.done
	return m.err
}

// over reports whether wait would return at once.
func (m *marking) over() bool {
	if m == nil {
		return true
	}
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// startMarker has a marker made for a directory that is not known to have one, and returns nil for another. The caller owns
// the path of an entry, or shares the directory's, until that has ended, so that nobody renames or removes it meanwhile. What
// this asks for is known when it returns, as that would wait for removals that are queued.
//
// Only a few are made at once, but for those that somebody waits for (hurry).
func (v *Volume) startMarker(ctx context.Context, dir *Inode) (*marking, error) {
	if m := dir.marking(); m != nil {
		return m, nil
	}
	at, o, err := v.unmarked(ctx, dir)
	if err != nil || o == nil {
		return nil, err
	}
	dir.mu.Lock()
	defer dir.mu.Unlock()
	if dir.mu.marking != nil {
		return dir.mu.marking, nil
	}
	if now, state, _ := v.names.Get(at); state == tree.Present && now.dir && now.info.Key != "" {
		return nil, nil // it was made since
	}
	m := newMarking()
	dir.mu.marking = m
	go func() {
		m.err = v.makeMarkerSoon(m, at, *o)
		dir.mu.Lock()
		dir.mu.marking = nil
		dir.mu.Unlock()
		close(m.done)
	}()
	return m, nil
}

// makeMarkerSoon is makeMarker, as one of a few at once unless somebody waits for it.
func (v *Volume) makeMarkerSoon(m *marking, at string, o object) error {
	turn, cancel := v.detached(context.Background(), 0)
	defer cancel()
	select {
	case v.markings <- struct{}{}:
		defer func() { <-v.markings }()
	case <-m.urgent:
	case <-turn.Done():
		return fmt.Errorf("make the marker of %q: %w", at, turn.Err())
	}
	ctx, cancel := v.detached(context.Background(), 0)
	defer cancel()
	return v.makeMarker(ctx, at, o)
}

// marking returns the marker of n that is being made, or nil.
func (n *Inode) marking() *marking {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.marking
}

// ensureMarker gives a directory a marker if it is not known to have one.
func (v *Volume) ensureMarker(ctx context.Context, dir *Inode) error {
	m, err := v.startMarker(ctx, dir)
	if err != nil {
		return err
	}
	return m.wait()
}

// beginMarker is ensureMarker, but does not wait for the marker to be made where the directory has other entries than the one
// that is about to go, nor for a removal that is to be queued. marked must be called when that entry has gone, or does not
// go, but for a removal that is queued with m: it goes after m.
func (v *Volume) beginMarker(ctx context.Context, dir *Inode, queued bool) (m *marking, marked func() error, err error) {
	m, err = v.startMarker(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	if m == nil || queued {
		return m, m.wait, nil
	}
	m.hurry()
	if !dir.takeOthers() {
		return m, m.wait, m.wait()
	}
	return m, func() error {
		err := m.wait()
		dir.tookOther()
		return err
	}, nil
}

// unmarked returns what is known of a directory that has no marker and needs one; nil for another.
func (v *Volume) unmarked(ctx context.Context, dir *Inode) (at string, _ *object, err error) {
	at, err = dir.path()
	if err != nil || at == "" || v.keys.Synthetic(at) || dir.unsaved() {
		return at, nil, nil // the root is always there; a view of a part of keys is nothing to keep
	}
	o, state, _ := v.names.Get(at)
	if !o.full || !o.dir || state != tree.Present && state != tree.WasPresent {
		if o, _, err = v.resolve(ctx, at); err != nil {
			return at, nil, err
		}
	}
	if !o.dir || o.info.Key != "" {
		return at, nil, nil
	}
	return at, &o, nil
}

func (v *Volume) makeMarker(ctx context.Context, at string, o object) error {
	began := v.names.Begin()
	info, err := v.replaceMarker(ctx, at, o, s3client.CopyOptions{Meta: attr.Encode(o.attr, nil)})
	if errors.Is(err, s3client.ErrPrecondition) { // another client was quicker
		v.names.Forget(at)
		return nil
	}
	if err != nil {
		v.names.Forget(at)
		return err
	}
	o.info = info
	if !v.names.Put(at, o, began) { // more may have been done to it since: nobody waits for the answer
		v.names.Forget(at)
	}
	return nil
}
