package pgdb

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"pail/server/internal/meta"
)

const (
	// The tables of several installations may be in schemas of one database, whose channels are common to all.
	channel = "select 'pail_' || md5(current_schema())"
	sendAll = "select pg_notify('pail_' || md5(current_schema()), m) from unnest($1::text[]) m"

	maxQuiet = 5 * time.Second
)

var (
	_ meta.Messenger = (*DB)(nil)
	_ meta.Sender    = (*txn)(nil)
)

// Send implements meta.Sender. A payload is text.
func (t *txn) Send(message []byte) {
	t.messages = append(t.messages, base64.StdEncoding.EncodeToString(message))
}

// Receive implements meta.Messenger.
func (db *DB) Receive(ctx context.Context, message func([]byte), up, down func()) {
	for try := 0; ctx.Err() == nil; try++ {
		began := false
		err := db.receive(ctx, message, func() { began, try = true, 0; up() })
		down()
		if ctx.Err() != nil || db.ctx.Err() != nil {
			return
		}
		if began {
			db.opt.Log.Warn("messages from the database stop for a while", "err", redact(err))
		}
		if pause(ctx, try) != nil {
			return
		}
	}
}

// receive hands over messages until the connection ends.
func (db *DB) receive(ctx context.Context, message func([]byte), up func()) error {
	var pooled *pgxpool.Conn
	err := db.limited(ctx, func(ctx context.Context) (err error) {
		if pooled, err = db.views.Acquire(ctx); err != nil {
			return err
		}
		var name string
		if err := pooled.QueryRow(ctx, channel).Scan(&name); err != nil {
			return err
		}
		return pooled.Conn().PgConn().Exec(ctx, "listen "+name).Close()
	})
	if pooled == nil {
		return err
	}
	conn := pooled.Hijack() // it listens, and must not come back into the pool
	defer conn.Close(context.Background())
	if err != nil {
		return err
	}
	up()
	for {
		n, err := db.next(ctx, conn)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		if p, err := base64.StdEncoding.DecodeString(n.Payload); err == nil {
			message(p)
		}
	}
}

// next waits for a message. nil means that there was none for a while, and that the database answers.
func (db *DB) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	quiet, cancel := context.WithTimeout(ctx, maxQuiet)
	defer cancel()
	n, err := conn.WaitForNotification(quiet)
	if err != nil && quiet.Err() != nil && ctx.Err() == nil {
		return nil, db.limited(ctx, conn.Ping)
	}
	return n, err
}
