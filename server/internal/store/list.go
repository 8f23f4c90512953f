package store

import (
	"context"
	"errors"
	"strings"

	"pail/server/internal/meta"
)

// ListObjects lists one page. It reads one row for each object and makes one seek for each common prefix, however many
// keys are below it. A damaged row is logged and left out.
func (s *Store) ListObjects(ctx context.Context, bucket string, q ListQuery) (page ListResult, err error) {
	if q.Max < 0 {
		return ListResult{}, ErrInvalidArgument
	}
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil || q.Max == 0 {
			return err
		}
		l := lister{store: s, bucket: bucket, id: b.id, q: q, page: &page}
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
	bucket string
	id     meta.BucketID
	q      ListQuery
	page   *ListResult
}

func (l *lister) list(ctx context.Context, it meta.Iterator) error {
	for ok := l.start(it); ok; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, _ := meta.ObjectName(it.Key())
		name := string(raw)
		common := commonPrefix(name, l.q.Prefix, l.q.Delimiter)
		row, err := (*objectRow)(nil), error(nil)
		if common == "" {
			if row, err = decodeRecord(it.Key(), it.Value(), decodeObject); errors.Is(err, meta.ErrDamaged) {
				l.store.log.Error("store: a listing leaves out a damaged object", "bucket", l.bucket, "key", name, "err", err)
				ok = it.Next()
				continue
			}
		}
		if err != nil {
			return err
		}
		if len(l.page.Objects)+len(l.page.Prefixes) == l.q.Max {
			l.page.Truncated = true
			return nil
		}
		if common != "" {
			l.page.Prefixes = append(l.page.Prefixes, common)
			l.page.Next = common
			ok = seekBehind(it, meta.ObjectKey(l.id, common))
		} else {
			l.page.Objects = append(l.page.Objects, row.object(l.bucket, name))
			l.page.Next = name
			ok = it.Next()
		}
	}
	l.page.Next = ""
	return nil
}

// start goes to the first row of the page. After may lie inside a common prefix: the prefix is listed, if there are keys
// behind After in it, but not when After is the prefix itself, as it is when the page before ended with it.
func (l *lister) start(it meta.Iterator) bool {
	switch after := l.q.After; {
	case after < l.q.Prefix || after == "":
		return it.First()
	case commonPrefix(after, l.q.Prefix, l.q.Delimiter) == after:
		return seekBehind(it, meta.ObjectKey(l.id, after))
	default:
		return it.SeekGE(meta.ObjectKey(l.id, after+"\x00"))
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
