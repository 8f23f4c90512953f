package pebbledb

import (
	"context"
	"sync"
	"testing"

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
		return db.snapshots.mu.shared
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
	if m := db.snapshots.mu.shared; m != nil {
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
