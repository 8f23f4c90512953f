package pgdb

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"pail/server/pgtest"
)

// TestCommitThatNoStandbyHasIsNotTold: where a commit waits for a synchronous standby and the wait ends otherwise, PostgreSQL
// has committed it all the same, and a promotion would undo it. It must not be acknowledged before a standby has it.
func TestCommitThatNoStandbyHasIsNotTold(t *testing.T) {
	node := pgtest.Start(t)
	for i, how := range []string{"cancel", "terminate", "cut"} {
		t.Run(how, func(t *testing.T) {
			address, err := node.Database(fmt.Sprintf("d%d", i))
			if err != nil {
				t.Fatal(err)
			}
			c, through := cut(t, address)
			db := open(t, through)
			a := connectAdmin(t, address)
			a.loseStandby(address)
			defer a.do("alter system reset synchronous_standby_names", "select pg_reload_conf()")
			if how == "cut" {
				c.next.Store(cutBoth)
			}
			done := make(chan error, 1)
			go func() { done <- db.Update(ctx, increment) }()
			pid := a.waiting(done, 0)
			if how != "cut" {
				a.do(fmt.Sprintf("select pg_%s_backend(%d)", how, pid))
			}
			a.waiting(done, pid)
			if n := counted(t, open(t, address)); how == "cut" && n != 0 {
				t.Error("what no standby has is seen")
			}
			a.do("alter system reset synchronous_standby_names", "select pg_reload_conf()")
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n := counted(t, db); n != 1 {
				t.Errorf("done %d times", n)
			}
		})
	}
}

// admin is a connection of whoever runs the database.
type admin struct {
	*pgx.Conn
	t *testing.T
}

func connectAdmin(t *testing.T, address string) *admin {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	return &admin{conn, t}
}

func (a *admin) do(statements ...string) {
	a.t.Helper()
	for _, s := range statements {
		if _, err := a.Exec(ctx, s); err != nil {
			a.t.Fatal(err)
		}
	}
}

// loseStandby has all commits wait for a standby that is not there, once one does.
func (a *admin) loseStandby(address string) {
	a.t.Helper()
	a.do("set synchronous_commit = local", "alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()")
	other, ended := connectAdmin(a.t, address), make(chan error)
	go func() {
		for {
			if _, err := other.Exec(ctx, "select pg_logical_emit_message(true, 'test', '')"); err != nil {
				close(ended)
				return
			}
		}
	}()
	a.do(fmt.Sprintf("select pg_terminate_backend(%d)", a.waiting(nil, 0)))
	<-ended
}

// waiting gives the process of the database, another one than but, in which a commit waits, or which waits for that.
func (a *admin) waiting(done <-chan error, but int) (pid int) {
	a.t.Helper()
	for {
		select {
		case err := <-done:
			a.t.Fatalf("told before a standby has it: %v", err)
		default:
		}
		err := a.QueryRow(ctx, "select pid from pg_stat_activity where datname = current_database() and (wait_event = 'SyncRep' or wait_event_type = 'Lock') and pid <> $1", but).Scan(&pid)
		if err == nil {
			return pid
		}
		if err != pgx.ErrNoRows {
			a.t.Fatal(err)
		}
	}
}
