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

// What is patched again and again must neither fall into ever more pieces, which reading and each further patch would pay
// for, nor keep bytes for ever that it does not have any more. So a patch stores anew, with the bytes that it brings, some
// of those around them:
//
//   - of an area of patchCell that it touches and that would lie in more than patchPieces pieces, everything. A patch makes
//     two more pieces at most with each of its ranges, so an area is stored anew once in four of them, or more rarely.
//     Areas double with each doubling of the number of pieces above manyPieces, so that the sum of these has a limit too;
//   - of a blob that it cuts, of which a quarter or less is left, the rest, if it is not more than patchRest. That is then no
//     more than a third of what other patches brought in its place.
type patchLimits struct {
	cell   int64
	pieces int
	rest   int64
}

const (
	patchCell   = 1 << 20
	patchPieces = 8
	patchRest   = 64 << 20
	manyPieces  = 1024
)

func (l patchLimits) cellOf(pieces int) int64 {
	cell := l.cell
	for ; pieces >= manyPieces; pieces /= 2 {
		cell *= 2
	}
	return cell
}

// patchPlan is how an object is made of another: what is fresh is stored anew, all else are pieces of the other's blobs.
type patchPlan struct {
	base  []extent
	size  int64   // of the new object
	fresh []Range // in order, with something between them
}

// planPatch finds out what to store anew of an object that is base up to size, but for ranges. stored gives the length of
// a blob, 0 where it is not known.
func planPatch(base []extent, size int64, ranges []Range, lim patchLimits, stored func(blob.ID) int64) *patchPlan {
	p := &patchPlan{base: base, size: size}
	p.add(ranges)
	p.add(p.crumbled(lim))
	p.add(p.rests(lim, stored))
	return p
}

// wholePatch stores everything anew.
func wholePatch(size int64) *patchPlan {
	p := &patchPlan{size: size}
	p.add([]Range{{0, size}})
	return p
}

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

// pieces gives the extents of the object; those that are fresh lie in the given blob, one after another.
func (p *patchPlan) pieces(made blob.ID) (list []extent) {
	at, stored := int64(0), int64(0)
	for _, r := range p.fresh {
		list = append(list, cutExtents(p.base, at, r.Off-at)...)
		list = append(list, extent{made, stored, r.Len})
		at, stored = r.end(), stored+r.Len
	}
	return append(list, cutExtents(p.base, at, p.size-at)...)
}

// shared gives those extents that are the base's.
func (p *patchPlan) shared() []extent {
	return slices.DeleteFunc(p.pieces(blob.ID{}), func(e extent) bool { return e.blob == blob.ID{} })
}

// crumbled gives the areas that what is fresh lies in and that are in too many pieces.
func (p *patchPlan) crumbled(lim patchLimits) (areas []Range) {
	pieces := p.pieces(blob.ID{})
	starts, cell := startsOf(pieces), lim.cellOf(len(pieces))
	next := int64(0)
	for _, r := range p.fresh {
		for n := max(next, r.Off/cell); n*cell < r.end(); n++ {
			area := Range{n * cell, min(cell, p.size-n*cell)}
			first := sort.Search(len(starts), func(i int) bool { return starts[i] > area.Off })
			behind := sort.Search(len(starts), func(i int) bool { return starts[i] >= area.end() })
			if behind-first+1 > lim.pieces {
				areas = append(areas, area)
			}
			next = n + 1
		}
	}
	return areas
}

// rests gives what is left of blobs of which little is.
func (p *patchPlan) rests(lim patchLimits, stored func(blob.ID) int64) (rests []Range) {
	pieces := p.pieces(blob.ID{})
	left := bytesOf(pieces)
	little := map[blob.ID]bool{}
	for id, had := range bytesOf(p.base) {
		n := left[id]
		little[id] = 0 < n && n < had && n <= lim.rest && n <= stored(id)/4
	}
	starts := startsOf(pieces)
	for i, e := range pieces {
		if little[e.blob] {
			rests = append(rests, Range{starts[i], e.len})
		}
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
