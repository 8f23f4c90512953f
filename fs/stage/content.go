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
	kindSaved                // the same, and the file's user has a copy
	kindWatched              // the same as kindData, not changed since Watch
	kindZero                 // zeros, here only
	kindSame                 // here, and the same in the base
	kindSameZero             // zeros, and the same in the base
)

// public is the kind as an upload sees it.
func (k kind) public() Kind {
	switch k {
	case kindData, kindSaved, kindWatched:
		return Data
	case kindZero:
		return Zero
	}
	return Unchanged
}

// local reports whether the bytes lie in the file's local storage.
func (k kind) local() bool { return k.public() == Data || k == kindSame }

// committed is the kind once the content has become the base.
func (k kind) committed() kind {
	switch k {
	case kindData, kindSaved, kindWatched:
		return kindSame
	case kindZero:
		return kindSameZero
	}
	return k
}

// saved is the kind once the file's user has a copy of the content.
func (k kind) saved() kind {
	if k.unsaved() {
		return kindSaved
	}
	return k
}

// unsaved reports whether the bytes are not even with the file's user.
func (k kind) unsaved() bool { return k == kindData || k == kindWatched }

// content maps every offset of a file to a kind: a mark holds from its offset to that of the next one, the last to
// size. Marks lie in chunks, so that a change among millions of them moves only a few.
//
// INVARIANT: there are no marks when size is 0; otherwise the first is at offset 0.
// INVARIANT: offsets ascend strictly and stay below size; neighbours differ in kind.
// INVARIANT: every chunk has 1 to chunkMarks marks.
type content struct {
	size   int64
	chunks [][]mark
}

// chunkMarks bounds a chunk.
const chunkMarks = 256

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
		c.cut(off)
		c.size = end
		c.push(off, k)
		return
	}
	from, to := c.at(off), c.at(end)
	after := mark{end, c.mark(c.holder(end)).kind}
	repl := make([]mark, 0, 2)
	if off == 0 || c.mark(c.prev(from)).kind != k {
		repl = append(repl, mark{off, k})
	}
	if c.valid(to) && c.mark(to).off == end {
		to = c.next(to)
	}
	if after.kind != k {
		repl = append(repl, after)
	}
	c.replace(from, to, repl)
}

// truncate cuts the content at size, or extends it with zeros.
func (c *content) truncate(size int64) {
	if size > c.size {
		c.set(c.size, size, kindZero)
		return
	}
	c.cut(size)
	c.size = size
}

// become makes every kind the one that to gives.
func (c *content) become(to func(kind) kind) {
	old := c.chunks
	c.chunks = nil
	for _, chunk := range old {
		for _, m := range chunk {
			c.push(m.off, to(m.kind))
		}
	}
}

// becomeWhere is become for what is of another kind than kindData in touched, which ends where the change does.
func (c *content) becomeWhere(touched *content, to func(kind) kind) {
	old := content{c.size, c.chunks}
	c.chunks = nil
	for s := range old.spans(0, old.size) {
		for t := range touched.spans(s.off, s.end) {
			if t.kind == kindData {
				c.push(t.off, s.kind)
			} else {
				c.push(t.off, to(s.kind))
			}
		}
		if s.end > touched.size {
			c.push(max(s.off, touched.size), s.kind)
		}
	}
}

func (c *content) clone() content {
	other := content{size: c.size, chunks: make([][]mark, len(c.chunks))}
	for i, chunk := range c.chunks {
		other.chunks[i] = slices.Clone(chunk)
	}
	return other
}

// push appends a mark unless the last one has the same kind.
func (c *content) push(off int64, k kind) {
	last := len(c.chunks) - 1
	if last < 0 || len(c.chunks[last]) == chunkMarks {
		if last >= 0 && c.chunks[last][chunkMarks-1].kind == k {
			return
		}
		c.chunks = append(c.chunks, []mark{{off, k}})
		return
	}
	if chunk := c.chunks[last]; chunk[len(chunk)-1].kind != k {
		c.chunks[last] = append(chunk, mark{off, k})
	}
}

// cut removes the marks at and behind off.
func (c *content) cut(off int64) {
	p := c.at(off)
	if c.valid(p) && p.i > 0 {
		c.chunks[p.chunk] = c.chunks[p.chunk][:p.i]
		p.chunk++
	}
	clear(c.chunks[p.chunk:])
	c.chunks = c.chunks[:p.chunk]
}

// replace puts repl, at most two marks, in place of those from one position to before another.
func (c *content) replace(from, to place, repl []mark) {
	if !c.valid(from) {
		for _, m := range repl {
			c.push(m.off, m.kind)
		}
		return
	}
	n := from.chunk
	if from.chunk == to.chunk {
		c.chunks[n] = slices.Replace(c.chunks[n], from.i, to.i, repl...)
	} else {
		c.chunks[n] = append(c.chunks[n][:from.i], repl...)
		if c.valid(to) {
			c.chunks[to.chunk] = slices.Delete(c.chunks[to.chunk], 0, to.i)
		}
		c.chunks = slices.Delete(c.chunks, n+1, to.chunk)
	}
	switch chunk := c.chunks[n]; {
	case len(chunk) == 0:
		c.chunks = slices.Delete(c.chunks, n, n+1)
	case len(chunk) > chunkMarks:
		half := len(chunk) / 2
		c.chunks[n] = chunk[:half:half]
		c.chunks = slices.Insert(c.chunks, n+1, slices.Clone(chunk[half:]))
	}
}

// place is where a mark is; behind the last one it is {len(chunks), 0}.
type place struct{ chunk, i int }

func (c *content) valid(p place) bool { return p.chunk < len(c.chunks) }

// mark returns the mark at a valid place.
func (c *content) mark(p place) mark { return c.chunks[p.chunk][p.i] }

func (c *content) next(p place) place {
	if p.i++; p.i == len(c.chunks[p.chunk]) {
		return place{chunk: p.chunk + 1}
	}
	return p
}

// prev returns the place before p, which is not the first.
func (c *content) prev(p place) place {
	if p.i == 0 {
		return place{p.chunk - 1, len(c.chunks[p.chunk-1]) - 1}
	}
	return place{p.chunk, p.i - 1}
}

// at returns the place of the first mark at or after off.
func (c *content) at(off int64) place {
	n := sort.Search(len(c.chunks), func(i int) bool {
		chunk := c.chunks[i]
		return chunk[len(chunk)-1].off >= off
	})
	if n == len(c.chunks) {
		return place{chunk: n}
	}
	chunk := c.chunks[n]
	return place{n, sort.Search(len(chunk), func(i int) bool { return chunk[i].off >= off })}
}

// holder returns the place of the mark that the byte at off, which is below size, belongs to.
func (c *content) holder(off int64) place { return c.prev(c.at(off + 1)) }

// spans yields the parts of [off, end) within the content, in order.
func (c *content) spans(off, end int64) iter.Seq[span] {
	return func(yield func(span) bool) {
		end = min(end, c.size)
		if off >= end {
			return
		}
		for p := c.holder(off); off < end; {
			kind := c.mark(p).kind
			to := end
			if p = c.next(p); c.valid(p) {
				to = min(c.mark(p).off, end)
			}
			if !yield(span{off, to, kind}) {
				return
			}
			off = to
		}
	}
}

// all reports whether [off, end) lies within the content, and is of kinds that is says yes to.
func (c *content) all(off, end int64, is func(kind) bool) bool {
	if off < 0 || off >= end || end > c.size {
		return false
	}
	for s := range c.spans(off, end) {
		if !is(s.kind) {
			return false
		}
	}
	return true
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
