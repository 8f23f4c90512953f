package pgdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/server/internal/meta"
	"pail/server/internal/meta/metatest"
	"pail/server/pgtest"
)

var postgres pgtest.Shared

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

var ctx = context.Background()

func open(t *testing.T, address string) *DB {
	t.Helper()
	db, err := Open(ctx, address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestContract(t *testing.T) {
	metatest.Run(t, func(t *testing.T) meta.DB { return open(t, postgres.Address(t)) })
}

// TestContractAmongProcesses runs the contract over two connections to the same database, in turn.
func TestContractAmongProcesses(t *testing.T) {
	metatest.Run(t, func(t *testing.T) meta.DB {
		address := postgres.Address(t)
		return &inTurn{dbs: [2]*DB{open(t, address), open(t, address)}}
	})
}

// inTurn gives each call to the other of two databases.
type inTurn struct {
	dbs   [2]*DB
	calls atomic.Uint64
}

func (d *inTurn) next() *DB { return d.dbs[d.calls.Add(1)%2] }

func (d *inTurn) View(ctx context.Context, fn func(meta.Reader) error) error {
	return d.next().View(ctx, fn)
}

func (d *inTurn) Update(ctx context.Context, fn func(meta.Txn) error) error {
	return d.next().Update(ctx, fn)
}

func (d *inTurn) Close() error { return errors.Join(d.dbs[0].Close(), d.dbs[1].Close()) }

// TestAddressIsNotTold: what is wrong with an address may be its password.
func TestAddressIsNotTold(t *testing.T) {
	for _, address := range []string{"postgres://pail:se%zzcret@host/db", "postgres://pail:secret@127.0.0.1:1/db", "host=127.0.0.1 port=1 password=secret user=a b", "secret"} {
		_, err := Open(ctx, address, Options{Patience: time.Millisecond})
		if err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestLongWalk crosses pages, with writes among the rows.
func TestLongWalk(t *testing.T) {
	db := open(t, postgres.Address(t))
	const n = 1000
	key := func(i int) []byte { return fmt.Appendf(nil, "k%04d", i) }
	err := db.Update(ctx, func(x meta.Txn) error {
		for i := 0; i < n; i += 2 {
			if err := x.Set(key(i), []byte("old")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(ctx, func(x meta.Txn) error {
		for i := 1; i < n; i += 2 {
			_ = x.Set(key(i), []byte("new"))
		}
		for i := 0; i < n; i += 5 {
			_ = x.Delete(key(i))
		}
		it := x.Iter([]byte("k"), nil)
		defer it.Close()
		ok := it.First()
		for i := range n {
			if i%5 == 0 {
				continue
			}
			want := "old"
			if i%2 == 1 {
				want = "new"
			}
			if !ok || !bytes.Equal(it.Key(), key(i)) || string(it.Value()) != want {
				t.Fatalf("%d: %v %q %q", i, ok, it.Key(), it.Value())
			}
			ok = it.Next()
		}
		if ok || it.Err() != nil {
			t.Errorf("behind the end: %v %v", ok, it.Err())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
