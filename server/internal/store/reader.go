package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"pail/server/internal/blob"
	"pail/server/internal/sse"
)

// ObjectReader is an open object. It reads the version that was opened, whatever becomes of the key. Its methods are
// safe for concurrent use, but for Close.
type ObjectReader struct {
	Object Object

	store   *Store
	ctx     context.Context // of the request that opened it
	version version
	data    []byte // of an inline object
	extents []extent
	starts  []int64 // of each extent within the object
	single  piece   // of an object of one extent
	keys    *sse.Access

	// Guarded by reclaim.mu.
	beat    uint64 // in which it began
	located bool
	uses    map[blob.ID]struct{} // made of extents when first asked

	closed sync.Once
}

// startsOf gives the offset of each extent within the object.
func startsOf(list []extent) []int64 {
	starts := make([]int64, len(list))
	var at int64
	for i, e := range list {
		starts[i] = at
		at += e.len
	}
	return starts
}

// openSingle opens the blob of an object of one extent, so that a missing or damaged file is found before the first
// byte is sent.
func (o *ObjectReader) openSingle() error {
	if len(o.extents) != 1 {
		return nil
	}
	b, err := o.open(o.extents[0])
	o.single = b
	return err
}

func (o *ObjectReader) open(e extent) (piece, error) {
	file, err := o.store.blobs.Open(o.ctx, e.blob)
	if err != nil {
		return nil, storeError(err)
	}
	b, err := openPiece(file, e.blob, o.keys, o.store.opening)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if e.end() > b.Size() {
		return nil, errors.Join(&DamagedError{What: "blob " + e.blob.String(),
			Err: fmt.Errorf("it has %d bytes, %d are needed", b.Size(), e.end())}, b.Close())
	}
	return b, nil
}

// usesLocked reports whether the reader may read from the blob. The lock is reclaim.mu.
func (o *ObjectReader) usesLocked(id blob.ID) bool {
	if !o.located {
		return true
	}
	if len(o.extents) < 2 {
		return len(o.extents) == 1 && o.extents[0].blob == id
	}
	if o.uses == nil {
		o.uses = make(map[blob.ID]struct{}, len(o.extents))
		for _, e := range o.extents {
			o.uses[e.blob] = struct{}{}
		}
	}
	_, ok := o.uses[id]
	return ok
}

// ReadAt reads verified bytes of the object, as io.ReaderAt has it. Damage is ErrDamaged.
func (o *ObjectReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrInvalidRange
	}
	if off >= o.Object.Size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), o.Object.Size-off)
	w := &sliceWriter{p: p}
	_, err := o.CopyRange(w, off, n)
	if err == nil && n < int64(len(p)) {
		err = io.EOF
	}
	return w.n, err
}

type sliceWriter struct {
	p []byte
	n int
}

func (w *sliceWriter) Write(b []byte) (int, error) {
	n := copy(w.p[w.n:], b)
	w.n += n
	return n, nil
}

// Section reads n bytes from off.
func (o *ObjectReader) Section(off, n int64) *io.SectionReader { return io.NewSectionReader(o, off, n) }

// CopyRange writes bytes off to off+n to w, each verified before it is written. A range outside the object is
// ErrInvalidRange, damage is ErrDamaged; an error of w comes back unchanged.
func (o *ObjectReader) CopyRange(w io.Writer, off, n int64) (done int64, err error) {
	if off < 0 || n < 0 || off > o.Object.Size || n > o.Object.Size-off {
		return 0, ErrInvalidRange
	}
	if o.extents == nil {
		m, err := w.Write(o.data[off : off+n])
		return int64(m), err
	}
	for i := o.at(off); n > done; i++ {
		e, skip := o.extents[i], off+done-o.starts[i]
		m, err := o.copyExtent(w, e, e.off+skip, min(n-done, e.len-skip))
		done += m
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// at finds the extent that holds the byte at off, which is within the object or its end.
func (o *ObjectReader) at(off int64) int {
	return sort.Search(len(o.starts), func(i int) bool { return o.starts[i] > off }) - 1
}

func (o *ObjectReader) copyExtent(w io.Writer, e extent, off, n int64) (int64, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	b := o.single
	if b == nil {
		var err error
		if b, err = o.open(e); err != nil {
			return 0, err
		}
		defer b.Close()
	}
	m, err := b.CopyRange(w, off, n)
	return m, storeError(err)
}

// Close ends the reading. It may be called twice.
func (o *ObjectReader) Close() (err error) {
	o.closed.Do(func() {
		if o.single != nil {
			err = o.single.Close()
		}
		o.store.reclaim.end(o)
	})
	return err
}
