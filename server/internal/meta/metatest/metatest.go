// Package metatest is the contract of a meta.DB as a test suite, which each engine runs.
package metatest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pail/server/internal/meta"
)

// Run tests the databases that open makes. Each is empty, but for rows that the engine keeps for itself below "a".
func Run(t *testing.T, open func(t *testing.T) meta.DB) {
	for _, c := range []struct {
		name string
		test func(*testing.T, meta.DB)
	}{
		{"GetSetDelete", testGetSetDelete},
		{"ValuesBelongToTheCaller", testOwnership},
		{"IteratorBounds", testBounds},
		{"SeekGE", testSeek},
		{"TxnSeesItsOwnWrites", testOwnWrites},
		{"FailedUpdateWritesNothing", testRollback},
		{"PanicLeavesTheDatabaseUsable", testPanic},
		{"ViewIsASnapshot", testSnapshot},
		{"ConcurrentCountersAreExact", testCounter},
		{"NoWriteSkew", testWriteSkew},
		{"CanceledContext", testCanceled},
		{"Closed", testClosed},
		{"RandomOperationsMatchAModel", testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			defer db.Close()
			c.test(t, db)
		})
	}
}

var ctx = context.Background()

func update(t *testing.T, db meta.DB, fn func(meta.Txn) error) {
	t.Helper()
	if err := db.Update(ctx, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func view(t *testing.T, db meta.DB, fn func(meta.Reader) error) {
	t.Helper()
	if err := db.View(ctx, fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// fill sets each "key=value" and deletes each "-key".
func fill(t *testing.T, db meta.DB, rows ...string) {
	t.Helper()
	update(t, db, func(x meta.Txn) error { return write(x, rows...) })
}

func write(x meta.Txn, rows ...string) error {
	for _, row := range rows {
		var err error
		if key, ok := strings.CutPrefix(row, "-"); ok {
			err = x.Delete([]byte(key))
		} else {
			key, value, _ := strings.Cut(row, "=")
			err = x.Set([]byte(key), []byte(value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rows gives the rows within the bounds as "key=value", separated by blanks.
func rows(t *testing.T, r meta.Reader, lower, upper string) string {
	t.Helper()
	it := r.Iter(bound(lower), bound(upper))
	defer it.Close()
	var list []string
	for ok := it.First(); ok; ok = it.Next() {
		list = append(list, fmt.Sprintf("%s=%s", it.Key(), it.Value()))
	}
	if err := it.Err(); err != nil {
		t.Errorf("iterator: %v", err)
	}
	if it.Valid() || it.Next() {
		t.Error("the iterator goes on behind its end")
	}
	return strings.Join(list, " ")
}

func bound(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testGetSetDelete(t *testing.T, db meta.DB) {
	fill(t, db, "a=1", "b=2", "b=3", "c=4", "-c", "-nothing", "empty=", "x\x00y=0")
	view(t, db, func(r meta.Reader) error {
		for key, value := range map[string]string{"a": "1", "b": "3", "empty": "", "x\x00y": "0"} {
			got, err := r.Get([]byte(key))
			if err != nil || string(got) != value {
				t.Errorf("Get(%q) = %q, %v, want %q", key, got, err, value)
			}
		}
		for _, key := range []string{"c", "nothing", "x", "x\x00", ""} {
			if got, err := r.Get([]byte(key)); !errors.Is(err, meta.ErrNotFound) {
				t.Errorf("Get(%q) = %q, %v, want ErrNotFound", key, got, err)
			}
		}
		return nil
	})
}

func testOwnership(t *testing.T, db meta.DB) {
	key, value := []byte("key"), []byte("value")
	update(t, db, func(x meta.Txn) error {
		if err := x.Set(key, value); err != nil {
			return err
		}
		copy(key, "XXX")
		copy(value, "XXXXX")
		got, err := x.Get([]byte("key"))
		copy(got, "YYYYY")
		return err
	})
	view(t, db, func(r meta.Reader) error {
		got, _ := r.Get([]byte("key"))
		want(t, string(got), "value")
		copy(got, "ZZZZZ")
		got, _ = r.Get([]byte("key"))
		want(t, string(got), "value")
		return nil
	})
}

func testBounds(t *testing.T, db meta.DB) {
	fill(t, db, "a=1", "b=2", "b\x00=3", "c=4", "d=5", "\xff\xff=6")
	view(t, db, func(r meta.Reader) error {
		want(t, rows(t, r, "a", ""), "a=1 b=2 b\x00=3 c=4 d=5 \xff\xff=6")
		want(t, rows(t, r, "b", "d"), "b=2 b\x00=3 c=4")
		want(t, rows(t, r, "b", "b\x00"), "b=2")
		want(t, rows(t, r, "bb", "c\x00"), "c=4")
		want(t, rows(t, r, "d", "d"), "")
		want(t, rows(t, r, "e", "f"), "")
		return nil
	})
}

func testSeek(t *testing.T, db meta.DB) {
	fill(t, db, "a=1", "c=2", "e=3", "g=4", "i=5")
	view(t, db, func(r meta.Reader) error {
		it := r.Iter([]byte("c"), []byte("i"))
		defer it.Close()
		for _, c := range []struct{ to, at string }{
			{"d", "e"}, {"e", "e"}, {"g", "g"}, {"c", "c"}, {"a", "c"}, {"h", ""}, {"z", ""}, {"f", "g"},
		} {
			at := ""
			if it.SeekGE([]byte(c.to)) {
				at = string(it.Key())
			}
			if at != c.at || it.Valid() != (c.at != "") {
				t.Errorf("SeekGE(%q) is at %q, want %q", c.to, at, c.at)
			}
		}
		if !it.SeekGE([]byte("d")) || !it.Next() || string(it.Key()) != "g" || string(it.Value()) != "4" {
			t.Error("Next after SeekGE is not on the next row")
		}
		return it.Err()
	})
}

func testOwnWrites(t *testing.T, db meta.DB) {
	fill(t, db, "a=1", "b=2", "c=3")
	update(t, db, func(x meta.Txn) error {
		if err := write(x, "b=new", "-c", "d=4"); err != nil {
			return err
		}
		want(t, rows(t, x, "a", ""), "a=1 b=new d=4")
		got, _ := x.Get([]byte("b"))
		want(t, string(got), "new")
		if _, err := x.Get([]byte("c")); !errors.Is(err, meta.ErrNotFound) {
			t.Errorf("Get of a deleted row: %v", err)
		}
		return write(x, "-d", "c=again")
	})
	view(t, db, func(r meta.Reader) error {
		want(t, rows(t, r, "a", ""), "a=1 b=new c=again")
		return nil
	})
}

func testRollback(t *testing.T, db meta.DB) {
	fill(t, db, "a=1")
	failure := errors.New("no")
	err := db.Update(ctx, func(x meta.Txn) error {
		if err := write(x, "a=2", "b=3"); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("Update = %v, want the function's error", err)
	}
	view(t, db, func(r meta.Reader) error {
		want(t, rows(t, r, "a", ""), "a=1")
		return nil
	})
	if err := db.View(ctx, func(meta.Reader) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("View = %v, want the function's error", err)
	}
}

func testPanic(t *testing.T, db meta.DB) {
	for _, do := range []func(){
		func() { db.Update(ctx, func(x meta.Txn) error { x.Iter(nil, nil); write(x, "a=1"); panic("fn") }) },
		func() { db.View(ctx, func(r meta.Reader) error { r.Iter(nil, nil).First(); panic("fn") }) },
	} {
		func() {
			defer func() { recover() }()
			do()
			t.Error("the panic is swallowed")
		}()
	}
	fill(t, db, "b=2")
	view(t, db, func(r meta.Reader) error {
		want(t, rows(t, r, "a", ""), "b=2")
		return nil
	})
}

func testSnapshot(t *testing.T, db meta.DB) {
	fill(t, db, "a=1", "b=2")
	view(t, db, func(r meta.Reader) error {
		it := r.Iter([]byte("a"), nil)
		defer it.Close()
		it.First()
		done := make(chan error)
		go func() { done <- db.Update(ctx, func(x meta.Txn) error { return write(x, "a=9", "-b", "c=3") }) }()
		if err := <-done; err != nil {
			return err
		}
		if !it.Next() || string(it.Key()) != "b" {
			t.Error("an open iterator sees a later transaction")
		}
		want(t, rows(t, r, "a", ""), "a=1 b=2")
		got, _ := r.Get([]byte("a"))
		want(t, string(got), "1")
		return nil
	})
	view(t, db, func(r meta.Reader) error {
		want(t, rows(t, r, "a", ""), "a=9 c=3")
		return nil
	})
}

func testCanceled(t *testing.T, db meta.DB) {
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	run := func(meta.Reader) error { t.Error("the function runs"); return nil }
	if err := db.View(canceled, run); !errors.Is(err, context.Canceled) {
		t.Errorf("View = %v", err)
	}
	if err := db.Update(canceled, func(x meta.Txn) error { return run(x) }); !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v", err)
	}
}

func testClosed(t *testing.T, db meta.DB) {
	for range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := db.View(ctx, func(meta.Reader) error { return nil }); !errors.Is(err, meta.ErrClosed) {
		t.Errorf("View = %v, want ErrClosed", err)
	}
	if err := db.Update(ctx, func(meta.Txn) error { return nil }); !errors.Is(err, meta.ErrClosed) {
		t.Errorf("Update = %v, want ErrClosed", err)
	}
}
