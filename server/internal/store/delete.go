package store

import (
	"context"
	"errors"

	"pail/server/internal/meta"
)

// DeleteObject deletes an object; one that is not there is no error, unless a condition asks for it. In a bucket with
// versions it makes a delete marker the current version. With a VersionID it removes that version for ever, and the
// version before becomes current when that was the current one; a version that object lock protects is ErrLocked.
func (s *Store) DeleteObject(ctx context.Context, bucket, key string, in DeleteInput) (res DeleteResult, err error) {
	in.Key = key
	return s.deleteOne(ctx, bucket, in, (*tx).deleteObject)
}

// deleteOne has del delete in a transaction of its own.
func (s *Store) deleteOne(ctx context.Context, bucket string, in DeleteInput,
	del func(*tx, bucketRow, DeleteInput) (DeleteResult, error)) (res DeleteResult, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		res, err = del(x, b, in)
		return err
	})
	if err != nil {
		return DeleteResult{}, err
	}
	return res, nil
}

// DeleteObjects deletes a batch in one transaction. Each result has the error of its key: an unmet condition, an
// unknown version, or a protected one. Any other failure fails the batch, and nothing is deleted.
func (s *Store) DeleteObjects(ctx context.Context, bucket string, in []DeleteInput) (results []DeleteResult, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		results = make([]DeleteResult, len(in))
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		var waits *leasedError // for all leases at once
		for i, d := range in {
			res, err := x.deleteObject(b, d)
			var leased *leasedError
			switch {
			case isRefusal(err):
				res.Err = storeError(err)
			case errors.As(err, &leased):
				leased.others, waits = waits, leased
			case err != nil:
				return err
			}
			results[i] = res
		}
		if waits != nil {
			return waits
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// deleteObject refuses before it changes anything: in a batch, what others changed is kept.
func (x *tx) deleteObject(b bucketRow, in DeleteInput) (DeleteResult, error) {
	res := DeleteResult{Key: in.Key, VersionID: in.VersionID}
	if err := checkKey(in.Key); err != nil {
		return res, err
	}
	if in.VersionID != "" && (in.VersionID != NullVersion || b.versioning != Unversioned) {
		return x.deleteVersion(b, in, res)
	}
	old, err := x.replaced(b, in.Key, in.Cond)
	if err != nil {
		return res, err
	}
	if b.versioning != Unversioned {
		marker, err := x.putMarker(b, in.Key, in.Owner, old)
		if err != nil {
			return res, err
		}
		res.DeleteMarker, res.MarkerVersionID = true, marker.versionText()
		x.event(EventDeleteMarker, b, in.Key, marker)
		return res, nil
	}
	if old == nil {
		return res, nil
	}
	if err := x.Delete(meta.ObjectKey(b.id, in.Key)); err != nil {
		return res, err
	}
	x.lose(b, old)
	x.event(EventDelete, b, in.Key, old)
	return res, x.release(old.body)
}

// deleteVersion removes a version. As in S3, there being none is no error.
func (x *tx) deleteVersion(b bucketRow, in DeleteInput, res DeleteResult) (DeleteResult, error) {
	v, err := getVersion(x, b, in.Key, in.VersionID)
	if errors.Is(err, ErrNoSuchVersion) {
		return res, in.Cond.forWrite(nil)
	}
	if errors.Is(err, meta.ErrDamaged) && v.at != nil && v.noncurrent() && in.Cond.empty() && !b.lock {
		x.store.log.Error("store: a damaged version is deleted", "bucket", uint64(b.id), "key", in.Key, "err", err)
		v.row, err = &objectRow{null: in.VersionID == NullVersion, damaged: true}, nil
	}
	if err != nil {
		return res, err
	}
	if err := in.Cond.forWrite(v.row); err != nil {
		return res, err
	}
	if err := v.row.extra.deletable(x.store.now(), in.Bypass); err != nil {
		return res, err
	}
	if v.row.marker {
		res.DeleteMarker, res.MarkerVersionID = true, in.VersionID
	}
	x.event(EventDelete, b, in.Key, v.row)
	return res, x.remove(b, in.Key, v)
}
