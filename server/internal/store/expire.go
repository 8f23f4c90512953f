package store

import (
	"bytes"
	"context"
	"errors"

	"pail/server/internal/meta"
)

// Candidate is a version as it is in the transaction that would expire it. Object.Latest is filled in.
type Candidate struct {
	Object Object
	Alone  bool // the key has no other version

	ConfigGeneration uint64 // as it is
}

// Expire deletes a version if fn, which sees it as it is now, says so: the current one for "", as a DELETE without version
// does (in a bucket with versions a delete marker takes its place), else that version for ever. It reports whether it did.
// A version that is gone, or that object lock protects, is left alone. fn may run again.
func (s *Store) Expire(ctx context.Context, bucket, key, versionID string, fn func(Candidate) bool) (done bool, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		done = false
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		v, err := getVersion(x, b, key, versionID)
		if err != nil {
			return err
		}
		c := Candidate{Object: b.object(v.row, bucket, key)}
		if c.ConfigGeneration, err = x.configGeneration(); err != nil {
			return err
		}
		if c.Object.Latest, c.Alone, err = x.rank(b, key, v); err != nil || !fn(c) {
			return err
		}
		_, err = x.deleteObject(b, DeleteInput{Key: key, VersionID: versionID, Owner: b.owner})
		done = err == nil
		return err
	})
	for _, gone := range []error{ErrNoSuchBucket, ErrNoSuchKey, ErrNoSuchVersion, ErrLocked} {
		if errors.Is(err, gone) {
			return false, nil
		}
	}
	return done && err == nil, err
}

// rank tells whether a version is the current one, and whether it is the only one.
func (x *tx) rank(b bucketRow, key string, v versionRef) (latest, alone bool, err error) {
	_, err = x.Get(meta.ObjectKey(b.id, key))
	hasCurrent := err == nil
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return false, false, err
	}
	prefix := meta.VersionsOf(b.id, key)
	it := x.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	if !it.First() {
		return !v.noncurrent(), true, it.Err()
	}
	latest = !v.noncurrent() || !hasCurrent && bytes.Equal(it.Key(), v.at)
	return latest, v.noncurrent() && !hasCurrent && !it.Next(), it.Err()
}
