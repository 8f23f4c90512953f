package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// tx is a running Update.
type tx struct {
	meta.Txn
	store *Store
	freed []blob.ID // blobs whose last reference this transaction drops

	usage  []usageDelta // of the buckets that this transaction changes
	events []Event      // of its changes

	reconfigured bool // a bucket or its configuration was changed

	holder string // of leases, whose request this is; "": nobody's
}

// update runs fn as one durable transaction. made are new blobs that fn refers to: when the transaction is known to
// have failed, they are removed. Blobs that fn frees are removed when the transaction is durable. fn may run again.
func (s *Store) update(ctx context.Context, made []blob.ID, fn func(*tx) error) error {
	var freed []blob.ID
	var events []Event
	ran := false // fn returned nil the last time
	holder, _ := ctx.Value(leaseHolderKey{}).(string)
	run := func(t meta.Txn) error {
		x := &tx{Txn: t, store: s, holder: holder}
		ran = false
		if err := fn(x); err != nil {
			return err
		}
		if err := x.settleUsage(); err != nil {
			return err
		}
		if s.shared {
			if err := x.share(made); err != nil {
				return err
			}
		}
		freed, events, ran = x.freed, x.events, true
		return nil
	}
	err := s.db.Update(ctx, run)
	for again := true; err != nil && again; {
		if again, err = s.awaitLease(ctx, err); again {
			err = s.db.Update(ctx, run)
		}
	}
	switch {
	case err == nil:
		s.reclaim.settle(made)
		s.reclaim.free(freed)
		if !s.shared { // else the events come from the database, as those of others do
			s.hub.publish(events)
		}
		return nil
	case errors.Is(err, meta.ErrSuperseded):
		// The transaction may be part of what the next owner found. Nothing is to be removed; the next owner sweeps.
	case !ran || errors.Is(err, meta.ErrNoSpace):
		s.reclaim.remove(made)
		s.reclaim.settle(made)
	default:
		// The transaction may be durable or not. The blobs stay, and stay protected: at worst the next start sweeps them. Where
		// blobs are shared a sweep finds out, for it takes none before that is known.
		if s.shared {
			s.reclaim.settle(made)
		}
		s.log.Error("store: outcome of a transaction is unknown", "err", err)
	}
	return storeError(err)
}

// share does what a transaction owes to the other Stores on the database.
func (x *tx) share(made []blob.ID) error {
	if x.reconfigured {
		if _, err := x.count(configCounter); err != nil {
			return err
		}
	}
	for i := range x.events {
		x.send(&x.events[i])
	}
	return x.claim(made)
}

// view runs fn over a snapshot.
func (s *Store) view(ctx context.Context, fn func(meta.Reader) error) error {
	return storeError(s.db.View(ctx, fn))
}

// storeError gives the errors of the layers below their names here.
func storeError(err error) error {
	var row *meta.DamagedError
	var file *blob.DamagedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*DamagedError)):
		return err
	case errors.As(err, &row):
		return &DamagedError{What: fmt.Sprintf("metadata row %q", row.Key), Err: err}
	case errors.As(err, &file):
		return &DamagedError{What: "blob " + file.ID.String(), Err: err}
	case errors.Is(err, blob.ErrNotFound):
		return &DamagedError{What: "object", Err: err}
	case errors.Is(err, meta.ErrNoSpace), errors.Is(err, blob.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, blob.ErrReadOnly):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, meta.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, meta.ErrClosed), errors.Is(err, meta.ErrSuperseded):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// load reads and decodes a row; there being none is meta.ErrNotFound.
func load[T any](r meta.Reader, key []byte, decode func([]byte) (T, error)) (T, error) {
	record, err := r.Get(key)
	if err != nil {
		var zero T
		return zero, err
	}
	return decodeRecord(key, record, decode)
}

func decodeRecord[T any](key, record []byte, decode func([]byte) (T, error)) (v T, err error) {
	payload, err := meta.Unseal(key, record)
	if err != nil {
		return v, err
	}
	v, err = decode(payload)
	if err != nil {
		return v, &meta.DamagedError{Key: bytes.Clone(key), Reason: err.Error()}
	}
	return v, nil
}

// save writes a row.
func save(t meta.Txn, key, payload []byte) error { return t.Set(key, meta.Seal(key, payload)) }

// missing makes there being no row the given error.
func missing(err, instead error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return instead
	}
	return err
}

func getBucket(r meta.Reader, name string) (bucketRow, error) {
	b, err := load(r, meta.BucketKey(name), decodeBucket)
	return b, missing(err, ErrNoSuchBucket)
}

// replaced reads the current object, which a write will replace or delete, nil when there is none, and decides the
// conditions. A damaged row gives way to a write without conditions, and its bytes are leaked: the key must not stay
// unusable for ever.
func (x *tx) replaced(b bucketRow, key string, c Conditions) (*objectRow, error) {
	o, err := findObject(x, b, key)
	if errors.Is(err, meta.ErrDamaged) && c.empty() {
		x.store.log.Error("store: a damaged object gives way", "bucket", uint64(b.id), "key", key, "err", err)
		return &objectRow{damaged: true}, nil
	}
	if err != nil {
		return nil, err
	}
	return o, c.forWrite(o)
}
