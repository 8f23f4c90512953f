package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pail/server/internal/meta"
)

// Bounds of a bucket's default retention, as S3 has them.
const (
	MaxRetentionDays  = 36_500
	MaxRetentionYears = 100
)

// DefaultRetention is the retention of a bucket's new versions that come without one: Days or Years long, the other is 0.
type DefaultRetention struct {
	Mode        LockMode // LockNone: there is none
	Days, Years int
}

func (d DefaultRetention) valid() bool {
	switch d.Mode {
	case LockNone:
		return d == DefaultRetention{}
	case Governance, Compliance:
		return d.Days > 0 && d.Days <= MaxRetentionDays && d.Years == 0 ||
			d.Years > 0 && d.Years <= MaxRetentionYears && d.Days == 0
	}
	return false
}

func (d DefaultRetention) until(now time.Time) time.Time {
	return now.AddDate(d.Years, 0, d.Days).UTC()
}

// SetObjectLock turns object lock on for a bucket, for ever, and sets its default retention. Versioning must be Enabled,
// else the error is ErrBucketState.
func (s *Store) SetObjectLock(ctx context.Context, bucket string, d DefaultRetention) error {
	if !d.valid() {
		return fmt.Errorf("%w: default retention", ErrInvalidArgument)
	}
	return s.updateBucket(ctx, bucket, func(b *bucketRow) error {
		if b.versioning != Enabled {
			return ErrBucketState
		}
		b.lock, b.retention = true, d
		return nil
	})
}

// checkLock refuses protection where there is no object lock.
func (b *bucketRow) checkLock(x *Extra) error {
	if !b.lock && (x.Retention.Mode != LockNone || x.LegalHold != HoldNone) {
		return ErrNoObjectLock
	}
	return nil
}

// defaultRetention gives a new version the bucket's retention, unless it has its own.
func (b *bucketRow) defaultRetention(x *Extra, now time.Time) {
	if b.lock && b.retention.Mode != LockNone && x.Retention.Mode == LockNone {
		x.Retention = Retention{b.retention.Mode, b.retention.until(now)}
	}
}

// SetRetention changes the retention of a version; the zero Retention ends it. A retention that has not ended can be
// made longer. Anything else needs bypass under Governance, and is not possible under Compliance: ErrLocked.
func (s *Store) SetRetention(ctx context.Context, bucket, key, versionID string, to Retention, bypass bool) error {
	_, err := s.updateVersion(ctx, bucket, key, versionID, func(b bucketRow, row *objectRow) error {
		if !b.lock {
			return ErrNoObjectLock
		}
		if err := row.extra.Retention.change(to, s.now(), bypass); err != nil {
			return err
		}
		row.extra.Retention = to
		return nil
	})
	return err
}

// change decides whether the retention may become another.
func (r Retention) change(to Retention, now time.Time, bypass bool) error {
	switch {
	case r.Mode == LockNone || !r.Until.After(now):
		return nil
	case to.Mode == r.Mode && !to.Until.Before(r.Until):
		return nil
	case r.Mode == Governance && bypass:
		return nil
	}
	return ErrLocked
}

// SetLegalHold sets or ends the legal hold of a version, which keeps it from being deleted, whatever its retention.
func (s *Store) SetLegalHold(ctx context.Context, bucket, key, versionID string, hold LegalHold) error {
	_, err := s.updateVersion(ctx, bucket, key, versionID, func(b bucketRow, row *objectRow) error {
		if !b.lock {
			return ErrNoObjectLock
		}
		row.extra.LegalHold = hold
		return nil
	})
	return err
}

// deletable decides whether a version may be removed.
func (x *Extra) deletable(now time.Time, bypass bool) error {
	if x.LegalHold == HoldOn {
		return ErrLocked
	}
	return x.Retention.change(Retention{}, now, bypass)
}

// updateVersion changes a version's row in its place. A delete marker has nothing to change: *MarkerError.
func (s *Store) updateVersion(ctx context.Context, bucket, key, versionID string,
	fn func(b bucketRow, row *objectRow) error) (o Object, err error) {
	err = s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		v, err := readVersion(x, b, key, versionID)
		if err != nil {
			return err
		}
		if err := fn(b, v.row); err != nil {
			return err
		}
		o = b.object(v.row, bucket, key)
		return save(x, v.at, v.row.encode())
	})
	return o, err
}

// readVersion is getVersion for what needs an object: a delete marker is a *MarkerError.
func readVersion(r meta.Reader, b bucketRow, key, versionID string) (versionRef, error) {
	v, err := getVersion(r, b, key, versionID)
	if err == nil && v.row.marker {
		return v, &MarkerError{VersionID: v.row.versionText(), LastModified: v.row.modified, Named: versionID != ""}
	}
	return v, err
}

// readObject is readVersion for a bucket by name.
func readObject(r meta.Reader, bucket, key, versionID string) (bucketRow, *objectRow, error) {
	b, err := getBucket(r, bucket)
	if err != nil {
		return b, nil, err
	}
	v, err := readVersion(r, b, key, versionID)
	return b, v.row, err
}

// findObject reads the current object; there being none, or a delete marker, is nil.
func findObject(r meta.Reader, b bucketRow, key string) (*objectRow, error) {
	o, err := load(r, meta.ObjectKey(b.id, key), decodeObject)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	return o, err
}
