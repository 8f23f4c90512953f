package upload

import "pail/fs/stage"

// gridStep is how many parts of a grid have the same size.
const gridStep = 250

// grid is how a file is divided into parts while it is not known how large it becomes: gridStep parts of the wanted size,
// as many of twice that, and so on, so that a small file has small parts, and the largest has not too many.
type grid struct {
	first, most int64 // length of the first part, and of the longest
	count       int   // of parts
}

func newGrid(lim limits) grid { return grid{first: lim.send, most: lim.max, count: lim.count} }

// cell returns the n-th part, from 1.
func (g grid) cell(n int) part {
	p := part{len: g.first}
	for left := n - 1; ; left -= gridStep {
		if left < gridStep || p.len == g.most {
			p.off += int64(left) * p.len
			return p
		}
		p.off += gridStep * p.len
		p.len = min(2*p.len, g.most)
	}
}

// before says how many parts end at or before off.
func (g grid) before(off int64) int {
	n, length := 0, g.first
	for ; length < g.most && off >= gridStep*length; length = min(2*length, g.most) {
		off -= gridStep * length
		n += gridStep
	}
	return min(n+int(off/length), g.count)
}

// size is that of the largest file.
func (g grid) size() int64 { return g.cell(g.count).end() }

// numbered is a part with its number in the upload.
type numbered struct {
	part
	n int
}

// parts divides the content of a file. Cells that the base has too become one copied part each time, of lim.copied bytes at
// most, whose number is that of the first; where that is 0, nothing is copied.
func (g grid) parts(size int64, extents []stage.Extent, lim limits) []numbered {
	var out []numbered
	for n, off := 1, int64(0); off < size; n++ {
		p := g.cell(n)
		p.len = min(p.len, size-off)
		for len(extents) > 0 && extents[0].Off+extents[0].Len <= off {
			extents = extents[1:]
		}
		p.copied = lim.copied > 0 && len(extents) > 0 && extents[0].Kind == stage.Unchanged && p.end() <= extents[0].Off+extents[0].Len
		off = p.end()
		if last := len(out) - 1; p.copied && last >= 0 && out[last].copied && out[last].len+p.len <= max(lim.copied, lim.send) {
			out[last].len += p.len
			continue
		}
		out = append(out, numbered{p, n})
	}
	return out
}
