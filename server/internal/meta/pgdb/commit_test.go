package pgdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"pail/server/internal/meta"
)

// cutter is a proxy that ends connections at a commit: before the database gets to know of it, or before the client learns
// the outcome.
type cutter struct {
	net.Listener
	to   string
	next atomic.Int32 // what to do with the next commit
}

const (
	pass = iota
	cutRequest
	cutAnswer
	cutBoth // before there is an answer
)

// cut puts a cutter in front of the database, and gives the address through it.
func cut(t *testing.T, address string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: u.Host}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	u.Host = l.Addr().String()
	return c, u.String()
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	db, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer db.Close()
	var deaf atomic.Bool
	go func() {
		defer client.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := db.Read(b)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		both := false
		if bytes.HasPrefix(b[:n], []byte("Q")) && bytes.Contains(b[:n], []byte("commit\x00")) {
			switch c.next.Swap(pass) {
			case cutRequest:
				return
			case cutAnswer:
				deaf.Store(true)
			case cutBoth:
				both = true
			}
		}
		if _, err := db.Write(b[:n]); err != nil {
			return
		}
		if both {
			return
		}
		if deaf.Load() {
			_, _ = io.Copy(io.Discard, client) // until the other direction has got the answer, and ends
			return
		}
	}
}

// TestCutOffCommitIsAppliedOnce ends the connection at commits. Each Update must succeed, and count once.
func TestCutOffCommitIsAppliedOnce(t *testing.T) {
	address := postgres.Address(t)
	c, through := cut(t, address)
	db := open(t, through)
	want := uint64(0)
	for range 5 {
		for _, how := range []int32{pass, cutRequest, cutAnswer} {
			c.next.Store(how)
			want++
			if err := db.Update(ctx, increment); err != nil {
				t.Fatalf("cut %d: %v", how, err)
			}
			if c.next.Load() != pass {
				t.Fatal("no commit was cut")
			}
			if got := counted(t, open(t, address)); got != want {
				t.Fatalf("cut %d: %d, want %d", how, got, want)
			}
		}
	}
}

// TestFenceOutlivesItsOwnLoss: a fence whose answer is lost too must not be taken for the commit.
func TestFenceOutlivesItsOwnLoss(t *testing.T) {
	db := open(t, postgres.Address(t))
	for range 2 {
		db.open = 7
		if err := db.resolve(io.EOF); err != errNotCommitted {
			t.Errorf("a commit that never was: %v", err)
		}
	}
}

// TestUnknownIsNotRefused: what keeps the outcome of a commit from being found out is not told as the outcome. A full disk would
// have callers remove what the commit refers to.
func TestUnknownIsNotRefused(t *testing.T) {
	address := postgres.Address(t)
	c, through := cut(t, address)
	db := open(t, through)
	a := connectAdmin(t, address)
	a.do("create function nospace() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100'; end $$",
		"create trigger nospace before insert on pail_commits for each row when (new.fence) execute function nospace()")
	c.next.Store(cutAnswer)
	if err := db.Update(ctx, increment); !errors.Is(err, meta.ErrUnavailable) || errors.Is(err, meta.ErrNoSpace) {
		t.Errorf("unknown: %v", err)
	}
	if n := counted(t, db); n != 1 {
		t.Errorf("done %d times", n)
	}
	a.do("drop trigger nospace on pail_commits")
	if err := db.Update(ctx, increment); err != nil {
		t.Error(err)
	}
	if n := counted(t, db); n != 2 {
		t.Errorf("done %d times", n)
	}
}

func increment(x meta.Txn) error {
	n, err := x.Get([]byte("n"))
	if err == meta.ErrNotFound {
		n, err = make([]byte, 8), nil
	}
	if err != nil {
		return err
	}
	return x.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(n)+1))
}

func counted(t *testing.T, db *DB) (n uint64) {
	t.Helper()
	err := db.View(ctx, func(r meta.Reader) error {
		v, err := r.Get([]byte("n"))
		if err == meta.ErrNotFound {
			return nil
		}
		if err == nil {
			n = binary.BigEndian.Uint64(v)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
