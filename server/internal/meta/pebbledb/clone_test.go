package pebbledb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"pail/server/internal/meta"
)

// TestCloneIsDurableAndItsOwn clones what a power cut left, cuts the power again, and finds every row in the clone; the
// original stays as it was whatever happens to the clone.
func TestCloneIsDurableAndItsOwn(t *testing.T) {
	disk := vfs.NewCrashableMem()
	db, err := Open("epoch-1", Options{FS: disk, CacheSize: 1 << 20, MemTableSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const rows = 900
	for i := range rows {
		put(t, db, i)
		if i == rows/3 {
			if err := db.pebble.Flush(); err != nil { // some rows in tables, some in the log
				t.Fatal(err)
			}
		}
	}
	cut := vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(1, 2))}
	after := disk.CrashClone(cut)
	if err := after.MkdirAll("epoch-2", 0o700); err != nil {
		t.Fatal(err)
	}
	syncRoot(t, after)
	if err := Clone(after, "epoch-1", "epoch-2"); err != nil {
		t.Fatal(err)
	}
	after = after.CrashClone(cut)
	for _, dir := range []string{"epoch-2", "epoch-1"} {
		db, err := Open(dir, Options{FS: after, CacheSize: 1 << 20, MemTableSize: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if n := prefix(t, db); n != rows {
			t.Errorf("%s holds %d of %d rows", dir, n, rows)
		}
		if dir == "epoch-2" {
			for i := range 2 * rows {
				put(t, db, rows+i)
			}
			err = errors.Join(db.pebble.Compact(ctx, []byte("a"), []byte("z"), false))
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// noLinks is a file system without hard links, as vfat is.
type noLinks struct{ vfs.FS }

func (noLinks) Link(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
}

func TestCloneWithoutHardLinks(t *testing.T) {
	disk := noLinks{vfs.NewMem()}
	db, err := Open("epoch-1", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, 0)
	if err := errors.Join(db.pebble.Flush(), db.Close(), disk.MkdirAll("epoch-2", 0o700), Clone(disk, "epoch-1", "epoch-2")); err != nil {
		t.Fatal(err)
	}
	clone, err := Open("epoch-2", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	if n := prefix(t, clone); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestCloneOfADatabaseInUse clones a database again and again while it is written to, flushed and compacted. A clone
// that opens has all that was durable when Clone began, and no row without those before it.
func TestCloneOfADatabaseInUse(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "live"), Options{CacheSize: 1 << 20, MemTableSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var durable atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := db.Update(ctx, func(x meta.Txn) error { return x.Set(rowKey(i), make([]byte, 2000)) }); err != nil {
				t.Error(err)
				return
			}
			durable.Store(int64(i + 1))
		}
	}()
	good := 0
	for try := 0; good < 15 && try < 300; try++ {
		to := filepath.Join(dir, fmt.Sprint("clone", try))
		if err := vfs.Default.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		least := durable.Load()
		if err := Clone(nil, filepath.Join(dir, "live"), to); err != nil {
			continue // a file went meanwhile
		}
		clone, err := Open(to, Options{CacheSize: 1 << 20, MemTableSize: 64 << 10})
		if err != nil {
			continue
		}
		if n := prefix(t, clone); int64(n) < least {
			t.Errorf("a clone with %d rows, %d were durable", n, least)
		}
		if err := clone.Close(); err != nil {
			t.Fatal(err)
		}
		good++
	}
	close(stop)
	<-stopped
	if good < 5 {
		t.Errorf("only %d clones opened", good)
	}
	t.Logf("%d clones of up to %d rows", good, durable.Load())
}

func TestLockIsThatOfAnOpenDatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, meta.ErrLocked) {
		t.Errorf("locked while open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	lock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNoOutcomeWithoutProof lets the proof fail: neither success nor failure nor what was read is told.
func TestNoOutcomeWithoutProof(t *testing.T) {
	lost := errors.New("lost")
	var owner atomic.Bool
	owner.Store(true)
	db, err := Open("meta", Options{FS: vfs.NewMem(), Prove: func() error {
		if owner.Load() {
			return nil
		}
		return lost
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	put(t, db, 0)
	owner.Store(false)
	for what, err := range map[string]error{
		"a write":         db.Update(ctx, func(x meta.Txn) error { return x.Set([]byte("k"), nil) }),
		"a refusal":       db.Update(ctx, func(x meta.Txn) error { return meta.ErrNotFound }),
		"a write of none": db.Update(ctx, func(x meta.Txn) error { return nil }),
		"a read":          db.View(ctx, func(r meta.Reader) error { return nil }),
		"a failed read":   db.View(ctx, func(r meta.Reader) error { return meta.ErrNotFound }),
	} {
		if err != lost {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func rowKey(i int) []byte { return binary.BigEndian.AppendUint32([]byte("k"), uint32(i)) }

func put(t *testing.T, db *DB, i int) {
	t.Helper()
	if err := db.Update(ctx, func(x meta.Txn) error { return x.Set(rowKey(i), make([]byte, 200)) }); err != nil {
		t.Fatal(err)
	}
}

// prefix counts the rows, which must be those of 0, 1, 2...
func prefix(t *testing.T, db *DB) (n int) {
	t.Helper()
	it, err := db.pebble.NewIter(&pebble.IterOptions{LowerBound: []byte("k"), UpperBound: []byte("l")})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if string(it.Key()) != string(rowKey(n)) {
			t.Fatalf("row %x where %x should be", it.Key(), rowKey(n))
		}
		n++
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	return n
}

func syncRoot(t *testing.T, fsys vfs.FS) {
	t.Helper()
	d, err := fsys.OpenDir("")
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
