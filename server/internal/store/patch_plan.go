package store

import (
	"cmp"
	"slices"
	"sort"

	"pail/server/internal/blob"
)

// Range is a range of an object.
type Range struct{ Off, Len int64 }

func (r Range) end() int64 { return r.Off + r.Len }

// rangesLen is how many bytes ranges have together.
func rangesLen(ranges []Range) (n int64) {
	for _, r := range ranges {
		n += r.Len
	}
	return n
}

// What is patched again and again must neither fall into ever more pieces, which reading and each further patch would pay
// for, nor keep bytes for ever that it does not have any more. So a patch stores anew, with the bytes that it brings, some
// of those around them:
//
//   - of an area of patchCell that it touches and that would lie in more than patchPieces pieces, everything. A patch makes
//     two more pieces at most with each of its ranges, so an area is stored anew once in four of them, or more rarely.
//     Areas double with each doubling of the number of pieces above manyPieces, up to patchSpend, so that the sum of these
//     grows slowly;
//   - of a blob that it cuts, of which a quarter or less is left, the rest. That is then no more than a third of what other
//     patches brought in its place.
//
// None of that is needed for the patch itself: all of it together is patchSpend at most and patchShare times what was sent,
// those first that lie in most pieces, and what cannot be read stays where it is.
type patchLimits struct {
	cell   int64
	pieces int
	spend  int64
}

const (
	patchCell   = 1 << 20
	patchPieces = 8
	patchSpend  = 16 << 20
	patchShare  = 4
	manyPieces  = 1024
)

func (l patchLimits) cellOf(pieces int) int64 {
	cell := l.cell
	for ; pieces >= manyPieces && 2*cell <= l.spend; pieces /= 2 {
		cell *= 2
	}
	return cell
}

// budget is how many bytes that were not sent may be stored, of a body of the given length.
func (l patchLimits) budget(sent int64) int64 {
	return min(l.spend+patchShare*sent, MaxPutSize-sent)
}

// patchPlan is how an object is made of another: what is fresh is stored anew, all else are pieces of the other's blobs.
type patchPlan struct {
	base   []extent
	starts []int64 // of each of base
	size   int64   // of the new object
	fresh  []Range // in order, with something between them
}

// planPatch is the plan to store of an object that is base up to size what is in ranges.
func planPatch(base []extent, size int64, ranges []Range) *patchPlan {
	p := &patchPlan{base: base, starts: startsOf(base), size: size}
	p.add(ranges)
	return p
}

// wholePatch stores everything anew.
func wholePatch(size int64) *patchPlan { return planPatch(nil, size, []Range{{0, size}}) }

// add makes more of the object fresh.
func (p *patchPlan) add(more []Range) {
	list := append(slices.Clone(p.fresh), more...)
	slices.SortFunc(list, func(a, b Range) int { return cmp.Compare(a.Off, b.Off) })
	p.fresh = p.fresh[:0]
	for _, r := range list {
		if r.Len == 0 {
			continue
		}
		if n := len(p.fresh); n > 0 && p.fresh[n-1].end() >= r.Off {
			p.fresh[n-1].Len = max(p.fresh[n-1].end(), r.end()) - p.fresh[n-1].Off
			continue
		}
		p.fresh = append(p.fresh, r)
	}
}

// stale gives what is not fresh of a range.
func (p *patchPlan) stale(r Range) (list []Range) {
	at := r.Off
	first := sort.Search(len(p.fresh), func(i int) bool { return p.fresh[i].end() > r.Off })
	for _, f := range p.fresh[first:] {
		if f.Off >= r.end() {
			break
		}
		if at < f.Off {
			list = append(list, Range{at, f.Off - at})
		}
		at = f.end()
	}
	if at < r.end() {
		list = append(list, Range{at, r.end() - at})
	}
	return list
}

// pieces gives the extents of the object; those that are fresh lie in the given blob, one after another.
func (p *patchPlan) pieces(made blob.ID) (list []extent) {
	at, stored := int64(0), int64(0)
	for _, r := range p.fresh {
		list = append(list, p.cut(at, r.Off)...)
		list = append(list, extent{made, stored, r.Len})
		at, stored = r.end(), stored+r.Len
	}
	return append(list, p.cut(at, p.size)...)
}

// cut gives the extents of what the base has from off to end.
func (p *patchPlan) cut(off, end int64) []extent {
	if off >= end {
		return nil
	}
	i := sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > off }) - 1
	return cutExtents(p.base[i:], off-p.starts[i], end-off)
}

// option is what may be stored anew too, all of it or nothing.
type option struct {
	ranges []Range // none of them fresh
	pieces int     // that become one
}

// crumbled gives the areas that what is fresh lies in and that are in too many pieces, those in most first.
func (p *patchPlan) crumbled(lim patchLimits) (areas []option) {
	pieces := p.pieces(blob.ID{})
	starts, cell := startsOf(pieces), lim.cellOf(len(pieces))
	next := int64(0)
	for _, r := range p.fresh {
		for n := max(next, r.Off/cell); n*cell < r.end(); n++ {
			area := Range{n * cell, min(cell, p.size-n*cell)}
			first := sort.Search(len(starts), func(i int) bool { return starts[i] > area.Off })
			behind := sort.Search(len(starts), func(i int) bool { return starts[i] >= area.end() })
			if in := behind - first + 1; in > lim.pieces {
				areas = append(areas, option{p.stale(area), in})
			}
			next = n + 1
		}
	}
	slices.SortStableFunc(areas, func(a, b option) int { return cmp.Compare(b.pieces, a.pieces) })
	return areas
}

// rests gives what is left of each blob that the patch cuts and that stored, which gives the lengths of those it is asked
// for, says to be long.
func (p *patchPlan) rests(stored func(blob.ID) int64) (rests []option) {
	pieces := p.pieces(blob.ID{})
	left, had := bytesOf(pieces), bytesOf(p.base)
	little := map[blob.ID]int{} // its place in rests
	for id, was := range had {
		if n := left[id]; 0 < n && n < was && n <= stored(id)/4 {
			little[id] = -1
		}
	}
	starts := startsOf(pieces)
	for i, e := range pieces {
		at, ok := little[e.blob]
		if !ok {
			continue
		}
		if at < 0 {
			at = len(rests)
			little[e.blob], rests = at, append(rests, option{})
		}
		rests[at].ranges = append(rests[at].ranges, Range{starts[i], e.len})
	}
	return rests
}

// bytesOf counts the bytes of each blob.
func bytesOf(list []extent) map[blob.ID]int64 {
	n := make(map[blob.ID]int64, len(list))
	for _, e := range list {
		n[e.blob] += e.len
	}
	return n
}
