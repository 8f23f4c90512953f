package stage

import (
	"iter"
	"slices"
	"sort"
)

// Kind says what an Extent is for an upload.
type Kind uint8

// The kinds of an Extent.
const (
	Data      Kind = iota // written since the last commit
	Unchanged             // the same bytes as the base at the same offset
	Zero                  // zeros that the base does not have there
)

// Extent is a range of a file's content of one kind.
type Extent struct {
	Off, Len int64
	Kind     Kind
}

// kind is where a range's bytes are, and whether the base has them too.
type kind uint8

const (
	kindBase     kind = iota // in the base only
	kindData                 // here only
	kindZero                 // zeros, here only
	kindSame                 // here, and the same in the base
	kindSameZero             // zeros, and the same in the base
)

// public is the kind as an upload sees it.
func (k kind) public() Kind {
	switch k {
	case kindData:
		return Data
	case kindZero:
		return Zero
	}
	return Unchanged
}

// local reports whether the bytes lie in the file's local storage.
func (k kind) local() bool { return k == kindData || k == kindSame }

// committed is the kind once the content has become the base.
func (k kind) committed() kind {
	switch k {
	case kindData:
		return kindSame
	case kindZero:
		return kindSameZero
	}
	return k
}

// content maps every offset of a file to a kind: marks[i] holds from its offset to that of marks[i+1], the last one
// to size.
//
// INVARIANT: marks is empty when size is 0, and begins at offset 0 otherwise.
// INVARIANT: offsets ascend strictly and stay below size; neighbours differ in kind.
type content struct {
	size  int64
	marks []mark
}

type mark struct {
	off  int64
	kind kind
}

// span is the range [off, end) of one kind.
type span struct {
	off, end int64
	kind     kind
}

// set makes [off, end) of kind k and extends the content if it ends before end; a gap up to off becomes zeros.
func (c *content) set(off, end int64, k kind) {
	if off >= end {
		return
	}
	if off > c.size {
		c.set(c.size, off, kindZero)
	}
	if end >= c.size {
		c.marks = c.marks[:c.at(off)]
		c.size = end
		c.push(off, k)
		return
	}
	i, j := c.at(off), c.at(end)
	after := mark{end, c.kindAt(end)}
	repl := make([]mark, 0, 2)
	if i == 0 || c.marks[i-1].kind != k {
		repl = append(repl, mark{off, k})
	}
	if j < len(c.marks) && c.marks[j].off == end {
		j++
	}
	if after.kind != k {
		repl = append(repl, after)
	}
	c.marks = slices.Replace(c.marks, i, j, repl...)
}

// push appends a mark unless the last one has the same kind.
func (c *content) push(off int64, k kind) {
	if n := len(c.marks); n == 0 || c.marks[n-1].kind != k {
		c.marks = append(c.marks, mark{off, k})
	}
}

// truncate cuts the content at size, or extends it with zeros.
func (c *content) truncate(size int64) {
	if size > c.size {
		c.set(c.size, size, kindZero)
		return
	}
	c.marks = c.marks[:c.at(size)]
	c.size = size
}

// commit makes every kind its committed one.
func (c *content) commit() {
	old := c.marks
	c.marks = c.marks[:0]
	for _, m := range old {
		c.push(m.off, m.kind.committed())
	}
}

// at returns the index of the first mark at or after off.
func (c *content) at(off int64) int {
	return sort.Search(len(c.marks), func(i int) bool { return c.marks[i].off >= off })
}

// kindAt returns the kind of the byte at off, which is below size.
func (c *content) kindAt(off int64) kind {
	i := sort.Search(len(c.marks), func(i int) bool { return c.marks[i].off > off })
	return c.marks[i-1].kind
}

// spans yields the parts of [off, end) within the content, in order.
func (c *content) spans(off, end int64) iter.Seq[span] {
	return func(yield func(span) bool) {
		end = min(end, c.size)
		i := sort.Search(len(c.marks), func(i int) bool { return c.marks[i].off > off }) - 1
		for ; off < end; i++ {
			next := c.size
			if i+1 < len(c.marks) {
				next = c.marks[i+1].off
			}
			next = min(next, end)
			if !yield(span{off, next, c.marks[i].kind}) {
				return
			}
			off = next
		}
	}
}

// extents is the whole content as an upload sees it.
func (c *content) extents() []Extent {
	var out []Extent
	for s := range c.spans(0, c.size) {
		k := s.kind.public()
		if n := len(out); n > 0 && out[n-1].Kind == k {
			out[n-1].Len += s.end - s.off
			continue
		}
		out = append(out, Extent{Off: s.off, Len: s.end - s.off, Kind: k})
	}
	return out
}
