package store

import (
	"context"

	"pail/server/internal/meta"
)

// DeleteObject deletes an object; one that is not there is no error, unless a condition asks for it.
func (s *Store) DeleteObject(ctx context.Context, bucket, key string, in DeleteInput) (DeleteResult, error) {
	in.Key = key
	err := s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		return x.deleteObject(b.id, in)
	})
	if err != nil {
		return DeleteResult{}, err
	}
	return DeleteResult{Key: key, VersionID: in.VersionID}, nil
}

// DeleteObjects deletes a batch in one transaction. Each result has the error of its key: an unmet condition, or an
// unknown version. Any other failure fails the batch, and nothing is deleted.
func (s *Store) DeleteObjects(ctx context.Context, bucket string, in []DeleteInput) (results []DeleteResult, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		results = make([]DeleteResult, len(in))
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		for i, d := range in {
			results[i] = DeleteResult{Key: d.Key, VersionID: d.VersionID}
			if err := x.deleteObject(b.id, d); isRefusal(err) {
				results[i].Err = storeError(err)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (x *tx) deleteObject(b meta.BucketID, in DeleteInput) error {
	if err := checkKey(in.Key); err != nil {
		return err
	}
	if err := checkVersion(in.VersionID); err != nil {
		return err
	}
	old, err := x.replaced(b, in.Key, in.Cond)
	if err != nil || old == nil {
		return err
	}
	if err := x.Delete(meta.ObjectKey(b, in.Key)); err != nil {
		return err
	}
	return x.release(old.body)
}
