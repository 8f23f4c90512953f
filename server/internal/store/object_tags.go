package store

import (
	"context"

	"pail/server/internal/meta"
)

// SetTags sets the tags of an object, in place of those it had; nothing else of the object changes. It gives the
// object as it is then. The caller has checked the tags.
func (s *Store) SetTags(ctx context.Context, bucket, key, versionID string, tags []Tag) (o Object, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		if err := checkVersion(versionID); err != nil {
			return err
		}
		row, err := getObject(x, b.id, key)
		if err != nil {
			return err
		}
		row.attrs.Tags = tags
		o = row.object(bucket, key)
		return save(x, meta.ObjectKey(b.id, key), row.encode())
	})
	return o, err
}
