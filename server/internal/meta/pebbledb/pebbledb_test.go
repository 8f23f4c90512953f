package pebbledb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"pail/server/internal/meta"
	"pail/server/internal/meta/metatest"
)

var ctx = context.Background()

func openMem(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := Open("meta", Options{FS: fs, CacheSize: 1 << 20, MemTableSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestContract(t *testing.T) {
	t.Run("Memory", func(t *testing.T) {
		metatest.Run(t, func(t *testing.T) meta.DB { return openMem(t, vfs.NewMem()) })
	})
	t.Run("Disk", func(t *testing.T) {
		metatest.Run(t, func(t *testing.T) meta.DB {
			db, err := Open(filepath.Join(t.TempDir(), "a", "b"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
	})
}

func TestRowsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		db, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(ctx, func(x meta.Txn) error {
			for i := range round {
				if _, err := x.Get(fmt.Appendf(nil, "k%d", i)); err != nil {
					t.Errorf("round %d: row %d: %v", round, i, err)
				}
			}
			return x.Set(fmt.Appendf(nil, "k%d", round), []byte("v"))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAcknowledgedUpdatesSurvivePowerLoss cuts the power at random moments while several writers count, each in its
// row, and in one row that all share. What an Update had acknowledged before the cut must be there.
func TestAcknowledgedUpdatesSurvivePowerLoss(t *testing.T) {
	const workers = 4
	fs := vfs.NewCrashableMem()
	db := openMem(t, fs)
	var mu sync.Mutex // held to acknowledge, and over a cut
	var acked [workers]uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				err := db.Update(ctx, func(x meta.Txn) error { return countUp(x, w, n) })
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[w] = n
				mu.Unlock()
			}
		})
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		mu.Lock()
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		before := acked
		mu.Unlock()
		checkCounts(t, clone, before[:])
	}
	close(stop)
	wg.Wait()
}

func countUp(x meta.Txn, w int, n uint64) error {
	total, err := counter(x, "total")
	if err != nil {
		return err
	}
	err = x.Set([]byte("total"), binary.BigEndian.AppendUint64(nil, total+1))
	return errors.Join(err, x.Set(fmt.Appendf(nil, "w%d", w), binary.BigEndian.AppendUint64(nil, n)))
}

func counter(r meta.Reader, key string) (uint64, error) {
	v, err := r.Get([]byte(key))
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

func checkCounts(t *testing.T, fs vfs.FS, acked []uint64) {
	t.Helper()
	db, err := Open("meta", Options{FS: fs, CacheSize: 1 << 20, MemTableSize: 1 << 20})
	if err != nil {
		t.Fatalf("open after power loss: %v", err)
	}
	defer db.Close()
	db.View(ctx, func(r meta.Reader) error {
		var sum uint64
		for w, n := range acked {
			got, err := counter(r, fmt.Sprintf("w%d", w))
			if err != nil || got < n {
				t.Errorf("writer %d has %d, %v, but %d was acknowledged", w, got, err, n)
			}
			sum += got
		}
		if total, _ := counter(r, "total"); total != sum {
			t.Errorf("total %d, sum of the writers %d: half a transaction is visible", total, sum)
		}
		return nil
	})
}

func TestOtherFormatsAreRefused(t *testing.T) {
	for name, prepare := range map[string]func(*pebble.DB) error{
		"Foreign": func(p *pebble.DB) error { return p.Set([]byte("x"), []byte("y"), pebble.Sync) },
		"Newer": func(p *pebble.DB) error {
			var e meta.Encoder
			e.String(1, "pail metadata")
			e.Uint(2, meta.FormatVersion+1)
			return p.Set(meta.FormatKey(), meta.Seal(meta.FormatKey(), e.Bytes()), pebble.Sync)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			p, err := pebble.Open("meta", &pebble.Options{FS: fs, Logger: logger{Options{}.withDefaults().Log}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(prepare(p), p.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the lock is free again after the first
				_, err = Open("meta", Options{FS: fs})
				if !errors.Is(err, meta.ErrVersion) || !strings.Contains(err.Error(), "meta") {
					t.Errorf("Open = %v, want ErrVersion naming the directory", err)
				}
			}
		})
	}
}

const lockEnv = "PEBBLEDB_TEST_LOCKED_DIR"

func TestSecondProcessIsRefused(t *testing.T) {
	if dir := os.Getenv(lockEnv); dir != "" {
		_, err := Open(dir, Options{})
		fmt.Printf("opened: %v, locked: %v, %v\n", err == nil, errors.Is(err, meta.ErrLocked), err)
		return
	}
	dir := t.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(dir, Options{}); !errors.Is(err, meta.ErrLocked) {
		t.Errorf("second Open in one process = %v, want ErrLocked", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
	cmd.Env = append(os.Environ(), lockEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("opened: false, locked: true")) ||
		!bytes.Contains(out, []byte(filepath.Join(dir, "LOCK"))) {
		t.Errorf("second process: %v\n%s", err, out)
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open of a file = %v", err)
	}
}

// fullFS tells of a volume with that much free.
type fullFS struct {
	vfs.FS
	free, total uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free, TotalBytes: f.total}, nil
}

func TestFullVolumeRefusesWritesBeforeItIsTooLate(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem(), free: 1 << 40, total: 1 << 41}
	db := openMem(t, fs)
	set := func(x meta.Txn) error { return x.Set([]byte("k"), make([]byte, 100)) }
	del := func(x meta.Txn) error { return x.Delete([]byte("k")) }
	step := func(free uint64, fn func(meta.Txn) error, want error) {
		t.Helper()
		fs.free = free
		db.space.looked = db.space.looked.Add(-2 * spaceInterval)
		if err := db.Update(ctx, fn); !errors.Is(err, want) {
			t.Errorf("Update with %d bytes free = %v, want %v", free, err, want)
		}
	}
	step(reserve+1<<20, set, nil)
	step(reserve-1, set, meta.ErrNoSpace)
	step(reserve-1, del, nil)
	step(reserveDeletes-1, del, meta.ErrNoSpace)
	step(reserveDeletes-1, func(meta.Txn) error { return nil }, nil)
	step(reserve+1<<20, set, nil)
}
