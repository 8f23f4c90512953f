package volume

import (
	"context"
	"errors"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// A directory that has no marker gets one before its last entry goes, so that it stays (ensureMarker). It is made once for
// all who remove entries meanwhile: who waits for his removal waits for the marker, or has seen other entries that keep the
// directory (beginMarker); removals that are queued go with the request that comes after it.

// marking is a marker that is being made.
type marking struct {
	done chan struct{}
	err  error // valid when done is closed
}

// wait waits for the marker; nil is none to wait for.
func (m *marking) wait() error {
	if m == nil {
		return nil
	}
	<-m.done
	return m.err
}

// startMarker has a marker made for a directory that is not known to have one, and returns nil for another. The caller owns
// the path of an entry until that has ended, so that nobody renames or removes the directory meanwhile. What this asks for is
// known when it returns, as that would wait for removals that are queued.
func (v *Volume) startMarker(ctx context.Context, dir *Inode) (*marking, error) {
	if m := dir.markerOf(nil); m != nil {
		return m, nil
	}
	at, o, err := v.unmarked(ctx, dir)
	if err != nil || o == nil {
		return nil, err
	}
	m := &marking{done: make(chan struct{})}
	if other := dir.markerOf(m); other != m {
		return other, nil
	}
	go func() {
		work, cancel := v.detached(context.Background(), 0)
		defer cancel()
		m.err = v.makeMarker(work, at, *o)
		dir.mu.Lock()
		dir.mu.marking = nil
		dir.mu.Unlock()
		close(m.done)
	}()
	return m, nil
}

// markerOf returns the marker of n that is being made, which is m from now on if there is none.
func (n *Inode) markerOf(m *marking) *marking {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.marking == nil {
		n.mu.marking = m
	}
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

// beginMarker is ensureMarker, but where the directory has other entries than the one that is about to go it does not wait
// for the marker to be made: when that entry has gone, marked must be called. Nor does it for a removal that is queued, which
// goes when the marker is there.
func (v *Volume) beginMarker(ctx context.Context, dir *Inode, queued bool) (m *marking, marked func() error, err error) {
	none := func() error { return nil }
	m, err = v.startMarker(ctx, dir)
	switch {
	case err != nil || m == nil || queued:
		return m, none, err
	case !dir.takeOthers():
		return m, none, m.wait()
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
