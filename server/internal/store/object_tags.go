package store

import "context"

// SetTags sets the tags of an object, in place of those it had; nothing else of the object changes. It gives the
// object as it is then. The caller has checked the tags.
func (s *Store) SetTags(ctx context.Context, bucket, key, versionID string, tags []Tag) (Object, error) {
	return s.updateVersion(ctx, bucket, key, versionID, func(_ bucketRow, row *objectRow) error {
		row.attrs.Tags = tags
		return nil
	})
}
