package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"

	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// side is one of two names that are exchanged.
type side struct {
	place
	at  string // path
	o   object
	n   *Inode
	key string // of the object, or what all keys of the directory begin with

	ptr *links.Pointer // where the object is a name of a file with several
}

// exchange lets two names change places. Each step is one atomic request, and by way of a third name beside the first:
// for a moment one of the two names is missing. What fails in the middle is undone. A mount that dies in the middle
// leaves the first under the third name, which says what it is. It needs a service that can rename, so that no step
// takes long.
func (v *Volume) exchange(ctx context.Context, m move) error {
	if !v.caps.RenameObject || !v.caps.RenamePrefix || !v.caps.ConditionalPut {
		return ErrNotSupported
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	paths, unlock, err := v.lockPlaces(ctx, v.paths.exclude, m.src, m.dst)
	if err != nil {
		return err
	}
	a, b, err := v.exchangeLocked(ctx, m, paths)
	unlock()
	if err == nil {
		for _, s := range []struct{ side, other side }{{a, b}, {b, a}} {
			if s.side.ptr != nil {
				v.arrived(ctx, *s.side.ptr, s.side.at, s.other.at)
			}
		}
	}
	return err
}

// exchangeLocked is exchange for a caller that has both paths. What it returns has no pointers if nothing was done.
func (v *Volume) exchangeLocked(ctx context.Context, m move, paths []string) (a, b side, err error) {
	if a, err = v.side(ctx, m.src, paths[0]); err != nil || paths[0] == paths[1] {
		return side{}, side{}, err
	}
	if b, err = v.side(ctx, m.dst, paths[1]); err != nil || a.n == b.n {
		return side{}, side{}, err
	}
	return a, b, v.exchangeSides(ctx, &a, &b)
}

func (v *Volume) exchangeSides(ctx context.Context, a, b *side) error {
	if below(a.at, b.at) || below(b.at, a.at) {
		return ErrInvalid
	}
	ready, err := v.readyForExchange(ctx, a, b)
	if err != nil {
		return err
	}
	defer ready()
	v.endJournaled()
	for _, s := range []*side{a, b} {
		if s.ptr == nil {
			defer v.moving(s.n)()
		}
	}
	if err := v.swapKeys(ctx, *a, *b); err != nil {
		return err
	}
	v.exchanged(ctx, *a, *b)
	return nil
}

// side looks up what is exchanged.
func (v *Volume) side(ctx context.Context, p place, at string) (side, error) {
	found, err := v.exists(ctx, p, at)
	switch {
	case err != nil:
		return side{}, err
	case found == nil:
		return side{}, ErrNotExist
	case found.view || v.keys.Synthetic(at):
		return side{}, ErrPermission
	}
	if _, ok := v.keys.ClashAlias(at); ok {
		return side{}, ErrNotSupported
	}
	s := side{place: p, at: at, o: *found}
	if ptr, ok := v.pointer(*found); ok {
		s.ptr = &ptr
	}
	s.n, err = v.named(ctx, p, found)
	return s, err
}

// keyAt returns where what is on a side is stored if it has that path.
func (v *Volume) keyAt(s side, at string) (string, error) {
	if s.o.dir {
		return v.keys.Dir(at), nameError(v.keys.CheckDir(at))
	}
	return v.keys.File(at), nameError(v.keys.CheckFile(at))
}

// readyForExchange stores what is not stored of both sides, and keeps their files from being changed until done.
func (v *Volume) readyForExchange(ctx context.Context, a, b *side) (done func(), err error) {
	if err := v.commitTarget(ctx, a.dir, b.dir); err != nil {
		return nil, err
	}
	var files []*Inode
	for _, s := range []*side{a, b} {
		if s.o.dir {
			if err := v.commitBelow(ctx, s.n); err != nil {
				return nil, err
			}
		} else {
			files = append(files, s.n)
		}
	}
	open, err := lockGates(ctx, files...)
	if err != nil {
		return nil, err
	}
	for _, s := range []*side{a, b} {
		if err := v.readySide(ctx, s); err != nil {
			open()
			return nil, err
		}
	}
	return open, nil
}

func (v *Volume) readySide(ctx context.Context, s *side) (err error) {
	if !s.o.dir {
		if err := v.commitWithin(ctx, s.n); err != nil {
			return err
		}
	}
	if s.o, _, err = v.resolve(ctx, s.at); err != nil {
		return err
	}
	if s.o.mode() != s.n.typ || v.isPointer(s.o) != (s.ptr != nil) {
		return ErrStale
	}
	if s.key, err = v.keyAt(*s, s.at); err != nil {
		return err
	}
	if s.o.dir && s.o.info.Key != "" && s.o.info.Key != s.key {
		return ErrNotSupported // its marker, in an old form, is not below it
	}
	return nil
}

// exchangeStep is one request of an exchange.
type exchangeStep struct {
	o        object
	dst, src string
}

// exchangeSteps moves a aside, b to a's place and a to b's.
func (v *Volume) exchangeSteps(a, b side) ([]exchangeStep, error) {
	aside, err := v.keyAt(a, join(path.Dir("/" + a.at)[1:], ".pail-exchange-"+rand.Text()[:13]))
	if err != nil {
		return nil, err
	}
	aToB, err := v.keyAt(a, b.at)
	if err != nil {
		return nil, err
	}
	bToA, err := v.keyAt(b, a.at)
	if err != nil {
		return nil, err
	}
	return []exchangeStep{{a.o, aside, a.key}, {b.o, bToA, b.key}, {a.o, aToB, aside}}, nil
}

func (v *Volume) swapKeys(ctx context.Context, a, b side) error {
	steps, err := v.exchangeSteps(a, b)
	if err != nil {
		return err
	}
	forget := func() {
		v.names.Forget(a.at) // and so that the third name is there
		v.names.Forget(b.at)
		v.names.ForgetTree("")
	}
	for i, s := range steps {
		if err := v.moveKey(ctx, s.o, s.dst, s.src); err != nil {
			forget()
			err = errors.Join(err, v.undoSteps(ctx, steps, i, outcomeUnknown(err)))
			forget() // what was learned meanwhile is of before
			return err
		}
	}
	return nil
}

// undoSteps undoes the steps before one that has failed, and that one if it is done, or may be, and only got no answer. Its
// error says where things are. A step that is not done yet may be done later: one after the first finds its new name
// taken then, or its old one gone.
func (v *Volume) undoSteps(ctx context.Context, steps []exchangeStep, failed int, unanswered bool) error {
	s, done := steps[failed], failed
	moved, err := v.hasMoved(ctx, s.o, s.dst, s.src)
	switch {
	case moved || err != nil && unanswered:
		done++
	case failed == 0 && unanswered:
		return fmt.Errorf("%q may become %q yet", s.src, s.dst)
	}
	for i := done - 1; i >= 0; i-- {
		s := steps[i]
		if err := v.moveKey(ctx, s.o, s.src, s.dst); err != nil {
			return fmt.Errorf("moved, as far as is known, and not moved back: %s: %w", listSteps(steps[:i+1]), err)
		}
	}
	return nil
}

func listSteps(steps []exchangeStep) string {
	var list []string
	for _, s := range steps {
		list = append(list, fmt.Sprintf("%q to %q", s.src, s.dst))
	}
	return strings.Join(list, ", ")
}

// moveKey moves an object, or all that is below a directory, to where nothing is. It has a deadline of its own, as has
// hasMoved, so that the undoing does not find the time used up.
func (v *Volume) moveKey(ctx context.Context, o object, dst, src string) error {
	wait, cancel := v.detached(ctx, 0)
	defer cancel()
	if !o.dir {
		o.info.Key = src
		_, _, err := v.moveVersion(wait, dst, o.info, true)
		return err
	}
	err := v.client.Rename(wait, dst, src, s3client.RenameOptions{IfNoneMatch: true})
	if notFound(err) || errors.Is(err, s3client.ErrPrecondition) { // perhaps done already, and the answer got lost
		if moved, _ := v.hasMoved(ctx, o, dst, src); moved {
			return nil
		}
	}
	return err
}

// hasMoved reports whether what moveKey was to move has been moved.
func (v *Volume) hasMoved(ctx context.Context, o object, dst, src string) (bool, error) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	if !o.dir {
		o.info.Key = src
		return v.movedAlready(ctx, dst, o.info)
	}
	left, err := v.client.List(ctx, s3client.ListQuery{Prefix: src, MaxKeys: 1})
	if err != nil || len(left.Objects) > 0 {
		return false, err
	}
	moved, err := v.client.List(ctx, s3client.ListQuery{Prefix: dst, MaxKeys: 1})
	return err == nil && len(moved.Objects) > 0, err
}

