package pebbledb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pail/server/internal/meta"
)

// TestDamagedFileIsAnErrorAndNeverData flips bits in a table of the database, one at a time: every row that is read is
// what was written or an error, and the process lives on.
func TestDamagedFileIsAnErrorAndNeverData(t *testing.T) {
	dir := t.TempDir()
	value := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "value %d ", i), 40) }
	const rows = 300
	with(t, dir, func(db *DB) {
		err := db.Update(ctx, func(x meta.Txn) error {
			for i := range rows {
				if err := x.Set(fmt.Appendf(nil, "k%03d", i), value(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, db.pebble.Flush()); err != nil {
			t.Fatal(err)
		}
	})
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no table in %s: %v", dir, err)
	}
	whole, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	damages := 0
	for at := 7; at < len(whole); at += len(whole) / 40 {
		rotten := bytes.Clone(whole)
		rotten[at] ^= 0x10
		if err := os.WriteFile(tables[0], rotten, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, Options{CacheSize: 1 << 20, MemTableSize: 1 << 20})
		if err != nil {
			damages++
			continue
		}
		if n := readAll(t, db, rows, value); n < rows {
			damages++
		}
		db.Close()
	}
	if damages == 0 {
		t.Error("no flipped bit was noticed")
	}
	if err := os.WriteFile(tables[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	with(t, dir, func(db *DB) {
		if n := readAll(t, db, rows, value); n != rows {
			t.Errorf("%d of %d rows in the table as it was", n, rows)
		}
	})
}

func with(t *testing.T, dir string, fn func(*DB)) {
	t.Helper()
	db, err := Open(dir, Options{CacheSize: 1 << 20, MemTableSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fn(db)
}

// readAll reads each row and walks over all of them, and gives how many it got.
func readAll(t *testing.T, db *DB, rows int, value func(int) []byte) (good int) {
	t.Helper()
	db.View(ctx, func(r meta.Reader) error {
		for i := range rows {
			v, err := r.Get(fmt.Appendf(nil, "k%03d", i))
			switch {
			case err == nil && bytes.Equal(v, value(i)):
				good++
			case err == nil:
				t.Errorf("row %d has a value that was not written", i)
			case !errors.Is(err, meta.ErrDamaged):
				t.Errorf("row %d: %v, want ErrDamaged", i, err)
			}
		}
		it := r.Iter([]byte("k"), []byte("l"))
		defer it.Close()
		walked := 0
		for ok := it.First(); ok; ok = it.Next() {
			walked++
		}
		var damage *meta.DamagedError
		if err := it.Err(); err != nil && (!errors.As(err, &damage) || damage.End == nil) {
			t.Errorf("the walk ended with %v, want a DamagedError with its bounds", err)
		} else if err == nil && walked != rows {
			t.Errorf("the walk ended without an error after %d of %d rows", walked, rows)
		}
		return nil
	})
	return good
}
