package journal

import (
	"cmp"
	"fmt"
	"slices"
)

// View are the bytes of an entry, to be read in any order. It stays good when the entry ends. It is safe for concurrent
// use, but for Close, which the user calls when nobody reads any more.
type View struct {
	extents []Extent
	starts  []int64 // of the extents, in the bytes
	file    File    // nil: they are in mem
	mem     []byte
}

// View returns the bytes of an entry, after it has checked them: ErrDamaged if they are not what was written.
func (j *Journal) View(id uint64) (*View, error) {
	j.mu.Lock()
	e := j.mu.live[id]
	if e == nil {
		j.mu.Unlock()
		return nil, fmt.Errorf("journal entry %d: %w", id, ErrKept)
	}
	v := &View{extents: e.content.extents}
	place, file := e.content.place, e.content.file
	j.mu.Unlock()
	var size int64
	for _, x := range v.extents {
		v.starts = append(v.starts, size)
		size += x.Len
	}
	keep := func(p []byte, _ int64) error { v.mem = append(v.mem, p...); return nil }
	if place == placeFile {
		var err error
		if v.file, err = j.fs.Open(dataName(file)); err != nil {
			return nil, fmt.Errorf("journal entry %d: %w", id, err)
		}
		keep = func([]byte, int64) error { return nil }
	}
	if err := j.Read(id, keep); err != nil {
		_ = v.Close() // only read
		return nil, err
	}
	return v, nil
}

// Large reports whether the bytes are not in memory.
func (v *View) Large() bool { return v.file != nil }

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
		if v.file == nil {
			copy(q, v.mem[at:])
		} else if err := readFull(v.file, q, at); err != nil {
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
