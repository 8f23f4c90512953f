package stage

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Snapshot is a file's content, frozen. Its methods are safe for concurrent use.
type Snapshot struct {
	file    *File
	size    int64
	extents []Extent
	done    chan struct{} // closed at the end of the freeze

	// guarded by file.mu
	content  content // frozen
	from     local   // where its bytes were; not closed here
	moved    content // kindData is what is not there any more; of the frozen size, as is touched
	aside    diskFile
	reserved int64   // memory that is the snapshot's own
	touched  content // kindData is what was changed in the file since
	changed  bool    // something was, also behind the frozen size
}

// snapshotLocked freezes the content.
func (f *File) snapshotLocked() *Snapshot {
	s := &Snapshot{
		file: f, size: f.content.size, extents: f.content.extents(), done: make(chan struct{}),
		content: f.content.clone(), from: f.local,
	}
	s.moved.set(0, s.size, kindZero)
	s.touched.set(0, s.size, kindZero)
	f.frozen = append(f.frozen, s)
	return s
}

// Size returns the frozen size.
func (s *Snapshot) Size() int64 { return s.size }

// Extents returns the ranges that make up [0, Size()), in order and without gaps; neighbours differ in kind. The
// caller must not change the slice.
func (s *Snapshot) Extents() []Extent { return s.extents }

// Unsaved returns the ranges of Data, in order, that were written since the last Saved.
func (s *Snapshot) Unsaved() []Extent {
	s.file.mu.RLock()
	defer s.file.mu.RUnlock()
	var list []Extent
	for one := range s.content.spans(0, s.size) {
		if !one.kind.unsaved() {
			continue
		}
		if last := len(list) - 1; last >= 0 && list[last].Off+list[last].Len == one.off {
			list[last].Len += one.end - one.off
			continue
		}
		list = append(list, Extent{Off: one.off, Len: one.end - one.off, Kind: Data})
	}
	return list
}

// Saved says that the caller has a copy of all Data, which Unsaved of this and later snapshots is to leave out from now on,
// but for what was written since. After Release it does nothing.
func (s *Snapshot) Saved() {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.heldLocked() {
		s.content.become(kind.saved)
		f.content.becomeWhere(&s.touched, kind.saved)
	}
}

// Reader reads [off, off+n) of the frozen content, cut at its end; seek offsets count from off. Unchanged ranges are
// read from the base, with ctx: not when a later snapshot was committed, which has other bytes there. Any number of readers
// may be in use at once, each by one goroutine. After Release they fail with ErrClosed.
func (s *Snapshot) Reader(ctx context.Context, off, n int64) io.ReadSeeker {
	off = min(max(off, 0), s.size)
	n = min(max(n, 0), s.size-off)
	return io.NewSectionReader(readerAt{ctx, s}, off, n)
}

// Release ends the freeze. committed says that the content is stored as an object: what was not changed since is clean
// then, and all that was frozen is what the base of later snapshots holds. Further calls do nothing.
func (s *Snapshot) Release(committed bool) {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if !s.heldLocked() {
		return
	}
	if committed {
		f.content.becomeWhere(&s.touched, kind.committed)
		f.dirty = s.changed
	}
	f.frozen = slices.DeleteFunc(f.frozen, func(other *Snapshot) bool { return other == s })
	s.thawLocked()
	if len(f.frozen) == 0 {
		f.trimLocked()
	}
}

func (s *Snapshot) heldLocked() bool { return slices.Contains(s.file.frozen, s) }

// thawLocked lets waiting writers go on, and frees what was copied.
func (s *Snapshot) thawLocked() {
	close(s.done)
	if s.aside != nil {
		_ = s.aside.Close() // nobody needs it
	}
	s.file.area.releaseMemory(s.reserved)
	s.from, s.aside, s.reserved = local{}, nil, 0
}

// touchLocked notes that [off, end) of the file is not what was frozen any more.
func (s *Snapshot) touchLocked(off, end int64) {
	s.changed = true
	if end = min(end, s.size); off < end {
		s.touched.set(off, end, kindData)
	}
}

// keepLocked copies the frozen bytes of [off, end), which are about to be overwritten. After an error all is as before, and
// nothing may be written there.
func (s *Snapshot) keepLocked(off, end int64) error {
	switch {
	case off >= end:
		return nil
	case s.from.file == nil:
		return s.keepMemory()
	case s.from.lends(), s.file.local.file != s.from.file:
		return nil // what is written goes elsewhere
	}
	var kept []span
	for t := range s.moved.spans(off, end) {
		if t.kind == kindData {
			continue
		}
		for one := range s.content.spans(t.off, t.end) {
			if !one.kind.local() {
				continue
			}
			if err := s.copyAside(one); err != nil {
				return err
			}
		}
		kept = append(kept, t)
	}
	for _, t := range kept {
		s.moved.set(t.off, t.end, kindData)
	}
	return nil
}

// keepMemory copies all that is frozen of a file in memory, which is not much.
func (s *Snapshot) keepMemory() error {
	size := min(int64(len(s.from.mem)), s.size)
	if s.reserved == size {
		return nil
	}
	if !s.file.area.reserveMemory(size) {
		return fmt.Errorf("%w: the budget for memory is used up", ErrNoSpace)
	}
	s.from.mem, s.reserved = slices.Clone(s.from.mem[:size]), size
	return nil
}

// copyAside copies a range that is here.
func (s *Snapshot) copyAside(one span) error {
	a := s.file.area
	if s.aside == nil {
		file, err := a.create()
		if err != nil {
			return err
		}
		s.aside = file
	}
	if err := a.reserveDisk(one.end - one.off); err != nil {
		return err
	}
	to := local{file: s.aside}
	return to.copyRange(&s.from, one, make([]byte, min(copyChunk, one.end-one.off)))
}

// readLocal reads frozen bytes that were here, from where they are now. The caller has file.mu.
func (s *Snapshot) readLocal(p []byte, off int64) error {
	aside := local{file: s.aside}
	for t := range s.moved.spans(off, off+int64(len(p))) {
		from := &s.from
		if t.kind == kindData {
			from = &aside
		}
		if err := from.readAt(p[t.off-off:t.end-off], t.off); err != nil {
			return err
		}
	}
	return nil
}

// readFrozen fills what needs no base.
func (s *Snapshot) readFrozen(p []byte, off int64) (pending, error) {
	f := s.file
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !s.heldLocked() {
		return pending{}, fmt.Errorf("stage: snapshot is released: %w", ErrClosed)
	}
	return f.readContentLocked(&s.content, s.readLocal, p, off)
}

// ReadAt reads the frozen content as Reader does.
func (s *Snapshot) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := s.file.readFrom(ctx, s.readFrozen, p, off)
	select {
	case <-s.done:
		return 0, fmt.Errorf("stage: snapshot is released: %w", ErrClosed)
	default:
		return n, err
	}
}

// readerAt ties a snapshot to a context, for io.SectionReader.
type readerAt struct {
	ctx context.Context
	s   *Snapshot
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.s.ReadAt(r.ctx, p, off) }
