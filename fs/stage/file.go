package stage

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// File is the current content of one file. All methods are safe for concurrent use; a write or truncation is atomic
// towards reads.
type File struct {
	area *Area

	mu      sync.RWMutex
	base    Base
	rebased int // counts Rebase, to tell whether a base that failed was still the right one
	content content
	local   local
	dirty   bool
	closed  bool
	frozen  []*Snapshot // that are held
	unused  []span      // ranges whose storage is to be freed, where they are no content
}

// Size returns the current size in bytes.
func (f *File) Size() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.content.size
}

// Dirty reports whether the content differs from the object version it is based on, or has never had one.
func (f *File) Dirty() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.dirty
}

// seekBlock is the unit of holes, as most disks have them.
const seekBlock = 4 << 10

// FindHole returns the first offset from off on that is in a hole, or one that is not; ok is false where there is none. Whole
// blocks of zeros that take no room here are holes, and so is the end. What lies in the base only counts as data.
func (f *File) FindHole(off int64, hole bool) (at int64, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	size := f.content.size
	if off < 0 || off >= size {
		return 0, false
	}
	at = off // in data up to here
	for s := range f.content.spans(off-off%seekBlock, size) {
		if s.kind == kindZero || s.kind == kindSameZero {
			continue
		}
		begin := s.off - s.off%seekBlock
		switch {
		case !hole:
			return max(off, begin), true
		case begin > at:
			return at, true
		}
		at = max(at, min(size, (s.end+seekBlock-1)/seekBlock*seekBlock))
	}
	return at, hole
}

// WriteAt writes p at off, making the file larger where needed; a gap behind the old end becomes zeros. It uses no
// network. What a snapshot holds of the range is copied before; where there is no room for that, it waits until snapshots
// are released, or ctx ends. On ErrNoSpace nothing was written. (A filesystem that copies on overwrite, or a failing disk,
// may still damage bytes in [off, off+len(p)) that were written earlier.)
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := checkRange(off, int64(len(p))); err != nil {
		return 0, err
	}
	end := off + int64(len(p))
	if err := f.lockForWrite(ctx, off, end); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	f.touchLocked(off, end) // also where it fails, as it may leave other bytes there
	if err := f.storeLocked(p, off, end); err != nil {
		f.unwatchLocked(off, end) // what was there may be damaged
		return 0, err
	}
	f.content.set(off, end, kindData)
	f.dirty = true
	return len(p), nil
}

// Truncate sets the size. What a larger size adds is zeros, also where there were bytes before an earlier shrink. It waits
// for nothing.
func (f *File) Truncate(size int64) error {
	if err := checkRange(size, 0); err != nil {
		return err
	}
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	old := f.content.size
	if size == old {
		return nil
	}
	f.content.truncate(size)
	f.touchLocked(min(size, old), max(size, old))
	f.freeLocked(span{off: size, end: old})
	f.dirty = true
	return nil
}

// Punch makes the bytes of [off, off+n) zeros and frees their local storage. The size stays; what lies behind it is
// ignored. It waits for nothing.
func (f *File) Punch(off, n int64) error {
	if err := checkRange(off, n); err != nil {
		return err
	}
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	end := min(off+n, f.content.size)
	if off >= end {
		return nil
	}
	f.content.set(off, end, kindZero)
	f.touchLocked(off, end)
	f.freeLocked(span{off: off, end: end})
	f.dirty = true
	return nil
}

// freeLocked frees the storage of a range that the content has no more: now, or once no snapshot can have bytes there.
func (f *File) freeLocked(s span) {
	if s.off < s.end {
		f.unused = append(f.unused, s)
	}
	if len(f.frozen) == 0 {
		f.trimLocked()
	}
}

// trimLocked frees the storage of what lies in unused ranges and is no content. No snapshot is held.
func (f *File) trimLocked() {
	for _, u := range f.unused {
		if u.end > f.content.size {
			f.local = f.local.truncated(f.area, f.content.size)
		}
		for s := range f.content.spans(u.off, u.end) {
			if !s.kind.local() {
				f.local.punch(s.off, s.end)
			}
		}
	}
	f.unused = nil
}

// touchLocked tells the snapshots that are held what is changed.
func (f *File) touchLocked(off, end int64) {
	for _, s := range f.frozen {
		s.touchLocked(off, end)
	}
}

// Snapshot freezes the content until its Release. Several may be held at once, but only one of those may be committed.
func (f *File) Snapshot() (*Snapshot, error) {
	if err := f.lock(); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.snapshotLocked(), nil
}

// Rebase names the object version that unchanged bytes are read from, from now on; the old base may be closed once it
// returns. base must hold the bytes that the old one had in the ranges that are still unchanged, which is so for the
// version made of a snapshot.
func (f *File) Rebase(base Base) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base = base
	f.rebased++
}

// Close frees the local storage; changes that were not committed are lost. Calls in progress fail with ErrClosed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	for _, s := range f.frozen {
		s.thawLocked()
	}
	f.frozen = nil
	err := f.local.close(f.area)
	f.content = content{}
	f.area.files.Add(-1)
	return err
}

