package store

import (
	"context"
	"errors"

	"pail/server/internal/meta"
)

// Usage is what a bucket holds: versions that are not current count too, delete markers and uploads in progress do not.
// Bytes are those that clients see, also where objects share them.
type Usage struct {
	Objects, Bytes int64
	Quota          int64 // in bytes; 0: none
}

// usageRow is a bucket's Usage. It is changed by the transaction that changes the bucket, so it is always right. A bucket
// that has none, because an older server made it or because damage made it wrong, is counted when somebody asks.
type usageRow Usage

func (u usageRow) encode() []byte {
	var e meta.Encoder
	e.Int(1, u.Objects)
	e.Int(2, u.Bytes)
	e.Int(3, u.Quota)
	return e.Bytes()
}

func decodeUsage(p []byte) (u usageRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			u.Objects = d.Int()
		case 2:
			u.Bytes = d.Int()
		case 3:
			u.Quota = d.Int()
		}
	}
	return u, d.Err()
}

// usageDelta is what a transaction changes of a bucket's usage.
type usageDelta struct {
	bucket         meta.BucketID
	owner          string
	objects, bytes int64
	unknown        bool // something whose size nobody knows gave way
}

func (x *tx) delta(b bucketRow) *usageDelta {
	for i := range x.usage {
		if x.usage[i].bucket == b.id {
			return &x.usage[i]
		}
	}
	x.usage = append(x.usage, usageDelta{bucket: b.id, owner: b.owner})
	return &x.usage[len(x.usage)-1]
}

// gain notes a version that was written.
func (x *tx) gain(b bucketRow, row *objectRow) {
	if !row.marker {
		d := x.delta(b)
		d.objects++
		d.bytes += row.size
	}
}

// lose notes a version that is gone.
func (x *tx) lose(b bucketRow, row *objectRow) {
	d := x.delta(b)
	switch {
	case row.damaged:
		d.unknown = true
	case !row.marker:
		d.objects--
		d.bytes -= row.size
	}
}

// settleUsage writes what the transaction has changed, and refuses growth beyond a quota.
func (x *tx) settleUsage() error {
	for _, d := range x.usage {
		if d == (usageDelta{bucket: d.bucket, owner: d.owner}) {
			continue
		}
		key := meta.UsageKey(d.bucket)
		u, err := load(x, key, decodeUsage)
		switch {
		case errors.Is(err, meta.ErrNotFound):
			continue
		case err != nil && !errors.Is(err, meta.ErrDamaged):
			return err
		case err != nil || d.unknown:
			if err := x.miscounted(d.bucket, key, u); err != nil {
				return err
			}
			continue
		}
		u.Objects += d.objects
		u.Bytes += d.bytes
		if d.bytes > 0 && u.Quota > 0 && u.Bytes > u.Quota {
			return ErrQuotaExceeded
		}
		if err := save(x, key, u.encode()); err != nil {
			return err
		}
	}
	return x.checkAccounts()
}

// miscounted lets a bucket be counted anew, when somebody asks. A quota stays in force: it is counted at once then.
func (x *tx) miscounted(b meta.BucketID, key []byte, u usageRow) error {
	if u.Quota == 0 {
		return x.Delete(key)
	}
	n, err := x.countUsage(b)
	if err != nil {
		return err
	}
	n.Quota = u.Quota
	return save(x, key, n.encode())
}

// countUsage counts a bucket's versions.
func (x *tx) countUsage(b meta.BucketID) (u usageRow, err error) {
	for _, prefix := range [][]byte{meta.ObjectKey(b, ""), meta.VersionPrefix(b, "")} {
		it := prefixIter(x, prefix)
		for ok := it.First(); ok; ok = it.Next() {
			row, err := decodeRecord(it.Key(), it.Value(), decodeObject)
			if err == nil && !row.marker {
				u.Objects++
				u.Bytes += row.size
			}
		}
		err := errors.Join(it.Err(), it.Close())
		if err != nil {
			return u, err
		}
	}
	return u, nil
}

// Usage tells what a bucket holds, and its quota.
func (s *Store) Usage(ctx context.Context, bucket string) (u Usage, err error) {
	counted := false
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil {
			return err
		}
		row, err := load(r, meta.UsageKey(b.id), decodeUsage)
		u, counted = Usage(row), err == nil
		if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrDamaged) {
			return nil
		}
		return err
	})
	if err != nil || counted {
		return u, err
	}
	return s.setUsage(ctx, bucket, func(*usageRow) {})
}

// SetQuota sets how many bytes a bucket may hold, 0 for as many as there is room for. What is there already stays.
func (s *Store) SetQuota(ctx context.Context, bucket string, quota int64) error {
	if quota < 0 {
		return ErrInvalidArgument
	}
	_, err := s.setUsage(ctx, bucket, func(u *usageRow) { u.Quota = quota })
	return err
}

// setUsage changes a bucket's usage, after it was counted where that is needed.
func (s *Store) setUsage(ctx context.Context, bucket string, change func(*usageRow)) (u Usage, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		row, err := load(x, meta.UsageKey(b.id), decodeUsage)
		if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrDamaged) {
			row, err = x.countUsage(b.id)
		}
		if err != nil {
			return err
		}
		change(&row)
		u = Usage(row)
		return save(x, meta.UsageKey(b.id), row.encode())
	})
	return u, err
}
