package journal

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"
)

// View are the bytes of an entry, to be read in any order. It stays good when the entry ends, as its file does while a view
// reads from it, also when it is removed. It is safe for concurrent use, but for Close, which the user calls when nobody
// reads any more.
type View struct {
	extents []Extent
	starts  []int64 // of the extents, in the bytes
	file    File    // has the bytes from at on; nil: there are none
	at      int64
	size    int64
	content content

	once sync.Once
	sums []uint32 // of the blocks of the bytes, as what is read later is not to be checked as a whole
	err  error    // of taking them
}

// viewBlock is how much is read and checked at once.
const viewBlock = 32 << 10

// View returns the bytes of an entry: ErrDamaged if they are not what was written. Those in the log were checked by replay,
// and are checked again when they are read first.
func (j *Journal) View(id uint64) (*View, error) {
	v, err := j.view(id)
	if err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", id, err)
	}
	if v.content.place != placeFile {
		return v, nil
	}
	if err := v.check(); err != nil {
		_ = v.Close() // only read
		return nil, fmt.Errorf("journal entry %d: %w", id, err)
	}
	return v, nil
}

// view returns a view that nothing was read for.
func (j *Journal) view(id uint64) (v *View, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.mu.live[id]
	if e == nil {
		return nil, ErrKept
	}
	c := e.content
	v = &View{extents: c.extents, content: c}
	for _, x := range v.extents {
		v.starts = append(v.starts, v.size)
		v.size += x.Len
	}
	switch {
	case c.place == placeFile:
		v.file, err = j.fs.Open(dataName(c.file))
	case len(v.extents) > 0:
		v.file, v.at = c.segment.file.hold(), c.at
	}
	return v, err
}

// check reads all once, to see whether it is what was written, and takes the sums of its blocks.
func (v *View) check() error {
	v.once.Do(func() {
		sum, block := uint32(0), make([]byte, min(viewBlock, v.size))
		for off := int64(0); off < v.size; off += viewBlock {
			p := block[:min(viewBlock, v.size-off)]
			if err := readFull(v.file, p, v.at+off); err != nil {
				v.err = fmt.Errorf("%w: %w", ErrDamaged, err)
				return
			}
			sum = crc32.Update(sum, crcTable, p)
			v.sums = append(v.sums, crc32.Checksum(p, crcTable))
		}
		if sum != v.content.sum {
			v.err = v.content.damaged()
		}
	})
	return v.err
}

// read reads some of the bytes, whose blocks it checks.
func (v *View) read(p []byte, from int64) error {
	if err := v.check(); err != nil {
		return err
	}
	block := make([]byte, min(viewBlock, v.size))
	for len(p) > 0 {
		n := from / viewBlock
		b := block[:min(viewBlock, v.size-n*viewBlock)]
		if err := readFull(v.file, b, v.at+n*viewBlock); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if crc32.Checksum(b, crcTable) != v.sums[n] {
			return fmt.Errorf("%w, somewhere from byte %d to %d of that", v.content.damaged(), n*viewBlock, n*viewBlock+int64(len(b)))
		}
		done := copy(p, b[from-n*viewBlock:])
		p, from = p[done:], from+int64(done)
	}
	return nil
}

// Extents returns the ranges of the file that there are bytes of.
func (v *View) Extents() []Extent { return v.extents }

// Fill reads what there is of [off, off+len(p)) into its place in p, and leaves the rest as it is. ErrDamaged: the bytes are
// not what was written.
func (v *View) Fill(p []byte, off int64) error {
	end := off + int64(len(p))
	i, _ := slices.BinarySearchFunc(v.extents, off, func(x Extent, off int64) int { return cmp.Compare(x.Off+x.Len, off+1) })
	for ; i < len(v.extents) && v.extents[i].Off < end; i++ {
		x := v.extents[i]
		from, to := max(x.Off, off), min(x.Off+x.Len, end)
		q, at := p[from-off:to-off], v.starts[i]+from-x.Off
		if err := v.read(q, at); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the use of the view.
func (v *View) Close() error {
	if v.file == nil {
		return nil
	}
	return v.file.Close()
}

// sharedFile is a file that is closed when the last of its users has closed it.
type sharedFile struct {
	File
	users atomic.Int32
}

func share(file File) *sharedFile {
	s := &sharedFile{File: file}
	s.users.Store(1)
	return s
}

// hold returns the file for another user. The caller is one, or keeps one from closing it.
func (s *sharedFile) hold() *sharedFile {
	s.users.Add(1)
	return s
}

// Close implements io.Closer.
func (s *sharedFile) Close() error {
	if s.users.Add(-1) > 0 {
		return nil
	}
	return s.File.Close()
}
