package memdb

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"pail/server/internal/meta"
)

type row struct{ key, value []byte }

func compare(r row, key []byte) int { return bytes.Compare(r.key, key) }

// DB is a meta.DB in memory.
type DB struct {
	writer sync.Mutex // held by the running Update

	mu struct {
		sync.Mutex
		rows   []row // immutable
		closed bool
	}
}

var _ meta.DB = (*DB)(nil)

// New makes an empty database.
func New() *DB { return new(DB) }

// View implements meta.DB.
func (db *DB) View(ctx context.Context, fn func(meta.Reader) error) error {
	rows, err := db.begin(ctx)
	if err != nil {
		return err
	}
	return fn(&txn{rows: rows})
}

// Update implements meta.DB.
func (db *DB) Update(ctx context.Context, fn func(meta.Txn) error) error {
	db.writer.Lock()
	defer db.writer.Unlock()
	rows, err := db.begin(ctx)
	if err != nil {
		return err
	}
	t := &txn{rows: slices.Clone(rows)}
	if err := fn(t); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.mu.rows = t.rows
	return nil
}

// Close implements meta.DB.
func (db *DB) Close() error {
	db.writer.Lock()
	defer db.writer.Unlock()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.mu.closed = true
	return nil
}

func (db *DB) begin(ctx context.Context) ([]row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil, meta.ErrClosed
	}
	return db.mu.rows, nil
}

type txn struct{ rows []row }

func (t *txn) find(key []byte) (int, bool) { return slices.BinarySearchFunc(t.rows, key, compare) }

func (t *txn) Get(key []byte) ([]byte, error) {
	i, ok := t.find(key)
	if !ok {
		return nil, meta.ErrNotFound
	}
	return bytes.Clone(t.rows[i].value), nil
}

func (t *txn) Set(key, value []byte) error {
	r := row{bytes.Clone(key), append([]byte{}, value...)}
	i, ok := t.find(key)
	if ok {
		t.rows[i] = r
	} else {
		t.rows = slices.Insert(t.rows, i, r)
	}
	return nil
}

func (t *txn) Delete(key []byte) error {
	if i, ok := t.find(key); ok {
		t.rows = slices.Delete(t.rows, i, i+1)
	}
	return nil
}

func (t *txn) Iter(lower, upper []byte) meta.Iterator {
	return &iter{t: t, lower: bytes.Clone(lower), upper: bytes.Clone(upper)}
}

// iter finds its place anew with every move, so that it survives changes of the rows.
type iter struct {
	t            *txn
	lower, upper []byte
	at           row
	valid        bool
}

func (it *iter) First() bool { return it.SeekGE(it.lower) }

func (it *iter) SeekGE(key []byte) bool {
	if bytes.Compare(key, it.lower) < 0 {
		key = it.lower
	}
	i, _ := it.t.find(key)
	it.valid = i < len(it.t.rows) && (it.upper == nil || compare(it.t.rows[i], it.upper) < 0)
	if it.valid {
		it.at = it.t.rows[i]
	}
	return it.valid
}

func (it *iter) Next() bool {
	if !it.valid {
		return false
	}
	return it.SeekGE(append(bytes.Clone(it.at.key), 0))
}

func (it *iter) Valid() bool   { return it.valid }
func (it *iter) Key() []byte   { return it.at.key }
func (it *iter) Value() []byte { return it.at.value }
func (it *iter) Err() error    { return nil }
func (it *iter) Close() error  { return nil }
