package pgdb

import (
	"context"
	"sync"

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

	running sync.RWMutex // held shared by each View and Update
	closed  bool         // guarded by running

	seq     int64 // of the last commit; of the goroutine that drives, as are
	open    int64 // the commit whose outcome is not known, 0 for none
	crowded int   // and how many transactions more have their turn alone
	queue   queue
}

var _ meta.DB = (*DB)(nil)

// View implements meta.DB. A View must not be begun within another.
func (db *DB) View(ctx context.Context, fn func(meta.Reader) error) error {
	if err := db.begin(ctx); err != nil {
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
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.RUnlock()
	u := newUpdate(ctx)
	if db.queue.add(u) {
		go db.drive()
	}
	return u.wait(fn)
}

// begin takes running shared, unless it fails.
func (db *DB) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.running.RLock()
	if db.closed {
		db.running.RUnlock()
		return meta.ErrClosed
	}
	return nil
}

// Close implements meta.DB.
func (db *DB) Close() error {
	db.running.Lock()
	defer db.running.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	db.queue.wait()
	db.stop()
	db.views.Close()
	db.writers.Close()
	return nil
}