// movedAlready reports whether a version has been moved, and only the answer got lost; another client may have made the old
// name anew.
func (v *Volume) movedAlready(ctx context.Context, dst string, src s3client.ObjectInfo) (bool, error) {
	there, err := v.client.Head(ctx, dst)
	if notFound(err) {
		return false, nil
	}
	if err != nil || there.ETag != src.ETag {
		return false, err
	}
	left, err := v.client.Head(ctx, src.Key)
	if notFound(err) {
		return true, nil
	}
	return err == nil && left.ETag != src.ETag, err
}

// exchanged brings inodes and cache up to date.
func (v *Volume) exchanged(ctx context.Context, a, b side) {
	dirs := a.o.dir || b.o.dir
	if dirs {
		v.names.ForgetTree(a.at)
		v.names.ForgetTree(b.at)
		v.dirMoved()
	}
	now := v.opt.Now()
	for _, n := range []*Inode{a.n, b.n} {
		n.mu.Lock()
		n.mu.stamp, n.mu.renamed = v.names.Begin(), now
		n.mu.Unlock()
	}
	v.table.Exchange(a.dir.node, a.name, b.dir.node, b.name)
	for _, s := range []struct {
		side
		to string
	}{{a, b.at}, {b, a.at}} {
		if s.o.dir {
			for _, open := range v.openBelow(s.n) {
				v.follow(ctx, open)
			}
			continue
		}
		s.o.info.Key = v.keys.File(s.to)
		if s.ptr != nil {
			v.present(s.to, s.o, tree.Stamp{})
			continue
		}
		v.rebaseFrom(s.n, s.to, s.o, s.o.info.ETag, tree.Stamp{})
	}
	if a.o.dir != b.o.dir {
		from, to := a.dir, b.dir
		if b.o.dir {
			from, to = to, from
		}
		from.addSubdirs(-1)
		to.addSubdirs(1)
	}
	a.dir.touch()
	b.dir.touch()
}
