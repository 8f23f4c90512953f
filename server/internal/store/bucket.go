package store

import (
	"context"
	"errors"
	"fmt"

	"pail/server/internal/meta"
)

// bucketCounter counts the numbers given to buckets.
const bucketCounter = "bucket"

func (b bucketRow) bucket(name string) Bucket {
	return Bucket{Name: name, Created: b.created, Region: b.region, Owner: b.owner, Versioning: b.versioning,
		ObjectLock: b.lock, Retention: b.retention}
}

// CreateBucket makes a bucket. Created is now when it is zero. One that is there already is ErrBucketAlreadyOwned, or
// ErrBucketExists when its owner is another.
func (s *Store) CreateBucket(ctx context.Context, b Bucket) error {
	if b.Name == "" {
		return fmt.Errorf("%w: bucket without name", ErrInvalidArgument)
	}
	if b.Created.IsZero() {
		b.Created = s.now()
	}
	return s.update(ctx, nil, func(x *tx) error {
		old, err := getBucket(x, b.Name)
		switch {
		case err == nil && old.owner == b.Owner:
			return ErrBucketAlreadyOwned
		case err == nil:
			return ErrBucketExists
		case !errors.Is(err, ErrNoSuchBucket):
			return err
		}
		id, err := x.nextBucketID()
		if err != nil {
			return err
		}
		row := bucketRow{id: id, created: b.Created, region: b.Region, owner: b.Owner, lock: b.ObjectLock}
		if b.ObjectLock {
			row.versioning = Enabled
		}
		for _, c := range b.Configs {
			if err := save(x, meta.ConfigKey(id, string(c.Kind)), configRow{c.Document}.encode()); err != nil {
				return err
			}
		}
		if err := save(x, meta.UsageKey(id), usageRow{}.encode()); err != nil {
			return err
		}
		return save(x, meta.BucketKey(b.Name), row.encode())
	})
}

// nextBucketID gives a number that no bucket ever had.
func (x *tx) nextBucketID() (meta.BucketID, error) {
	n, err := x.count(bucketCounter)
	return meta.BucketID(n), err
}

// count counts a counter up.
func (x *tx) count(name string) (uint64, error) {
	n, err := counted(x, name)
	if err != nil {
		return 0, err
	}
	return n + 1, save(x, meta.CounterKey(name), refsRow{count: n + 1}.encode())
}

// counted gives the last number of a counter, 0 when it never counted.
func counted(r meta.Reader, name string) (uint64, error) {
	row, err := load(r, meta.CounterKey(name), decodeRefs)
	return row.count, missing(err, nil)
}

// HeadBucket describes a bucket.
func (s *Store) HeadBucket(ctx context.Context, name string) (b Bucket, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		row, err := getBucket(r, name)
		b = row.bucket(name)
		return err
	})
	if err != nil {
		return Bucket{}, err
	}
	return b, nil
}

// deleteRounds is how often DeleteBucket aborts uploads that clients go on to create.
const deleteRounds = 100

// DeleteBucket removes an empty bucket, with the uploads in progress in it: as in S3, they do not keep a bucket alive.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	for range deleteRounds {
		uploads, err := s.tryDeleteBucket(ctx, name)
		if err != nil || len(uploads) == 0 {
			return err
		}
		for _, u := range uploads {
			if err := s.AbortUpload(ctx, name, u.Key, u.ID); err != nil && !errors.Is(err, ErrNoSuchUpload) {
				return err
			}
		}
	}
	return ErrBucketNotEmpty
}

// tryDeleteBucket deletes the bucket, unless it finds uploads, of which it gives some.
func (s *Store) tryDeleteBucket(ctx context.Context, name string) (uploads []Upload, err error) {
	err = s.reconfigure(ctx, func(x *tx) error {
		uploads = nil
		b, err := getBucket(x, name)
		if err != nil {
			return err
		}
		if err := isEmpty(x, b.id); err != nil {
			return err
		}
		if err := x.changesBelow(b, ""); err != nil { // that nothing is there is not to be relied on in the next of that name
			return err
		}
		page, err := listUploads(ctx, x, b.id, name, UploadsQuery{Max: 1000})
		if err != nil {
			return err
		}
		if uploads = page.Uploads; len(uploads) > 0 {
			return nil
		}
		if err := x.Delete(meta.UsageKey(b.id)); err != nil {
			return err
		}
		if err := x.deleteConfigs(b.id); err != nil {
			return err
		}
		return x.Delete(meta.BucketKey(name))
	})
	return uploads, err
}

// isEmpty fails with ErrBucketNotEmpty when the bucket holds an object, an old version or a delete marker.
func isEmpty(r meta.Reader, b meta.BucketID) error {
	for _, prefix := range [][]byte{meta.ObjectKey(b, ""), meta.VersionPrefix(b, "")} {
		it := r.Iter(prefix, meta.PrefixEnd(prefix))
		found := it.First()
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			return err
		}
		if found {
			return ErrBucketNotEmpty
		}
	}
	return nil
}

// SetVersioning makes a bucket keep old versions, or keep no new ones. One with object lock cannot be Suspended:
// ErrBucketState.
func (s *Store) SetVersioning(ctx context.Context, bucket string, v Versioning) error {
	if v != Enabled && v != Suspended {
		return fmt.Errorf("%w: versioning %q", ErrInvalidArgument, v)
	}
	return s.updateBucket(ctx, bucket, func(b *bucketRow) error {
		if b.lock && v != Enabled {
			return ErrBucketState
		}
		b.versioning = v
		return nil
	})
}

// updateBucket changes a bucket's row.
func (s *Store) updateBucket(ctx context.Context, name string, fn func(b *bucketRow) error) error {
	return s.reconfigure(ctx, func(x *tx) error {
		b, err := getBucket(x, name)
		if err != nil {
			return err
		}
		if err := fn(&b); err != nil {
			return err
		}
		return save(x, meta.BucketKey(name), b.encode())
	})
}

// ListBuckets lists buckets by name. next, which is the After of the next page, is not empty when there are more.
func (s *Store) ListBuckets(ctx context.Context, q ListBucketsQuery) (list []Bucket, next string, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		prefix := meta.BucketKey(q.Prefix)
		it := r.Iter(prefix, meta.PrefixEnd(prefix))
		defer it.Close()
		ok := it.First()
		if q.After != "" {
			ok = it.SeekGE(meta.BucketKey(q.After + "\x00"))
		}
		for ; ok; ok = it.Next() {
			row, err := decodeRecord(it.Key(), it.Value(), decodeBucket)
			if err != nil {
				return err
			}
			if q.Owner != "" && row.owner != q.Owner {
				continue
			}
			if q.Max > 0 && len(list) == q.Max {
				next = list[len(list)-1].Name
				return nil
			}
			name, _ := meta.BucketName(it.Key())
			list = append(list, row.bucket(name))
		}
		return it.Err()
	})
	if err != nil {
		return nil, "", err
	}
	return list, next, nil
}
