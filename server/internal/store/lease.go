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
// prefix is visible then: the grant is an update that changes nothing, so all before it is durable, and all that comes
// after sees the lease.
func (s *Store) GrantLease(ctx context.Context, bucket, holder, prefix string) error {
	return s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		return s.leases.Grant(uint64(b.id), holder, prefix)
	})
}

// ReturnLease ends a lease of a holder, if it has it.
func (s *Store) ReturnLease(ctx context.Context, bucket, holder, prefix string) error {
	id, err := s.bucketID(ctx, bucket)
	if err == nil {
		s.leases.Return(id, holder, prefix)
	}
	return err
}

// leasedError ends a transaction that is to wait for a lease.
type leasedError struct {
	lease *lease.Lease
	key   string
}

func (e *leasedError) Error() string { return fmt.Sprintf("there is a lease on %q", e.key) }

// unlessLeased is the *leasedError of a lease that is in the way of a key; nil if there is none.
func unlessLeased(l *lease.Lease, key string) error {
	if l == nil {
		return nil
	}
	return &leasedError{l, key}
}

// creates must be called before a key that was not there becomes visible. Its error, a *leasedError, ends the transaction,
// which runs again when the lease has ended (update).
func (x *tx) creates(b bucketRow, key string) error {
	return unlessLeased(x.store.leases.Conflict(uint64(b.id), x.holder, key), key)
}

// createsBelow is creates for all keys that begin with a prefix.
func (x *tx) createsBelow(b bucketRow, prefix string) error {
	return unlessLeased(x.store.leases.Overlap(uint64(b.id), x.holder, prefix), prefix)
}

// awaitLease waits for the end of the lease that err is about. It reports false when there is none, or when ctx has ended.
func (s *Store) awaitLease(ctx context.Context, err error) (bool, error) {
	var leased *leasedError
	if !errors.As(err, &leased) {
		return false, err
	}
	if err := s.leases.Recall(ctx, leased.lease, leased.key); err != nil {
		return false, err
	}
	return true, nil
}
