package store

import (
	"errors"

	"pail/server/internal/meta"
)

// checkAccounts refuses growth of what an account holds, in all its buckets, beyond the account's quota.
func (x *tx) checkAccounts() error {
	if x.store.accountQuota == nil {
		return nil
	}
	for _, d := range x.usage {
		if d.bytes <= 0 {
			continue
		}
		quota := x.store.accountQuota(d.owner)
		if quota <= 0 {
			continue
		}
		held, err := x.held(d.owner)
		if err != nil {
			return err
		}
		if held > quota {
			return ErrAccountQuota
		}
	}
	return nil
}

// held counts the bytes in all buckets of an account. That is a look at each bucket of the server, for accounts with a
// quota only: a row per account would be one more that every write must change.
func (x *tx) held(owner string) (bytes int64, err error) {
	it := prefixIter(x, meta.BucketKey(""))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		b, err := decodeRecord(it.Key(), it.Value(), decodeBucket)
		if errors.Is(err, meta.ErrDamaged) || err == nil && b.owner != owner {
			continue
		}
		if err != nil {
			return 0, err
		}
		key := meta.UsageKey(b.id)
		u, err := load(x, key, decodeUsage)
		if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrDamaged) {
			if u, err = x.countUsage(b.id); err == nil {
				err = save(x, key, u.encode())
			}
		}
		if err != nil {
			return 0, err
		}
		bytes += u.Bytes
	}
	return bytes, it.Err()
}
