package volume

import (
	"maps"
	"slices"
	"time"

	"pail/fs/journal"
	"pail/fs/stage"
	"pail/s3client"
)

// entry is what the journal keeps with the bytes that were written: a state of an inode, complete enough to be sent by
// another process. NB: records of earlier versions must stay readable.
type entry struct {
	Path   []byte
	Meta   []pair // the attributes, as they go to the service
	System s3client.System
	Size   int64

	Part  bool     `json:",omitempty"` // this is a part of the bytes of another entry, and has nothing else
	Parts []uint64 `json:",omitempty"` // entries with further bytes, which lie over those of this one, in this order

	Bytes     bool // the content differs from the version that it is based on, and not only the attributes
	Stored    bool // there is such a version
	Base      string
	BaseKey   []byte // of the base
	BaseSize  int64
	BaseMeta  []pair    // with Stored; else, and in entries of earlier versions, nil
	Modified  time.Time // of the base
	Zero      []journal.Extent
	Body      []byte // of what is made here and is no file
	Sent      []sentEntry
	Journaled time.Time
}

// pair is a name and a value of metadata, of which nobody promises that they are text.
type pair [2][]byte

type sentEntry struct {
	Size int64
	Meta []pair
}

func pairsOf(m s3client.Meta) []pair {
	list := make([]pair, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, pair{[]byte(name), []byte(m[name])})
	}
	return list
}

func metaOf(list []pair) s3client.Meta {
	m := make(s3client.Meta, len(list))
	for _, p := range list {
		m[string(p[0])] = string(p[1])
	}
	return m
}

// entry describes a state, all but its bytes.
func (next *version) entry(c *content) *entry {
	e := &entry{
		Meta: pairsOf(next.meta), System: next.system, Size: next.held.size, Bytes: next.held.bytes, Zero: next.held.zero,
		Stored: next.stored, Base: string(next.expect.ETag), BaseKey: []byte(next.expect.Key),
		BaseSize: next.expect.Size, Modified: next.expect.LastModified,
	}
	if next.stored {
		e.BaseMeta = pairsOf(next.expect.Meta)
	}
	if !next.stored && !e.Bytes {
		e.Body = c.body
	}
	e.Sent = sentEntries(next.sent)
	return e
}

func sentEntries(list attempts) (sent []sentEntry) {
	for _, a := range list {
		sent = append(sent, sentEntry{a.size, pairsOf(a.meta)})
	}
	return sent
}

// freeze describes a snapshot, all but its bytes.
func (e *entry) freeze(snap *stage.Snapshot) {
	e.Size = snap.Size()
	e.Zero = extentsOf(snap.Extents(), stage.Zero)
}
