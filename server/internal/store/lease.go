package store

import (
	"context"
	"errors"
	"fmt"

	"pail/server/internal/lease"
	"pail/server/internal/meta"
)

type leaseHolderKey struct{}

// WithLeaseHolder says which holder of leases a request comes from: its own leases are not in its way.
func WithLeaseHolder(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, leaseHolderKey{}, id)
}

// Leases reports whether there can be leases: this Store must be the only one on its database.
func (s *Store) Leases() bool { return s.leases != nil }

// JoinLeases makes a holder of leases in a bucket; see lease.Registry.
func (s *Store) JoinLeases(ctx context.Context, bucket, holder string) (*lease.Holder, error) {
	id, err := s.bucketID(ctx, bucket)
	if err != nil {
		return nil, err
	}
	h, err := s.leases.Join(id, holder)
	if errors.Is(err, lease.ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return h, err
}

// CheckHolder fails when a holder's bucket is gone, be it that there is another one of that name, or when another Store has
// taken over: its leases are nothing to rely on.
func (s *Store) CheckHolder(ctx context.Context, bucket string, h *lease.Holder) error {
	id, err := s.bucketID(ctx, bucket)
	if err == nil && id != h.Bucket() {
		err = ErrNoSuchBucket
	}
	return err
}

// bucketID is what a bucket is to the leases: one of the same name that is made later is another.
func (s *Store) bucketID(ctx context.Context, bucket string) (id uint64, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		id = uint64(b.id)
		return err
	})
	return id, err
}

// GrantLease gives a holder a lease on a prefix, unless it overlaps that of another. What others have made under the
// prefix is visible then: the grant is an update, so all before it is durable, and all that comes after sees the lease. One
// for reads is written down, for the Store that comes after this one (restoreLeases).
func (s *Store) GrantLease(ctx context.Context, bucket, holder, prefix string, what lease.Authority) error {
	return s.forgettingLeases(ctx, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		id := uint64(b.id)
		if err := s.leases.Grant(id, holder, prefix, what); err != nil || what != lease.Reads {
			return err
		}
		if !s.leases.Held(lease.Place{Bucket: id, Prefix: prefix}) { // the holder has one that covers it
			return nil
		}
		return save(x, meta.LeaseKey(b.id, prefix), leaseRow{holder}.encode())
	})
}

// ReturnLease ends a lease of a holder, if it has it.
func (s *Store) ReturnLease(ctx context.Context, bucket, holder, prefix string) error {
	id, err := s.bucketID(ctx, bucket)
	if err != nil {
		return err
	}
	s.leases.Return(id, holder, prefix) // nobody waits for what follows
	return s.forgettingLeases(ctx, nil)
}

// forgettingLeases removes the rows of leases that have ended, in one transaction with what then does, if anything. Where that
// fails, the next one has them.
func (s *Store) forgettingLeases(ctx context.Context, then func(x *tx) error) error {
	ended := s.leases.Ended()
	if len(ended) == 0 && then == nil {
		return nil
	}
	err := s.update(ctx, nil, func(x *tx) error {
		if err := x.forgetLeases(ended); err != nil || then == nil {
			return err
		}
		return then(x)
	})
	if err != nil {
		s.leases.EndedStill(ended)
	}
	return err
}

// forgetLeases removes the rows of leases that have ended. One that stays delays others once when another Store opens the
// database.
func (x *tx) forgetLeases(ended []lease.Place) error {
	for _, at := range ended {
		if x.store.leases.Held(at) {
			continue
		}
		if err := x.Delete(meta.LeaseKey(meta.BucketID(at.Bucket), at.Prefix)); err != nil {
			return err
		}
	}
	return nil
}

// leaseRow says who has a lease for reads.
type leaseRow struct{ holder string }

func (l leaseRow) encode() []byte {
	var e meta.Encoder
	e.String(1, l.holder)
	return e.Bytes()
}

