package pgdb

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"pail/server/internal/meta"
)

// DB is a meta.DB on PostgreSQL. It is safe for concurrent use.
type DB struct {
	opt      Options
	instance [16]byte // of this DB, in pail_commits
	views    *pgxpool.Pool
	writers  *pgxpool.Pool

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	gate meta.Gate

	seq     int64 // of the last commit; of the goroutine that drives, as are
	open    int64 // the commit whose outcome is not known, 0 for none
	crowded int   // and how many transactions more have their turn alone
	queue   queue
}

var _ meta.DB = (*DB)(nil)

// View implements meta.DB. A View must not be begun within another.
func (db *DB) View(ctx context.Context, fn func(meta.Reader) error) error {
	if err := db.gate.Enter(ctx); err != nil {
		return err
	}
	v := &view{db: db, ctx: ctx}
	defer v.end()
	err := fn(v)
	if v.failed != nil {
		return v.failed
	}
	return err
}

// Update implements meta.DB.
func (db *DB) Update(ctx context.Context, fn func(meta.Txn) error) error {
	if err := db.gate.Enter(ctx); err != nil {
		return err
	}
	defer db.gate.Leave()
	u := newUpdate(ctx)
	if db.queue.add(u) {
		go db.drive()
	}
	return u.wait(fn)
}

// Close implements meta.DB.
func (db *DB) Close() error {
	return db.gate.Close(func() error {
		db.queue.wait()
		db.stop()
		db.views.Close()
		db.writers.Close()
		return nil
	})
}