// lock locks f.mu, unless the file is closed.
func (f *File) lock() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return fmt.Errorf("stage: %w", ErrClosed)
	}
	return nil
}

// lockForWrite locks f.mu once every snapshot has its bytes of [off, end) elsewhere.
func (f *File) lockForWrite(ctx context.Context, off, end int64) error {
	for {
		if err := f.lock(); err != nil {
			return err
		}
		if f.keepLocked(off, end) == nil {
			return nil
		}
		held := f.frozen[0]
		f.mu.Unlock()
		select {
		case <-held.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *File) keepLocked(off, end int64) error {
	for _, s := range f.frozen {
		if err := s.keepLocked(off, end); err != nil {
			return err
		}
	}
	return nil
}

// ReadAt reads as io.ReaderAt does: io.EOF comes with fewer bytes than asked for. All bytes are of one moment. Ranges
// that only the base has are read from it with ctx, without holding a lock; its error comes with the bytes before it.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return f.readFrom(ctx, f.readLocal, p, off)
}

// readFrom is ReadAt from what local finds here.
func (f *File) readFrom(ctx context.Context, local func(p []byte, off int64) (pending, error), p []byte, off int64) (int, error) {
	if err := checkRange(off, int64(len(p))); err != nil {
		return 0, err
	}
	for {
		r, err := local(p, off)
		if err != nil {
			return 0, err
		}
		n, err := r.readBase(ctx, p, off)
		if err == nil {
			if n < len(p) {
				err = io.EOF
			}
			return n, err
		}
		if f.baseIs(r.rebased) {
			return n, err
		}
	}
}

// pending is a read whose local part is done.
type pending struct {
	n       int    // bytes that the file has for it
	holes   []span // ranges to read from base
	base    Base
	rebased int
}

// readLocal fills what needs no base.
func (f *File) readLocal(p []byte, off int64) (pending, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return pending{}, fmt.Errorf("stage: %w", ErrClosed)
	}
	return f.readContentLocked(&f.content, f.local.readAt, p, off)
}

// readContentLocked fills what of a content needs no base; local reads what lies here.
func (f *File) readContentLocked(c *content, local func(p []byte, off int64) error, p []byte, off int64) (pending, error) {
	r := pending{base: f.base, rebased: f.rebased}
	for s := range c.spans(off, off+int64(len(p))) {
		q := p[s.off-off : s.end-off]
		switch {
		case s.kind.local():
			if err := local(q, s.off); err != nil {
				return pending{}, err
			}
		case s.kind == kindBase:
			r.holes = append(r.holes, s)
		default:
			clear(q)
		}
		r.n = int(s.end - off)
	}
	return r, nil
}

// readBase fills the rest, and returns how many bytes of p are good.
func (r pending) readBase(ctx context.Context, p []byte, off int64) (int, error) {
	for _, h := range r.holes {
		at := int(h.off - off)
		if r.base == nil {
			return at, fmt.Errorf("stage: the base of the file is gone: %w", ErrClosed)
		}
		n, err := r.base.ReadAt(ctx, p[at:int(h.end-off)], h.off)
		if n == int(h.end-h.off) {
			continue
		}
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF // the base is shorter than the file was told
		}
		return at + n, err
	}
	return r.n, nil
}

func (f *File) baseIs(rebased int) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.rebased == rebased
}

// storeLocked puts p into local storage. It asks for disk space for the ranges that have none yet first, so that
// running out of it happens before a byte that is already here is overwritten.
func (f *File) storeLocked(p []byte, off, end int64) error {
	if ok := f.local.fits(f.area, end); !ok {
		if err := f.local.spill(f.area, &f.content); err != nil {
			return err
		}
	}
	if f.local.file == nil {
		copy(f.local.mem[off:end], p)
		return nil
	}
	if err := f.local.own(f.area, &f.content); err != nil {
		return err
	}
	fresh, old := f.splitLocked(off, end)
	if err := f.area.reserveDisk(total(fresh)); err != nil {
		return err
	}
	for _, s := range append(fresh, old...) {
		if err := f.local.writeAt(p[s.off-off:s.end-off], s.off); err != nil {
			for _, unused := range fresh {
				f.local.punch(unused.off, unused.end)
			}
			return err
		}
	}
	return nil
}

// splitLocked divides [off, end) into ranges without local bytes and ranges with them, neighbours merged.
func (f *File) splitLocked(off, end int64) (fresh, old []span) {
	add := func(to []span, s span) []span {
		if n := len(to); n > 0 && to[n-1].end == s.off {
			to[n-1].end = s.end
			return to
		}
		return append(to, s)
	}
	for s := range f.content.spans(off, end) {
		if s.kind.local() {
			old = add(old, s)
		} else {
			fresh = add(fresh, s)
		}
	}
	if from := max(off, f.content.size); from < end {
		fresh = add(fresh, span{off: from, end: end})
	}
	return fresh, old
}

func total(spans []span) (n int64) {
	for _, s := range spans {
		n += s.end - s.off
	}
	return n
}
