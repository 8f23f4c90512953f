package upload

import (
	"fmt"

	"pail/fs/stage"
	"pail/s3client"
)

// MaxObjectSize is the largest object that S3 takes, 48.8 TiB: as much as the parts can hold
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const MaxObjectSize = s3client.MaxParts * s3client.MaxPartSize

// part is one part of a multipart upload: the range [off, off+len), sent or copied from the base.
type part struct {
	off, len int64
	copied   bool
}

func (p part) end() int64 { return p.off + p.len }

// limits are what a plan must keep to. S3's own are in s3Limits; tests use smaller ones.
type limits struct {
	min, max int64 // of a part; the last may be smaller than min
	maxCopy  int64 // of a copied part
	count    int   // of parts
	send     int64 // wanted size of a sent part
	copied   int64 // wanted size of a copied part; 0: nothing may be copied
}

// plan divides [0, size) into parts. Only Unchanged extents are copied, and only where at least lim.min bytes of one
// are left after its neighbours took what they need to reach lim.min themselves. When the parts are too many, they
// grow and short unchanged runs are sent, until they fit.
func plan(size int64, extents []stage.Extent, lim limits) ([]part, error) {
	shortest := lim.min
	for { // each round doubles something, up to the limits
		parts := split(runs(size, extents, lim, shortest), lim)
		if len(parts) <= lim.count {
			return parts, nil
		}
		if lim.send == lim.max && shortest > size {
			return nil, fmt.Errorf("%w: %d bytes do not fit into %d parts of %d", s3client.ErrTooLarge, size, lim.count, lim.max)
		}
		lim.send = min(2*lim.send, lim.max)
		lim.copied = min(2*lim.copied, lim.maxCopy)
		shortest *= 2
	}
}

// runs returns [0, size) as ranges that alternate between sent and copied. Sent ones have at least lim.min bytes and
// copied ones at least shortest, but for one at the end (a copied one only as long as parts need not be saved).
func runs(size int64, extents []stage.Extent, lim limits, shortest int64) []part {
	var out []part
	end := int64(0)
	for _, e := range extents {
		copied := lim.copied > 0 && e.Kind == stage.Unchanged
		off := e.Off
		if last := len(out) - 1; copied && last >= 0 && !out[last].copied {
			off += borrow(out[last].len, e.Len, lim.min)
			out[last].len += off - e.Off
		}
		left := e.Off + e.Len - off
		last := e.Off+e.Len == size && shortest == lim.min && left > 0
		if copied && left < shortest && !last {
			copied = false
		}
		out = appendRun(out, part{off, left, copied})
		end = e.Off + e.Len
	}
	if end < size {
		out = appendRun(out, part{end, size - end, false})
	}
	return out
}

// borrow says how many bytes a sent run of n bytes takes from the unchanged run of avail bytes behind it.
func borrow(n, avail, minimum int64) int64 {
	return min(max(minimum-n, 0), avail)
}

// appendRun adds r, merging it with a run of its kind before it.
func appendRun(out []part, r part) []part {
	if r.len == 0 {
		return out
	}
	if last := len(out) - 1; last >= 0 && !out[last].copied && !r.copied {
		out[last].len += r.len
		return out
	}
	return append(out, r)
}

// split cuts runs into parts. It gives up when they are more than lim.count, with one too many.
func split(runs []part, lim limits) []part {
	var out []part
	for i, r := range runs {
		unit, most := lim.send, lim.max
		if r.copied {
			unit, most = lim.copied, lim.maxCopy
		}
		lowest := lim.min
		if i == len(runs)-1 {
			lowest = 1
		}
		for r.len > 0 && len(out) <= lim.count {
			n := pieceLen(r.len, unit, lowest, most)
			out = append(out, part{r.off, n, r.copied})
			r.off, r.len = r.off+n, r.len-n
		}
	}
	return out
}

// pieceLen is the length of the next piece of a run with n bytes left: unit, unless that would leave a rest shorter
// than lowest. Then it is all that is left, or half of it where that is more than most.
func pieceLen(n, unit, lowest, most int64) int64 {
	switch {
	case n <= unit:
		return n
	case n-unit >= lowest:
		return unit
	case n <= most:
		return n
	}
	return n / 2
}

// copyPlan is the plan of a copy of a whole object.
func copyPlan(size int64, lim limits) ([]part, error) {
	return plan(size, []stage.Extent{{Len: size, Kind: stage.Unchanged}}, lim)
}
