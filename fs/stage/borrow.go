package stage

import (
	"errors"
	"io"
)

// Source holds bytes of a file at their own offsets. It is only read, by several at once.
type Source interface {
	io.ReaderAt
	io.Closer
}

// Borrow makes ranges of a file without local data have the bytes of src, which the file takes over and closes in the end:
// they take no room here, until the first write copies them. The ranges ascend and do not overlap.
func (f *File) Borrow(src Source, ranges []Extent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.local.file = &borrowed{src}
	for _, r := range ranges {
		f.content.set(r.Off, r.Off+r.Len, kindData)
	}
	f.dirty = true
}

// borrowed is a Source in the place of a local file. What is no content any more stays in it.
type borrowed struct{ Source }

var errBorrowed = errors.New("what is borrowed is not written to")

func (*borrowed) WriteAt([]byte, int64) (int, error) { return 0, errBorrowed }
func (*borrowed) Truncate(int64) error               { return nil }
func (*borrowed) Punch(int64, int64) error           { return nil }

// lends reports whether the bytes are borrowed.
func (l *local) lends() bool {
	_, lends := l.file.(*borrowed)
	return lends
}

// copyChunk is how much is in memory of what is copied.
const copyChunk = 1 << 20

// own copies what is borrowed to a file of its own. On an error all is as before. The source is kept, as somebody may be
// reading from it.
func (l *local) own(a *Area, c *content) error {
	if !l.lends() {
		return nil
	}
	file, err := a.create()
	if err != nil {
		return err
	}
	next := local{file: file, lender: l.file}
	if err := next.copyFrom(l, a, c); err != nil {
		file.Close()
		return err
	}
	*l = next
	return nil
}

// copyFrom copies all local bytes of a content.
func (l *local) copyFrom(from *local, a *Area, c *content) error {
	buf := make([]byte, min(copyChunk, c.size))
	for s := range c.spans(0, c.size) {
		if !s.kind.local() {
			continue
		}
		if err := a.reserveDisk(s.end - s.off); err != nil {
			return err
		}
		if err := l.copyRange(from, s, buf); err != nil {
			return err
		}
	}
	return nil
}

// copyRange copies a range to its place, by way of a buffer of at most copyChunk.
func (l *local) copyRange(from *local, s span, buf []byte) error {
	for off := s.off; off < s.end; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), s.end-off)]
		if err := from.readAt(p, off); err != nil {
			return err
		}
		if err := l.writeAt(p, off); err != nil {
			return err
		}
	}
	return nil
}
