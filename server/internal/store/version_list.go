package store

import (
	"context"
	"errors"

	"pail/server/internal/meta"
)

// VersionsQuery asks for a page of versions, in order of key and then from new to old. KeyMarker is exclusive, but for the
// versions of that very key that come after VersionIDMarker, when that is set. When KeyMarker is itself a common prefix of
// the listing, the whole of that prefix is left out. Max counts versions and prefixes together; 0 gives an empty page.
type VersionsQuery struct {
	Prefix, Delimiter, KeyMarker, VersionIDMarker string
	Max                                           int
}

// VersionsResult is one page. Versions have no Parts; delete markers are among them.
type VersionsResult struct {
	Versions                           []Object
	Prefixes                           []string
	Truncated                          bool
	NextKeyMarker, NextVersionIDMarker string
}

// ListVersions lists all versions of objects, and delete markers. As ListObjects, it makes one seek for each common
// prefix, and leaves out damaged rows.
func (s *Store) ListVersions(ctx context.Context, bucket string, q VersionsQuery) (page VersionsResult, err error) {
	if q.Max < 0 || q.KeyMarker == "" && q.VersionIDMarker != "" {
		return VersionsResult{}, ErrInvalidArgument
	}
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil || q.Max == 0 {
			return err
		}
		l := versionLister{store: s, bucket: bucket, b: b, q: q, page: &page}
		l.current, l.old = cursor{it: prefixIter(r, meta.ObjectKey(b.id, q.Prefix))}, cursor{it: prefixIter(r, meta.VersionPrefix(b.id, q.Prefix))}
		defer l.current.it.Close()
		defer l.old.it.Close()
		if err := l.start(r); err != nil {
			return err
		}
		return l.list(ctx)
	})
	if err != nil {
		return VersionsResult{}, err
	}
	return page, nil
}

func prefixIter(r meta.Reader, prefix []byte) meta.Iterator {
	return r.Iter(prefix, meta.PrefixEnd(prefix))
}

// cursor is a place in one of the two tables.
type cursor struct {
	it   meta.Iterator
	ok   bool
	name string // of the row, when ok
}

// at takes the outcome of a move of the iterator.
func (c *cursor) at(ok bool) {
	if c.ok = ok; !ok {
		return
	}
	if raw, current := meta.ObjectName(c.it.Key()); current {
		c.name = string(raw)
	} else {
		c.name, _, _ = meta.ParseVersionKey(c.it.Key())
	}
}

// versionLister merges the current objects with the table of versions.
type versionLister struct {
	store        *Store
	bucket       string
	b            bucketRow
	q            VersionsQuery
	page         *VersionsResult
	current, old cursor
	last         string // the key whose newest version was met
	met          bool   // last is set
}

// start goes to the first rows of the page.
func (l *versionLister) start(r meta.Reader) error {
	marker := l.q.KeyMarker
	switch {
	case marker == "" || marker < l.q.Prefix:
		l.current.at(l.current.it.First())
		l.old.at(l.old.it.First())
		return nil
	case commonPrefix(marker, l.q.Prefix, l.q.Delimiter) == marker:
		l.skip(marker)
		return nil
	}
	l.current.at(l.current.it.SeekGE(meta.ObjectKey(l.b.id, marker+"\x00")))
	if l.q.VersionIDMarker == "" {
		l.old.at(seekBehind(l.old.it, meta.VersionsOf(l.b.id, marker)))
		return nil
	}
	id, err := l.markerID(r)
	if err != nil {
		return err
	}
	l.last, l.met = marker, true
	l.old.at(l.old.it.SeekGE(append(meta.VersionKey(l.b.id, marker, id), 0)))
	return nil
}

// markerID finds the ID in rows of the VersionIDMarker. A null version that is gone leaves no place to go on from: the
// key's versions are listed from the newest on, rather than some of them never.
func (l *versionLister) markerID(r meta.Reader) (id meta.ID, err error) {
	if l.q.VersionIDMarker != NullVersion {
		id, ok := parseVersion(l.q.VersionIDMarker)
		if !ok {
			return id, ErrInvalidVersion
		}
		return id, nil
	}
	v, err := getNull(r, l.b, l.q.KeyMarker)
	if errors.Is(err, ErrNoSuchVersion) {
		return id, nil
	}
	if err == nil && !v.row.hasID() { // it is the only one
		return newVersion(0, [8]byte{}), nil
	}
	if err != nil {
		return id, err
	}
	return v.row.id, nil
}

// skip goes behind all keys that begin with prefix.
func (l *versionLister) skip(prefix string) {
	l.current.at(seekBehind(l.current.it, meta.ObjectKey(l.b.id, prefix)))
	l.old.at(seekBehind(l.old.it, meta.VersionPrefix(l.b.id, prefix)))
}

func (l *versionLister) list(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &l.current
		if !c.ok || l.old.ok && l.old.name < c.name {
			c = &l.old
		}
		if !c.ok {
			break
		}
		if err := l.take(c); err != nil || l.page.Truncated {
			return err
		}
	}
	l.page.NextKeyMarker, l.page.NextVersionIDMarker = "", ""
	return errors.Join(l.current.it.Err(), l.old.it.Err())
}

// take puts the row at the cursor on the page, or its common prefix, and moves on.
func (l *versionLister) take(c *cursor) error {
	common := commonPrefix(c.name, l.q.Prefix, l.q.Delimiter)
	full := len(l.page.Versions)+len(l.page.Prefixes) == l.q.Max
	if common != "" {
		if l.page.Truncated = full; !full {
			l.page.Prefixes = append(l.page.Prefixes, common)
			l.page.NextKeyMarker, l.page.NextVersionIDMarker = common, ""
			l.skip(common)
		}
		return nil
	}
	row, err := decodeRecord(c.it.Key(), c.it.Value(), decodeObject)
	newest := !l.met || l.last != c.name
	if err == nil {
		if l.page.Truncated = full; full {
			return nil
		}
		o := l.b.object(row, l.bucket, c.name)
		if o.VersionID == "" {
			o.VersionID = NullVersion
		}
		o.Latest = newest
		l.page.Versions = append(l.page.Versions, o)
		l.page.NextKeyMarker, l.page.NextVersionIDMarker = c.name, o.VersionID
	} else if !errors.Is(err, meta.ErrDamaged) {
		return err
	} else {
		l.store.log.Error("store: a listing leaves out a damaged version", "bucket", l.bucket, "key", c.name, "err", err)
	}
	l.last, l.met = c.name, true
	c.at(c.it.Next())
	return nil
}
