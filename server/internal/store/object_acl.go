package store

import "context"

// SetACL sets the list of grants of an object, in place of the one it had; nothing else of the object changes. It gives
// the object as it is then. The list is opaque here, and bounded by the caller.
func (s *Store) SetACL(ctx context.Context, bucket, key, versionID string, list []byte) (Object, error) {
	return s.updateVersion(ctx, bucket, key, versionID, func(_ bucketRow, row *objectRow) error {
		row.extra.ACL = list
		return nil
	})
}
