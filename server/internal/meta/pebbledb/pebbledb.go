package pebbledb

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"pail/server/internal/meta"
)

// DB is a meta.DB on Pebble.
type DB struct {
	dir    string
	fs     vfs.FS
	pebble *pebble.DB
	lock   *pebble.Lock
	prove  func() error

	gate meta.Gate

	snapshots snapshots
	writer    chan struct{} // holds one token while an Update runs its function and applies its batch
	last      *commit       // guarded by writer: the batch applied last
	space     space         // guarded by writer
}

var _ meta.DB = (*DB)(nil)

// commit is a batch on its way to the disk.
type commit struct {
	after *snapshot // the state with it, and nothing later
	done  chan struct{}
	err   error // valid after done
}

// View implements meta.DB. A View must not be begun within another.
func (db *DB) View(ctx context.Context, fn func(meta.Reader) error) error {
	if err := db.gate.Enter(ctx); err != nil {
		return err
	}
	defer db.gate.Leave()
	s := db.snapshots.take()
	r := &reader{source: s}
	defer db.snapshots.release(s) // after the iterators that fn may have left open
	defer r.closeIterators()
	err := fn(r)
	if lost := db.prove(); lost != nil {
		return lost
	}
	return err
}

// Update implements meta.DB.
func (db *DB) Update(ctx context.Context, fn func(meta.Txn) error) error {
	if err := db.gate.Enter(ctx); err != nil {
		return err
	}
	defer db.gate.Leave()
	err := db.commit(ctx, fn)
	if lost := db.prove(); lost != nil {
		return lost
	}
	return err
}

// commit is Update without the proof.
func (db *DB) commit(ctx context.Context, fn func(meta.Txn) error) error {
	b := db.pebble.NewIndexedBatch()
	c, mine, err := db.apply(ctx, b, fn)
	if mine {
		c.err = b.SyncWait()
		if c.err == nil {
			db.snapshots.show(c.after)
		}
		db.snapshots.release(c.after)
		close(c.done)
	}
	err = errors.Join(err, b.Close())
	if c == nil {
		return err
	}
	<-c.done
	if c.err != nil {
		return c.err
	}
	return err
}

// apply runs fn alone and applies the batch. It gives the commit to wait for, also when fn fails, nil when there is none, and
// whether it is that of b, to be finished by the caller.
func (db *DB) apply(ctx context.Context, b *pebble.Batch, fn func(meta.Txn) error) (c *commit, mine bool, err error) {
	select {
	case db.writer <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	defer func() { <-db.writer }()
	t := &txn{reader: reader{source: b}, batch: b}
	if err := t.run(fn); err != nil || b.Empty() {
		return db.last, false, err
	}
	if err := db.space.admit(db, int64(b.Len()), t.deletes > 0); err != nil {
		return nil, false, err
	}
	if err := db.pebble.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return nil, false, err
	}
	db.last = &commit{after: db.snapshots.make(db.pebble), done: make(chan struct{})}
	return db.last, true, nil
}

// Close implements meta.DB.
func (db *DB) Close() error {
	return db.gate.Close(func() error {
		db.snapshots.show(nil)
		return errors.Join(db.pebble.Close(), db.lock.Close())
	})
}
