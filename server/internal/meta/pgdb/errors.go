package pgdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pail/server/internal/meta"
)

var (
	errAddress = errors.New("the address of the PostgreSQL database cannot be understood: give postgres://USER@HOST/DATABASE, or several hosts as postgres://USER@HOST1:5432,HOST2:5432/DATABASE")
	errUnknown = errors.New("pgdb: the connection ended during a commit, and whether it took place could not be found out")
)

// code gives the SQLSTATE, "" for an error that the database did not tell.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func isDuplicate(err error) bool {
	switch code(err) {
	case "23505", "42P07", "42710": // unique_violation of a catalogue, duplicate_table, duplicate_object
		return true
	}
	return false
}

// isRefusal reports whether the database has refused a statement, and its transaction with it, and goes on.
func isRefusal(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.SeverityUnlocalized == "ERROR"
}

// isConflict reports whether the transaction has to run again because of another one.
func isConflict(err error) bool {
	c := code(err)
	return c == "40001" || c == "40P01" // serialization_failure, deadlock_detected
}

// isLost reports whether the database was not reached, or is not the one to ask any more: what has not happened yet may
// succeed on another connection.
func isLost(err error) bool {
	c := code(err)
	if c == "" {
		return err != nil
	}
	switch c {
	// read_only_sql_transaction, idle_in_transaction_session_timeout, too_many_connections, lock_not_available
	case "25006", "25P03", "53300", "55P03":
		return true
	}
	return c[:2] == "08" || c[:3] == "57P" // connection exceptions, shutdown and crash
}

// told gives an error the form in which it leaves the package.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case code(err) == "53100": // disk_full
		return fmt.Errorf("%w: %w", meta.ErrNoSpace, redact(err))
	case isLost(err) && !errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", meta.ErrUnavailable, redact(err))
	}
	return redact(err)
}

// redact keeps only what is known to hold no password: pgx's errors of connections and of addresses do their best, and no
// more is promised.
func redact(err error) error {
	if errors.As(err, new(*pgconn.ParseConfigError)) {
		return errAddress
	}
	return err
}

// persist runs fn, which has no effect when it fails so, again while the database is not reached.
func (db *DB) persist(ctx context.Context, fn func(context.Context) error) error {
	began := time.Now()
	for try := 0; ; try++ {
		err := db.limited(ctx, fn)
		if err == nil || !isLost(err) || ctx.Err() != nil || db.ctx.Err() != nil || time.Since(began) > db.opt.Patience {
			return told(err)
		}
		if over := pause(ctx, try); over != nil {
			return fmt.Errorf("%w (%w)", told(err), over)
		}
	}
}

// limited runs fn for queryTimeout at most.
func (db *DB) limited(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return fn(ctx)
}

const (
	minPause = 10 * time.Millisecond
	maxPause = 500 * time.Millisecond
)

// pause waits before a repetition, longer each time and not in step with others.
func pause(ctx context.Context, try int) error {
	d := min(minPause<<min(try, 10), maxPause)
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
