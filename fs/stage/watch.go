package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrChanged says that bytes have changed since Watch.
var ErrChanged = errors.New("the content has changed")

// Watch notices from now on whether a byte of [off, off+n) is changed. It does nothing, and reports false, unless all of
// them were written here since the last commit, and while a snapshot is held: whoever stores that asks whether something
// has changed since an earlier Watch. A range that is watched already is watched anew.
func (f *File) Watch(off, n int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.frozen) > 0 || !f.content.all(off, off+n, func(k kind) bool { return k.public() == Data }) {
		return false
	}
	f.content.set(off, off+n, kindWatched)
	return true
}

// Watched reports whether all of [off, off+n) is watched, and no byte of it was changed since.
func (f *File) Watched(off, n int64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.watchedLocked(off, n)
}

func (f *File) watchedLocked(off, n int64) bool {
	return f.content.all(off, off+n, func(k kind) bool { return k == kindWatched })
}

// unwatchLocked ends the watching of ranges with bytes in [off, end).
func (f *File) unwatchLocked(off, end int64) {
	var ended []span
	for s := range f.content.spans(off, end) {
		if s.kind == kindWatched {
			ended = append(ended, s)
		}
	}
	for _, s := range ended {
		f.content.set(s.off, s.end, kindData)
	}
}

// WatchedReader reads [off, off+n), which Watch watches, while others may write to the file. It fails with ErrChanged
// once one of the bytes was changed, and with ctx. It is used by one goroutine.
func (f *File) WatchedReader(ctx context.Context, off, n int64) io.ReadSeeker {
	return io.NewSectionReader(watched{ctx, f, off, n}, off, n)
}

// watched is a range that is watched, for io.SectionReader.
type watched struct {
	ctx    context.Context
	f      *File
	off, n int64
}

// ReadAt reads without keeping writers out, and looks whether there were any afterwards.
func (w watched) ReadAt(p []byte, off int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	f := w.f
	f.mu.RLock()
	file := f.local.file
	if file == nil { // in memory, which is not to be read while it is written to
		defer f.mu.RUnlock()
		if err := w.check(); err != nil {
			return 0, err
		}
		return len(p), f.local.readAt(p, off)
	}
	f.mu.RUnlock()
	n, err := file.ReadAt(p, off)
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := w.check(); err != nil {
		return 0, err
	}
	if err != nil {
		return n, fmt.Errorf("read local data: %w", err)
	}
	return n, nil
}

// check is called with f.mu.
func (w watched) check() error {
	switch {
	case w.f.closed:
		return fmt.Errorf("stage: %w", ErrClosed)
	case !w.f.watchedLocked(w.off, w.n):
		return ErrChanged
	}
	return nil
}
