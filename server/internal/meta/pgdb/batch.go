package pgdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RaduBerinde/btreemap"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// The lock comes before the snapshot, so that one who has its turn alone sees all that was committed before.
	beginShared = "begin isolation level serializable; lock table pail_turn in row share mode"
	beginAlone  = "begin isolation level serializable; lock table pail_turn in exclusive mode"

	writeAll = `with gone as (delete from pail_rows where key = any($1::bytea[])),
mark as (insert into pail_commits (instance, seq, fence) values ($4, $5, false))
insert into pail_rows (key, value) select * from unnest($2::bytea[], $3::bytea[])
on conflict (key) do update set value = excluded.value`

	// A row whose outcome is known is of no more use; whoever was stopped for a month does not go on.
	forgetOwn = "delete from pail_commits where instance = $1 and seq < $2"
	forgetOld = "delete from pail_commits where made < now() - interval '30 days'"

	forgetEvery = 256 // commits

	// Where there was a conflict there will be more: so many transactions have their turn alone at once.
	crowdedFor = 32
)

// drive runs the Updates that wait until there are none.
func (db *DB) drive() {
	for batch := db.queue.next(); batch != nil; batch = db.queue.next() {
		db.settle(batch)
	}
}

// settle runs a batch until its outcome is known. When the database refuses one for another reason than conflicts, each
// Update gets a transaction of its own: the reason may be one of them.
func (db *DB) settle(batch []*update) {
	if err := db.closeOpen(); err != nil {
		finish(batch, told(fmt.Errorf("an earlier commit is still open: %v", err)))
		return
	}
	began := time.Now()
	alone := db.crowded > 0
	db.crowded = max(db.crowded-1, 0)
	for try := 0; ; try++ {
		err := db.attempt(batch, alone)
		switch {
		case err == nil:
			finish(batch, nil)
			return
		case errors.Is(err, errUnknown): // nothing may run again
		case isConflict(err):
			db.crowded, alone = crowdedFor, true
			continue
		case isLost(err) && db.ctx.Err() == nil && time.Since(began) < db.opt.Patience:
			if pause(db.ctx, try) == nil {
				continue
			}
		case len(batch) > 1 && !isLost(err):
			for i := range batch {
				db.settle(batch[i : i+1])
			}
			return
		}
		finish(batch, told(err))
		return
	}
}

// finish tells the callers. err is the outcome for those whose function did not fail by itself.
func finish(batch []*update, err error) {
	for _, u := range batch {
		if err != nil {
			u.err = err
		}
		close(u.turn)
	}
}

// attempt runs the functions in one transaction and commits it. nil means that the outcomes are those in the Updates.
func (db *DB) attempt(batch []*update, alone bool) error {
	var conn *pgxpool.Conn
	err := db.limited(db.ctx, func(ctx context.Context) (err error) {
		if conn, err = db.writers.Acquire(ctx); err != nil {
			return err
		}
		begin := beginShared
		if alone {
			begin = beginAlone
		}
		return conn.Conn().PgConn().Exec(ctx, begin).Close()
	})
	if conn != nil {
		defer conn.Release() // closes it, if the transaction did not end
	}
	if err != nil {
		return err
	}
	t := newTxn(db, conn.Conn())
	for _, u := range batch {
		if t.run(u); t.failed != nil {
			return t.failed
		}
	}
	return t.commit()
}

// run runs the function of an Update, and takes back what one has written that failed.
func (t *txn) run(u *update) {
	if u.err = u.ctx.Err(); u.err != nil {
		return
	}
	u.turn <- t
	if u.err = <-u.ran; u.err != nil {
		t.discard()
	}
	t.keep()
}

func (t *txn) commit() error {
	writing := t.writes.Len() > 0 || len(t.messages) > 0
	if writing {
		if err := t.flush(); err != nil {
			return err
		}
	}
	err := t.db.limited(t.db.ctx, t.end)
	if err != nil && writing && !isRefusal(err) {
		_ = t.conn.Close(t.db.ctx) // the database learns of the end, if it can be told
		t.db.open = t.db.seq
		err = t.db.resolve(err)
	}
	if err == nil && writing && t.db.seq%forgetEvery == 0 {
		_ = t.db.limited(t.db.ctx, func(ctx context.Context) error {
			_, err := t.conn.Exec(ctx, forgetOwn, t.db.instance[:], t.db.seq)
			return err
		})
	}
	return err
}

// end commits. A commit that the database warns of may not be on a standby that it had to wait for.
func (t *txn) end(ctx context.Context) error {
	data := t.conn.PgConn().CustomData()
	delete(data, warned)
	results, err := t.conn.PgConn().Exec(ctx, "commit").ReadAll()
	if err == nil && (data[warned] != nil || results[0].CommandTag.String() != "COMMIT") {
		err = fmt.Errorf("pgdb: %s, with warning %v", results[0].CommandTag, data[warned])
	}
	return err
}

// flush sends all writes, with the row that tells of the commit.
func (t *txn) flush() error {
	var gone, keys, values [][]byte
	for key, value := range t.writes.Ascend(btreemap.Min[[]byte](), btreemap.Max[[]byte]()) {
		if value == nil {
			gone = append(gone, key)
		} else {
			keys, values = append(keys, key), append(values, value)
		}
	}
	t.db.seq++
	b := &pgx.Batch{}
	b.Queue(writeAll, gone, keys, values, t.db.instance[:], t.db.seq)
	if len(t.messages) > 0 {
		b.Queue(sendAll, t.messages)
	}
	return t.db.limited(t.db.ctx, func(ctx context.Context) error { return t.conn.SendBatch(ctx, b).Close() })
}

// Whichever row is there is written, so that this is as durable as a commit: where the database waits for a standby, that has
// all from before it then.
const fence = `insert into pail_commits as c (instance, seq, fence) values ($1, $2, true)
on conflict (instance, seq) do update set fence = c.fence returning fence`

// errNotCommitted makes the functions run again.
var errNotCommitted = errors.New("pgdb: the connection ended before the commit")

// resolve finds out whether the commit db.open took place, whose connection ended with cause, and nil says that it did. After
// errNotCommitted it never will.
func (db *DB) resolve(cause error) error {
	fenced := false
	err := db.persist(db.ctx, func(ctx context.Context) error {
		conn, err := db.writers.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		data := conn.Conn().PgConn().CustomData()
		delete(data, warned)
		err = conn.QueryRow(ctx, fence, db.instance[:], db.open).Scan(&fenced)
		if err == nil && data[warned] != nil {
			err = fmt.Errorf("pgdb: warning %v", data[warned])
		}
		return err
	})
	if err != nil {
		db.opt.Log.Error("the outcome of a commit is not known", "err", redact(err), "cause", redact(cause))
		return fmt.Errorf("%w: %v", errUnknown, err) // which is not err: that is no refusal of the commit
	}
	db.open = 0
	if fenced {
		return errNotCommitted
	}
	return nil
}

// closeOpen resolves what was not known when its callers had to be told. Where a database keeps all commits waiting, only one
// connection waits there.
func (db *DB) closeOpen() error {
	if db.open == 0 {
		return nil
	}
	if err := db.resolve(errUnknown); err != nil && !errors.Is(err, errNotCommitted) {
		return err
	}
	return nil
}
