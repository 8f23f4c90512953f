package store

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"pail/server/internal/meta"
)

// ListObjects lists one page. It reads one row for each object and makes one seek for each common prefix, however many
// keys are below it. A damaged row is logged and left out.
func (s *Store) ListObjects(ctx context.Context, bucket string, q ListQuery) (ListResult, error) {
	var objects []Object
	page, err := s.WalkObjects(ctx, bucket, q, func(o *Object) { objects = append(objects, *o) })
	page.Objects = objects
	if err != nil {
		return ListResult{}, err
	}
	return page, nil
}

// WalkObjects is ListObjects that hands each object to fn instead of gathering them. The Object is good until fn returns,
// what it points to as long as one likes. fn must not use the store.
func (s *Store) WalkObjects(ctx context.Context, bucket string, q ListQuery, fn func(*Object)) (page ListResult, err error) {
	if q.Max < 0 {
		return ListResult{}, ErrInvalidArgument
	}
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil || q.Max == 0 {
			return err
		}
		l := lister{store: s, reader: r, bucket: bucket, row: b, q: q, fn: fn, page: &page, markers: q.Markers}
		prefix := meta.ObjectKey(b.id, q.Prefix)
		it := r.Iter(prefix, meta.PrefixEnd(prefix))
		defer it.Close()
		if err := l.list(ctx, it); err != nil {
			return err
		}
		return it.Err()
	})
	if err != nil {
		return ListResult{}, err
	}
	return page, nil
}

// lister is the state of one page.
type lister struct {
	store  *Store
	reader meta.Reader
	bucket string
	row    bucketRow
	q      ListQuery
	fn     func(*Object)

	page    *ListResult
	entries int // objects and prefixes of the page
	markers bool
	object  objectRow
	out     Object
	strings meta.Strings
}

func (l *lister) list(ctx context.Context, it meta.Iterator) error {
	for ok := l.start(it); ok; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, _ := meta.ObjectName(it.Key())
		name := string(raw)
		common := commonPrefix(name, l.q.Prefix, l.q.Delimiter)
		if common == "" {
			readable, err := l.decode(it.Key(), it.Value(), name)
			if err != nil {
				return err
			}
			if !readable {
				ok = it.Next()
				continue
			}
		}
		if l.entries == l.q.Max {
			l.page.Truncated = true
			return nil
		}
		l.entries++
		if common != "" {
			l.page.Prefixes = append(l.page.Prefixes, common)
			if err := l.marker(it, name, common); err != nil {
				return err
			}
			l.page.Next = common
			ok = seekBehind(it, meta.ObjectKey(l.row.id, common))
		} else {
			l.fn(&l.out)
			l.page.Next = name
			ok = it.Next()
		}
	}
	l.page.Next = ""
	return nil
}

// marker tells what object a common prefix is the key of. It is the first of the group, which the iterator is on, unless the
// page begins within the group.
func (l *lister) marker(it meta.Iterator, name, common string) error {
	if !l.markers {
		return nil
	}
	key, value := it.Key(), []byte(nil)
	switch {
	case name == common:
		value = it.Value()
	case l.q.After >= common:
		key = meta.ObjectKey(l.row.id, common)
		var err error
		if value, err = l.reader.Get(key); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	if value == nil {
		l.page.Markers = append(l.page.Markers, nil)
		return nil
	}
	readable, err := l.decode(key, value, common)
	if err != nil {
		return err
	}
	if !readable {
		l.markers, l.page.Markers = false, nil
		return nil
	}
	o := l.out
	l.page.Markers = append(l.page.Markers, &o)
	return nil
}

// decode reads the row of an object into l.out. It reports false for a damaged one.
func (l *lister) decode(key, value []byte, name string) (readable bool, err error) {
	payload, err := meta.Unseal(key, value)
	if err == nil {
		if e := l.object.decode(l.strings.Decoder(payload)); e != nil {
			err = &meta.DamagedError{Key: bytes.Clone(key), Reason: e.Error()}
		}
	}
	switch {
	case errors.Is(err, meta.ErrDamaged):
		l.store.log.Error("store: a listing leaves out a damaged object", "bucket", l.bucket, "key", name, "err", err)
		return false, nil
	case err != nil:
		return false, err
	}
	l.out = l.object.object(l.bucket, name)
	return true, nil
}

// start goes to the first row of the page. After may lie inside a common prefix: the prefix is listed, if there are keys
// behind After in it, but not when After is the prefix itself, as it is when the page before ended with it.
func (l *lister) start(it meta.Iterator) bool {
	switch after := l.q.After; {
	case after < l.q.Prefix || after == "":
		return it.First()
	case commonPrefix(after, l.q.Prefix, l.q.Delimiter) == after:
		return seekBehind(it, meta.ObjectKey(l.row.id, after))
	default:
		return it.SeekGE(meta.ObjectKey(l.row.id, after+"\x00"))
	}
}

// seekBehind goes to the first row behind all that begin with prefix.
func seekBehind(it meta.Iterator, prefix []byte) bool {
	end := meta.PrefixEnd(prefix) // there is one: the first byte is that of a table
	return it.SeekGE(end)
}

// commonPrefix gives the part of name up to the first delimiter behind prefix, or "" when there is none.
func commonPrefix(name, prefix, delimiter string) string {
	if delimiter == "" || !strings.HasPrefix(name, prefix) {
		return ""
	}
	i := strings.Index(name[len(prefix):], delimiter)
	if i < 0 {
		return ""
	}
	return name[:len(prefix)+i+len(delimiter)]
}
