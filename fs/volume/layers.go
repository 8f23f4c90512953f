package volume

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"pail/fs/journal"
	"pail/fs/stage"
	"pail/s3client"
)

// layers are where the journal has the bytes of a file: in its entry, and over these in parts, which are entries too. So
// each fsync(2) of a large file writes only what came since the last one. A part takes up those before it that are not
// much larger; so there are few, and together they are not much larger than what the file has.
type layers struct {
	file  *stage.File   // what is Saved of it are these bytes
	base  s3client.ETag // of the version that they lie over; "": none
	first int64         // bytes in the entry itself
	parts []part
}

type part struct {
	ref   journal.Ref
	bytes int64
}

func (l *layers) refs() []journal.Ref {
	var refs []journal.Ref
	for _, p := range l.parts {
		refs = append(refs, p.ref)
	}
	return refs
}

func (l *layers) ids() []uint64 {
	var ids []uint64
	for _, p := range l.parts {
		ids = append(ids, p.ref.ID)
	}
	return ids
}

// without returns what is to end when others take the place of these.
func (l *layers) without(others layers) []journal.Ref {
	return slices.DeleteFunc(l.refs(), func(ref journal.Ref) bool {
		return slices.ContainsFunc(others.parts, func(p part) bool { return p.ref == ref })
	})
}

// written returns the layers after a Put which has had a new part, or none.
func (l layers) written(refs []journal.Ref) layers {
	if len(refs) > 0 {
		l.parts[len(l.parts)-1].ref = refs[0]
	}
	return l
}

// layout is how a state goes to the journal.
type layout struct {
	content *journal.Content // of the entry; nil: what it has
	part    *journal.Content // nil: no new one
	partID  uint64
	next    layers // what there is then; a new part has no sequence number yet
}

// partInfo is an entry that is a part.
const partInfo = `{"Part":true}`

// changes are what is put: the entry, and a part.
func (l *layout) changes(id uint64, e *entry) ([]journal.Change, error) {
	info, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	changes := []journal.Change{{ID: id, Info: info, Content: l.content}}
	if l.part == nil {
		return changes, nil
	}
	return append(changes, journal.Change{ID: l.partID, Info: []byte(partInfo), Content: l.part}), nil
}

// layOut decides which bytes of a snapshot are written, where the journal has had some; see journalState for snap nil.
func (v *Volume) layOut(had layers, c *content, snap *stage.Snapshot, next version) layout {
	base := s3client.ETag("")
	if next.stored {
		base = next.expect.ETag
	}
	switch {
	case snap == nil && next.kept:
		had.base = base
		return layout{next: had}
	case snap == nil:
		return layout{content: &journal.Content{}}
	}
	data := contextReader{context.Background(), snap}
	all := extentsOf(snap.Extents(), stage.Data)
	size := lengthOf(all)
	more, parts := extentsOf(snap.Unsaved(), stage.Data), slices.Clone(had.parts)
	follows := had.file == c.file && had.base == base
	if follows && len(more) == 0 {
		return layout{next: had}
	}
	for n := len(parts); follows && n > 0 && parts[n-1].bytes <= 2*lengthOf(more); n-- {
		more = overlap(all, union(more, v.opt.Journal.Extents(parts[n-1].ref.ID)))
		parts = parts[:n-1]
	}
	bytes := lengthOf(more)
	if !follows || bytes == size || len(parts) == 0 && had.first <= 2*bytes {
		return layout{
			content: &journal.Content{Extents: all, Data: data},
			next:    layers{file: c.file, base: base, first: size},
		}
	}
	id := v.opt.Journal.NewID()
	had.parts = append(parts, part{journal.Ref{ID: id}, bytes})
	return layout{part: &journal.Content{Extents: more, Data: data}, partID: id, next: had}
}

// extentsOf returns the ranges of a kind.
func extentsOf(list []stage.Extent, kind stage.Kind) []journal.Extent {
	var out []journal.Extent
	for _, x := range list {
		if x.Kind == kind {
			out = append(out, journal.Extent{Off: x.Off, Len: x.Len})
		}
	}
	return out
}

func lengthOf(list []journal.Extent) (n int64) {
	for _, x := range list {
		n += x.Len
	}
	return n
}

// union returns what is in either of two lists of ranges, which ascend without overlaps, as all here do.
func union(a, b []journal.Extent) []journal.Extent {
	both := slices.Concat(a, b)
	slices.SortFunc(both, func(x, y journal.Extent) int { return cmp.Compare(x.Off, y.Off) })
	var out []journal.Extent
	for _, x := range both {
		if n := len(out); n > 0 && x.Off <= out[n-1].Off+out[n-1].Len {
			out[n-1].Len = max(out[n-1].Len, x.Off+x.Len-out[n-1].Off)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// overlap returns what is in both lists.
func overlap(a, b []journal.Extent) []journal.Extent {
	var out []journal.Extent
	for len(a) > 0 && len(b) > 0 {
		off, end := max(a[0].Off, b[0].Off), min(a[0].Off+a[0].Len, b[0].Off+b[0].Len)
		if off < end {
			out = append(out, journal.Extent{Off: off, Len: end - off})
		}
		if a[0].Off+a[0].Len == end {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
