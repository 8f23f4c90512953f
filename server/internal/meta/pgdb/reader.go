package pgdb

import (
	"bytes"
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"pail/server/internal/meta"
)

// querier runs a query and hands its rows to scan.
type querier interface {
	query(sql string, args []any, scan func(pgx.Rows) error) error
}

const (
	selectOne   = "select value from pail_rows where key = $1"
	selectFrom  = "select key, value from pail_rows where key >= $1 order by key limit $2"
	selectRange = "select key, value from pail_rows where key >= $1 and key < $2 order by key limit $3"
)

type row struct{ key, value []byte }

// getRow reads a row, which is meta.ErrNotFound when it is not there.
func getRow(q querier, key []byte) ([]byte, error) {
	var value []byte
	err := q.query(selectOne, []any{given(key)}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&value); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err == nil && value == nil {
		err = meta.ErrNotFound
	}
	return value, err
}

// ask runs a query on a connection and hands its rows to scan.
func ask(ctx context.Context, conn *pgx.Conn, sql string, args []any, scan func(pgx.Rows) error) error {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return scan(rows)
}

// given keeps an empty key or value from being NULL.
func given(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// getPage reads up to n rows of from <= key < upper.
func getPage(q querier, from, upper []byte, n int) ([]row, error) {
	sql, args := selectFrom, []any{given(from), n}
	if upper != nil {
		sql, args = selectRange, []any{given(from), upper, n}
	}
	page := make([]row, 0, n)
	err := q.query(sql, args, func(rows pgx.Rows) error {
		page = page[:0] // a first query may run again
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.key, &r.value); err != nil {
				return err
			}
			page = append(page, r)
		}
		return rows.Err()
	})
	return page, err
}

// view is the Reader of a View.
type view struct {
	db     *DB
	ctx    context.Context
	conn   *pgxpool.Conn // nil before the first read
	failed error         // the first failure of the database
}

const beginView = "begin isolation level repeatable read read only"

func (v *view) query(sql string, args []any, scan func(pgx.Rows) error) error {
	if v.failed != nil {
		return v.failed
	}
	if v.conn == nil {
		// Nothing has been read: another connection will do as well.
		v.failed = v.db.persist(v.ctx, func(ctx context.Context) error { return v.begin(ctx, sql, args, scan) })
	} else {
		v.failed = told(v.db.limited(v.ctx, func(ctx context.Context) error { return ask(ctx, v.conn.Conn(), sql, args, scan) }))
	}
	return v.failed
}

// begin takes a connection, and sends the first query together with the begin of the transaction.
func (v *view) begin(ctx context.Context, sql string, args []any, scan func(pgx.Rows) error) error {
	conn, err := v.db.views.Acquire(ctx)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(beginView)
	b.Queue(sql, args...).Query(scan)
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		conn.Release()
		return err
	}
	v.conn = conn
	return nil
}

// end ends the View. Nobody has to wait until the database knows.
func (v *view) end() {
	if v.conn == nil {
		v.db.gate.Leave()
		return
	}
	go v.giveBack()
}

// giveBack gives the connection back; one whose transaction does not end is closed by the pool.
func (v *view) giveBack() {
	defer v.db.gate.Leave()
	defer v.conn.Release()
	if v.failed == nil {
		_ = v.db.limited(v.db.ctx, func(ctx context.Context) error { return v.conn.Conn().PgConn().Exec(ctx, "commit").Close() })
	}
}

func (v *view) Get(key []byte) ([]byte, error) { return getRow(v, key) }

func (v *view) Iter(lower, upper []byte) meta.Iterator {
	return &viewIterator{pages{q: v, lower: bytes.Clone(lower), upper: bytes.Clone(upper)}}
}

type viewIterator struct{ pages }

func (it *viewIterator) First() bool            { return it.SeekGE(it.lower) }
func (it *viewIterator) SeekGE(key []byte) bool { it.seek(key); return it.Valid() }
func (it *viewIterator) Next() bool             { it.next(); return it.Valid() }
func (it *viewIterator) Valid() bool            { return it.current() != nil }
func (it *viewIterator) Key() []byte            { return it.current().key }
func (it *viewIterator) Value() []byte          { return it.current().value }
func (it *viewIterator) Err() error             { return it.err }
func (it *viewIterator) Close() error           { return nil }
