package journal

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
)

// View are the bytes of an entry, to be read in any order. It stays good when the entry ends, as its file does while a view
// reads from it, also when it is removed. It is safe for concurrent use, but for Close, which the user calls when nobody
// reads any more.
type View struct {
	extents []Extent
	starts  []int64 // of the extents, in the file
	file    File
}

// View returns the bytes of an entry: ErrDamaged if they are not what was written.
func (j *Journal) View(id uint64) (*View, error) {
	v, at, err := j.view(id)
	if err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", id, err)
	}
	for _, x := range v.extents {
		v.starts = append(v.starts, at)
		at += x.Len
	}
	return v, nil
}

// view returns a view without starts, and where the bytes begin in its file.
func (j *Journal) view(id uint64) (v *View, at int64, err error) {
	j.mu.Lock()
	e := j.mu.live[id]
	if e == nil {
		j.mu.Unlock()
		return nil, 0, ErrKept
	}
	c := e.content
	v = &View{extents: c.extents}
	if c.place != placeFile {
		defer j.mu.Unlock()
		if len(v.extents) > 0 {
			v.file = c.segment.file.hold()
		}
		return v, c.at, nil
	}
	j.mu.Unlock()
	if v.file, err = j.fs.Open(dataName(c.file)); err != nil {
		return nil, 0, err
	}
	if err := j.readContent(c, func([]byte, int64) error { return nil }); err != nil {
		_ = v.Close() // only read
		return nil, 0, err
	}
	return v, 0, nil
}

// Extents returns the ranges of the file that there are bytes of.
func (v *View) Extents() []Extent { return v.extents }

// Fill reads what there is of [off, off+len(p)) into its place in p, and leaves the rest as it is.
func (v *View) Fill(p []byte, off int64) error {
	end := off + int64(len(p))
	i, _ := slices.BinarySearchFunc(v.extents, off, func(x Extent, off int64) int { return cmp.Compare(x.Off+x.Len, off+1) })
	for ; i < len(v.extents) && v.extents[i].Off < end; i++ {
		x := v.extents[i]
		from, to := max(x.Off, off), min(x.Off+x.Len, end)
		q, at := p[from-off:to-off], v.starts[i]+from-x.Off
		if err := readFull(v.file, q, at); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
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
