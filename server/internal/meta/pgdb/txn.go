package pgdb

import (
	"bytes"
	"context"
	"errors"

	"github.com/RaduBerinde/btreemap"
	"github.com/jackc/pgx/v5"

	"pail/server/internal/meta"
)

// txn is a transaction of the database that several Updates share. Writes stay in memory until it is whole.
type txn struct {
	db     *DB
	conn   *pgx.Conn
	failed error // the first failure of the database

	writes *btreemap.BTreeMap[[]byte, []byte] // a nil value deletes
	undo   []undone                           // what the function that runs has replaced, in order

	messages []string // those up to kept are of functions that have run
	kept     int

	read      map[string][]byte // rows as the snapshot has them, nil for none
	readBytes int
}

// undone is what was known of a row before a write.
type undone struct {
	key, value []byte
	written    bool // earlier in the transaction
}

// Rows that are kept for being read again: those of a bucket are read by each of its requests.
const (
	maxReadRow   = 4 << 10
	maxReadBytes = 4 << 20
)

func newTxn(db *DB, conn *pgx.Conn) *txn {
	return &txn{db: db, conn: conn, writes: btreemap.New[[]byte, []byte](16, bytes.Compare), read: map[string][]byte{}}
}

func (t *txn) query(sql string, args []any, scan func(pgx.Rows) error) error {
	if t.failed != nil {
		return t.failed
	}
	t.failed = t.db.limited(t.db.ctx, func(ctx context.Context) error { return ask(ctx, t.conn, sql, args, scan) })
	return t.failed
}

func (t *txn) Get(key []byte) ([]byte, error) {
	if _, value, ok := t.writes.Get(key); ok {
		return found(value)
	}
	if value, ok := t.read[string(key)]; ok {
		return found(value)
	}
	value, err := getRow(t, key)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return nil, err
	}
	if n := len(key) + len(value); len(value) <= maxReadRow && t.readBytes+n <= maxReadBytes {
		t.read[string(key)] = value
		t.readBytes += n
	}
	return found(value)
}

func found(value []byte) ([]byte, error) {
	if value == nil {
		return nil, meta.ErrNotFound
	}
	return bytes.Clone(value), nil
}

func (t *txn) Set(key, value []byte) error {
	t.write(bytes.Clone(key), append([]byte{}, value...))
	return nil
}

func (t *txn) Delete(key []byte) error {
	t.write(bytes.Clone(key), nil)
	return nil
}

func (t *txn) write(key, value []byte) {
	_, old, replaced := t.writes.ReplaceOrInsert(key, value)
	t.undo = append(t.undo, undone{key, old, replaced})
}

// keep makes the writes of the function that has run final, as far as the transaction is.
func (t *txn) keep() { t.undo, t.kept = nil, len(t.messages) }

// discard takes them back.
func (t *txn) discard() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		if u := t.undo[i]; u.written {
			t.writes.ReplaceOrInsert(u.key, u.value)
		} else {
			t.writes.Delete(u.key)
		}
	}
	t.undo, t.messages = nil, t.messages[:t.kept]
}

func (t *txn) Iter(lower, upper []byte) meta.Iterator {
	return &merged{t: t, rows: pages{q: t, lower: bytes.Clone(lower), upper: bytes.Clone(upper)}}
}

// merged is an iterator over the rows of the database and the writes of the transaction, which come before them.
type merged struct {
	t     *txn
	rows  pages
	at    row
	valid bool
}

func (it *merged) First() bool { return it.SeekGE(it.rows.lower) }

func (it *merged) SeekGE(key []byte) bool {
	if bytes.Compare(key, it.rows.lower) < 0 {
		key = it.rows.lower
	}
	it.rows.seek(key)
	return it.settle(btreemap.GE(key))
}

func (it *merged) Next() bool {
	if !it.valid {
		return false
	}
	if r := it.rows.current(); r != nil && bytes.Equal(r.key, it.at.key) {
		it.rows.next()
	}
	return it.settle(btreemap.GT(it.at.key))
}

// settle moves to the first row from a bound on, from which the rows of the database are positioned.
func (it *merged) settle(from btreemap.LowerBound[[]byte]) bool {
	upper := btreemap.Max[[]byte]()
	if it.rows.upper != nil {
		upper = btreemap.LT(it.rows.upper)
	}
	for key, value := range it.t.writes.Ascend(from, upper) {
		r := it.rows.current()
		if r != nil && bytes.Compare(r.key, key) < 0 {
			break
		}
		if r != nil && bytes.Equal(r.key, key) {
			it.rows.next()
		}
		if value != nil {
			return it.stand(row{key, value})
		}
	}
	if r := it.rows.current(); r != nil {
		return it.stand(*r)
	}
	it.valid = false
	return false
}

func (it *merged) stand(r row) bool {
	it.valid = it.rows.err == nil
	it.at = r
	return it.valid
}

func (it *merged) Valid() bool   { return it.valid }
func (it *merged) Key() []byte   { return it.at.key }
func (it *merged) Value() []byte { return it.at.value }
func (it *merged) Err() error    { return it.rows.err }
func (it *merged) Close() error  { return nil }