func decodeLease(p []byte) (l leaseRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		if d.Tag() == 1 {
			l.holder = d.String()
		}
	}
	return l, d.Err()
}

// restoreLeases has the leases for reads that another Store granted linger: their holders may not know yet that it is gone.
// Whoever wants to change something there waits for as long as they may rely on them.
func (s *Store) restoreLeases(ctx context.Context) error {
	return s.view(ctx, func(r meta.Reader) error {
		it := r.Iter(meta.Leases.Bounds())
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			prefix, named := meta.LeasePrefix(it.Key())
			bucket, _ := meta.ParseBucketID(it.Key())
			row, err := decodeRecord(it.Key(), it.Value(), decodeLease)
			if err != nil {
				s.log.Error("store: a damaged lease", "bucket", uint64(bucket), "prefix", prefix, "err", err)
				row.holder = "nobody knows"
			}
			if named {
				s.leases.Restore(uint64(bucket), row.holder, prefix)
			}
		}
		return it.Err()
	})
}

// leasedError ends a transaction that is to wait for leases.
type leasedError struct {
	leases []*lease.Lease
	key    string
	others *leasedError // that are in the way of other keys of the transaction; nil: none
}

func (e *leasedError) Error() string { return fmt.Sprintf("there is a lease on %q", e.key) }

// unlessLeased is the *leasedError of leases that are in the way of a key; nil if there is none.
func unlessLeased(list []*lease.Lease, key string) error {
	if len(list) == 0 {
		return nil
	}
	return &leasedError{leases: list, key: key}
}

// creates must be called before a key that was not there becomes visible. Its error, a *leasedError, ends the transaction,
// which runs again when the lease has ended (update).
func (x *tx) creates(b bucketRow, key string) error {
	return unlessLeased(x.store.leases.Making(uint64(b.id), x.holder, key), key)
}

// createsBelow is creates for all keys that begin with a prefix.
func (x *tx) createsBelow(b bucketRow, prefix string) error {
	return unlessLeased(x.store.leases.MakingBelow(uint64(b.id), x.holder, prefix), prefix)
}

// changesBelow is createsBelow for what is in the way of changes only: leases for reads.
func (x *tx) changesBelow(b bucketRow, prefix string) error {
	return unlessLeased(x.store.leases.ChangingBelow(uint64(b.id), x.holder, prefix), prefix)
}

// changes looks for a lease for reads that is in the way of a change of a row. All that is read and listed of a current
// object, and that there is none, is in the table of objects.
func (x *tx) changes(row []byte) error {
	if x.store.leases.Idle() || len(row) == 0 || meta.Table(row[0]) != meta.Objects {
		return nil
	}
	bucket, _ := meta.ParseBucketID(row)
	name, ok := meta.ObjectName(row)
	if !ok {
		return nil
	}
	key := string(name)
	return unlessLeased(x.store.leases.Changing(uint64(bucket), x.holder, key), key)
}

// Set is meta.Txn's, for all rows: none of an object is written past a lease for reads.
func (x *tx) Set(key, value []byte) error {
	if err := x.changes(key); err != nil {
		return err
	}
	return x.Txn.Set(key, value)
}

// Delete is as Set.
func (x *tx) Delete(key []byte) error {
	if err := x.changes(key); err != nil {
		return err
	}
	return x.Txn.Delete(key)
}

// awaitLease waits for the end of the leases that err is about, of all at once. It reports false when there is none, or when
// ctx has ended.
func (s *Store) awaitLease(ctx context.Context, err error) (bool, error) {
	var leased *leasedError
	if !errors.As(err, &leased) {
		return false, err
	}
	for l := leased; l != nil; l = l.others {
		s.leases.BeginRecall(l.leases, l.key)
	}
	for l := leased; l != nil; l = l.others {
		if err := s.leases.Recall(ctx, l.leases, l.key); err != nil {
			return false, err
		}
	}
	return true, nil
}
