package store

import (
	"bytes"
	"context"
	"errors"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// ErrNotItsBlobs means that blobs are those of another database.
var ErrNotItsBlobs = errors.New("there are blobs, and the database is empty and never knew any")

// Fits fails with ErrNotItsBlobs where there are blobs and nothing was ever written to the database: Open would take all
// of them for what a crash has left, and remove them. A database whose buckets were all deleted has kept their counter.
func Fits(ctx context.Context, db meta.DB, blobs blob.Store) error {
	var used bool
	err := db.View(ctx, func(r meta.Reader) (err error) {
		used, err = isUsed(r)
		return err
	})
	if err != nil || used {
		return storeError(err)
	}
	return blobs.All(ctx, func(blob.ID, blob.Stat) error { return ErrNotItsBlobs })
}

// isUsed reports whether there is a row but those of the format and of the servers that share the database. Damaged rows were
// once written.
func isUsed(r meta.Reader) (bool, error) {
	it := r.Iter(nil, nil)
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		switch key := it.Key(); {
		case bytes.Equal(key, meta.FormatKey()), bytes.Equal(key, meta.PairKey()), bytes.Equal(key, meta.ExclusionKey()),
			bytes.Equal(key, meta.MasterKeysKey()):
		case meta.Table(key[0]) == meta.Members, meta.Table(key[0]) == meta.Graves, meta.Table(key[0]) == meta.Leases:
		default:
			return true, nil
		}
	}
	err := it.Err()
	if errors.Is(err, meta.ErrDamaged) {
		return true, nil
	}
	return false, err
}
