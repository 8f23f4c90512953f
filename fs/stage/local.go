package stage

import (
	"errors"
	"fmt"
	"io"
)

// minMemory is the smallest memory buffer; buffers double from there.
const minMemory = 4 << 10

// local is the storage of the bytes of one file that are here: a memory buffer, or a sparse file, each byte at its own
// offset. Which bytes are valid is told by the file's content, never by the storage. Guarded by File.mu.
type local struct {
	mem    []byte // its capacity is taken from the area's budget
	file   diskFile
	lender io.Closer // of what was borrowed before; nil: nothing was
}

// fits makes the memory buffer reach end, and reports whether it may; true also when the bytes are on disk already.
func (l *local) fits(a *Area, end int64) bool {
	if l.file != nil || end <= int64(len(l.mem)) {
		return true
	}
	if end > a.memFile {
		return false
	}
	size := max(int64(len(l.mem)), minMemory)
	for size < end {
		size *= 2
	}
	size = min(size, a.memFile)
	if size < end || !a.reserveMemory(size-int64(len(l.mem))) {
		return false
	}
	mem := make([]byte, size)
	copy(mem, l.mem)
	l.mem = mem
	return true
}

// spill moves the bytes to disk. On an error they stay in memory.
func (l *local) spill(a *Area, c *content) error {
	file, err := a.create()
	if err != nil {
		return err
	}
	next := local{file: file}
	for s := range c.spans(0, int64(len(l.mem))) {
		if !s.kind.local() {
			continue
		}
		err = a.reserveDisk(s.end - s.off)
		if err == nil {
			err = next.writeAt(l.mem[s.off:s.end], s.off)
		}
		if err != nil {
			file.Close()
			return err
		}
	}
	a.releaseMemory(int64(len(l.mem)))
	*l = next
	return nil
}

func (l *local) readAt(p []byte, off int64) error {
	if l.file == nil {
		copy(p, l.mem[off:])
		return nil
	}
	if _, err := l.file.ReadAt(p, off); err != nil {
		return fmt.Errorf("read local data: %w", err)
	}
	return nil
}

func (l *local) writeAt(p []byte, off int64) error {
	if _, err := l.file.WriteAt(p, off); err != nil {
		return fmt.Errorf("write local data: %w", asNoSpace(err))
	}
	return nil
}

// truncated returns the storage without what lies behind size. That frees room; it is not needed for correctness, so
// that a failure is ignored.
func (l local) truncated(a *Area, size int64) local {
	switch {
	case l.file != nil:
		_ = l.file.Truncate(size)
	case size == 0:
		a.releaseMemory(int64(len(l.mem)))
		l.mem = nil
	}
	return l
}

// punch frees the room of [off, end), where it can.
func (l *local) punch(off, end int64) {
	if l.file != nil {
		_ = l.file.Punch(off, end-off)
	}
}

func (l *local) close(a *Area) error {
	a.releaseMemory(int64(len(l.mem)))
	var err error
	for _, c := range []io.Closer{l.file, l.lender} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	*l = local{}
	return err
}
