package stage

import (
	"context"
	"fmt"
	"io"
)

// Snapshot is a file's content, frozen. Its methods are safe for concurrent use.
type Snapshot struct {
	file    *File
	size    int64
	extents []Extent
	done    chan struct{} // closed at the end of the freeze
}

// Size returns the frozen size.
func (s *Snapshot) Size() int64 { return s.size }

// Extents returns the ranges that make up [0, Size()), in order and without gaps; neighbours differ in kind. The
// caller must not change the slice.
func (s *Snapshot) Extents() []Extent { return s.extents }

// Unsaved returns the ranges of Data, in order, that were written since the last Saved.
func (s *Snapshot) Unsaved() []Extent {
	f := s.file
	f.mu.RLock()
	defer f.mu.RUnlock()
	var list []Extent
	for one := range f.content.spans(0, f.content.size) {
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

// Saved says that the caller has a copy of all Data, which Unsaved is to leave out from now on. After Release it does
// nothing.
func (s *Snapshot) Saved() {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen == s {
		f.content.become(kind.saved)
	}
}

// Reader reads [off, off+n) of the frozen content, cut at its end; seek offsets count from off. Unchanged ranges are
// read from the base, with ctx. Any number of readers may be in use at once, each by one goroutine. After Release they
// fail with ErrClosed.
func (s *Snapshot) Reader(ctx context.Context, off, n int64) io.ReadSeeker {
	off = min(max(off, 0), s.size)
	n = min(max(n, 0), s.size-off)
	return io.NewSectionReader(readerAt{ctx, s}, off, n)
}

// Release ends the freeze. committed says that the content is stored as an object: it is clean then, and all of it is
// what the base of later snapshots holds. Further calls do nothing.
func (s *Snapshot) Release(committed bool) {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen != s {
		return
	}
	if committed {
		f.content.become(kind.committed)
		f.dirty = false
	}
	f.thawLocked()
}

// readerAt ties a snapshot to a context, for io.SectionReader.
type readerAt struct {
	ctx context.Context
	s   *Snapshot
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.s.file.ReadAt(r.ctx, p, off)
	select {
	case <-r.s.done:
		return 0, fmt.Errorf("stage: snapshot is released: %w", ErrClosed)
	default:
		return n, err
	}
}
