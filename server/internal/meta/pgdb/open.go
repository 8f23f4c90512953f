package pgdb

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"pail/server/internal/meta"
)

// Options of a database. The zero value is right for a server.
type Options struct {
	Log      *slog.Logger  // nil: discarded
	Patience time.Duration // for a database that does not answer; 0: 20 s
}

const (
	defaultPatience = 20 * time.Second
	queryTimeout    = 15 * time.Second // of one statement, and of one connection
	lockTimeout     = 10 * time.Second // for a lock
	idleTimeout     = 5 * time.Second  // of a transaction whose process says nothing
	viewConnections = 16               // unless the address has pool_max_conns
	connectTimeout  = 5 * time.Second
)

// The tables. NB: must not change.
const schema = `
create table if not exists pail_rows (key bytea primary key, value bytea not null);
create table if not exists pail_commits (instance bytea, seq bigint, fence boolean not null, made timestamptz not null default now(), primary key (instance, seq));
create table if not exists pail_turn (nothing boolean);
`

// session prepares a connection. Index scans lock, for the serializable isolation, only what they pass. The database must not
// keep for ever what it holds for a process that is gone or stopped: locks, who waits for one, and the messages that it has
// not taken.
var session = fmt.Sprintf(`
set enable_seqscan = off; set enable_bitmapscan = off; set jit = off;
set idle_in_transaction_session_timeout = %d; set lock_timeout = %d; set default_transaction_isolation = 'read committed';
set tcp_user_timeout = 60000; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off';
`, idleTimeout.Milliseconds(), lockTimeout.Milliseconds())

// Open opens the database at address, a URL or a list of key=value as libpq takes it, and makes its tables where they are
// missing. Errors never hold the password. A database of another version of pail, or of another program, is
// meta.ErrVersion; one that is not there is meta.ErrUnavailable at once.
func Open(ctx context.Context, address string, opt Options) (*DB, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Patience = cmp.Or(opt.Patience, defaultPatience)
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	db := &DB{opt: opt}
	_, _ = rand.Read(db.instance[:]) // never fails (crypto/rand)
	db.ctx, db.stop = context.WithCancel(context.Background())
	if db.views, err = pgxpool.NewWithConfig(db.ctx, config); err != nil {
		return nil, redact(err)
	}
	writers := config.Copy()
	writers.ConnConfig.DialFunc = uncancelled(config.ConnConfig.DialFunc)
	writers.ConnConfig.OnNotice = noteWarning
	writers.MaxConns = 2 // one that writes, and one that looks what became of a commit
	if db.writers, err = pgxpool.NewWithConfig(db.ctx, writers); err != nil {
		db.views.Close()
		return nil, redact(err)
	}
	if err := db.prepare(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// parse reads an address. Its errors tell no part of it: what is wrong may be the password.
func parse(address string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errAddress
	}
	if !strings.Contains(address, "pool_max_conns") {
		config.MaxConns = viewConnections
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	// A host that takes no writes is none: what it shows may be old.
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pail"
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		return conn.PgConn().Exec(ctx, session).Close()
	}
	return config, nil
}

// prepare makes the tables and looks whether the rows are pail's.
func (db *DB) prepare(ctx context.Context) error {
	err := db.limited(ctx, func(ctx context.Context) error {
		// Several processes that make the tables at once may disturb each other.
		if err := db.exec(ctx, schema); !isDuplicate(err) {
			return err
		}
		return db.exec(ctx, schema)
	})
	if err != nil {
		return told(err)
	}
	_ = db.exec(ctx, forgetOld) // the next start would do as well
	return db.Update(ctx, meta.CheckFormat)
}

// exec runs statements without arguments.
func (db *DB) exec(ctx context.Context, sql string) error {
	conn, err := db.writers.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return conn.Conn().PgConn().Exec(ctx, sql).Close()
}
