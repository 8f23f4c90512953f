package pebbledb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"pail/server/internal/meta"
)

// TestViewsShareASnapshotUntilAnUpdate looks at the snapshots themselves; that a View never sees the past is metatest's.
func TestViewsShareASnapshotUntilAnUpdate(t *testing.T) {
	db, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	seen := func() *snapshot {
		t.Helper()
		if err := db.View(ctx, func(meta.Reader) error { return nil }); err != nil {
			t.Fatal(err)
		}
		db.snapshots.mu.Lock()
		defer db.snapshots.mu.Unlock()
		return db.snapshots.mu.shown
	}
	first := seen()
	if first == nil || seen() != first {
		t.Fatal("two Views in a row do not share a snapshot")
	}
	set := func(tx meta.Txn) error { return tx.Set([]byte("x"), []byte("1")) }
	if err := db.Update(ctx, set); err != nil {
		t.Fatal(err)
	}
	if first.users != 0 {
		t.Fatalf("an Update leaves the old snapshot with %d users", first.users)
	}
	if seen() == first {
		t.Fatal("a View after an Update shares the snapshot before it")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if m := db.snapshots.mu.shown; m != nil {
		t.Fatal("Close leaves a snapshot open")
	}
}

// TestViewsSeeEveryUpdateThatReturned has readers check that what a writer had done before they began is there.
func TestViewsSeeEveryUpdateThatReturned(t *testing.T) {
	db, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	var done struct {
		sync.Mutex
		n byte
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				done.Lock()
				want := done.n
				done.Unlock()
				err := db.View(ctx, func(r meta.Reader) error {
					if v, err := r.Get([]byte("n")); want > 0 && (err != nil || v[0] < want) {
						t.Errorf("after Update %d a View sees %v, %v", want, v, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := byte(1); n <= 100; n++ {
		if err := db.Update(ctx, func(tx meta.Txn) error { return tx.Set([]byte("n"), []byte{n}) }); err != nil {
			t.Fatal(err)
		}
		done.Lock()
		done.n = n
		done.Unlock()
	}
	close(stop)
	readers.Wait()
}

// TestNothingIsToldBeforeItIsDurable holds the log's sync of an Update back. What it wrote is in no View, and who was refused
// because of it is told so afterwards only.
func TestNothingIsToldBeforeItIsDurable(t *testing.T) {
	var held sync.Mutex
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			held.Lock()
			defer held.Unlock()
		}
		return nil
	}))
	db, err := Open("meta", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, key := context.Background(), []byte("k")
	value := func() (v string) {
		t.Helper()
		err := db.View(ctx, func(r meta.Reader) error {
			b, err := r.Get(key)
			v = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	set := func(v string) error {
		return db.Update(ctx, func(x meta.Txn) error { return x.Set(key, []byte(v)) })
	}
	if err := set("old"); err != nil {
		t.Fatal(err)
	}
	held.Lock()
	release := sync.OnceFunc(held.Unlock)
	defer release() // before Close, which waits
	running, written := make(chan struct{}), make(chan error, 1)
	go func() {
		written <- db.Update(ctx, func(x meta.Txn) error {
			close(running)
			return x.Set(key, []byte("new"))
		})
	}()
	<-running
	refusal := errors.New("refused")
	seen, refused := make(chan string), make(chan error, 1)
	go func() {
		refused <- db.Update(ctx, func(x meta.Txn) error { // runs when the one before is applied
			v, err := x.Get(key)
			seen <- string(v)
			return errors.Join(err, refusal)
		})
	}()
	if v := <-seen; v != "new" {
		t.Errorf("an Update sees %q", v)
	}
	for range 100 {
		if v := value(); v != "old" {
			t.Fatalf("a View sees %q, which is not durable", v)
		}
	}
	select {
	case err := <-refused:
		t.Fatalf("told before what it is about is durable: %v", err)
	case err := <-written:
		t.Fatalf("told before it is durable: %v", err)
	default:
	}
	release()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if v := value(); v != "new" {
		t.Errorf("after the Update a View sees %q", v)
	}
	if err := <-refused; !errors.Is(err, refusal) {
		t.Errorf("the refusal: %v", err)
	}
}
