package owner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func agree(bool) error { return nil }

// take is Take that must succeed; the test's end closes the epoch.
func take(t *testing.T, d *Dir) *Epoch {
	t.Helper()
	e, err := d.Take(agree)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// halt ends the signs of life; start begins them again.
func halt(e *Epoch) {
	close(e.stop)
	e.done.Wait()
	e.stop = make(chan struct{})
}

func serve(t *testing.T, e *Epoch) {
	t.Helper()
	if err := e.Serve(); err != nil {
		t.Fatal(err)
	}
}

// takeSilent tries until the owner's silence is noticed.
func takeSilent(t *testing.T, d *Dir) *Epoch {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		e, err := d.Take(agree)
		if err == nil {
			t.Cleanup(func() { _ = e.Close() })
			return e
		}
		if !errors.Is(err, ErrHeld) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestOneOwnerAtATime(t *testing.T) {
	path := t.TempDir()
	a := take(t, New(path, Options{}))
	if a.Number() != 1 || a.Base() != "" {
		t.Errorf("epoch %d from %q", a.Number(), a.Base())
	}
	serve(t, a)
	var held *HeldError
	if _, err := New(path, Options{}).Take(agree); !errors.As(err, &held) || held.Owner.PID != os.Getpid() || held.Owner.Epoch != 1 {
		t.Fatalf("second owner: %v", err)
	}
	if err := errors.Join(a.Prove(), a.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	b := take(t, New(path, Options{}))
	if b.Number() != 2 || b.Base() != a.Dir() || b.FormerLives {
		t.Errorf("epoch %d from %q, %v", b.Number(), b.Base(), b.FormerLives)
	}
}

func TestManyAtOnceMakeOneOwner(t *testing.T) {
	path := t.TempDir()
	var owners sync.Map
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			e, err := New(path, Options{}).Take(agree)
			if err == nil {
				owners.Store(i, e)
			} else if !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	able := 0
	owners.Range(func(_, v any) bool {
		e := v.(*Epoch)
		if e.Prove() == nil {
			able++
		}
		t.Cleanup(func() { _ = e.Close() })
		return true
	})
	if able != 1 {
		t.Errorf("%d owners", able)
	}
}

// TestSilentOwnerIsSuperseded stops the signs of life of an owner that keeps its lock, as a stopped process does.
func TestSilentOwnerIsSuperseded(t *testing.T) {
	path := t.TempDir()
	a := take(t, New(path, Options{}))
	serve(t, a)
	halt(a)
	b := takeSilent(t, New(path, Options{Patience: 50 * time.Millisecond}))
	if err := a.Prove(); !errors.Is(err, ErrSuperseded) {
		t.Errorf("the former owner proves itself: %v", err)
	}
	if b.Base() != a.Dir() || !b.FormerLives {
		t.Errorf("from %q, former lives %v", b.Base(), b.FormerLives)
	}
	serve(t, b)
	if left, err := b.Sweep(); left != 1 || err != nil {
		t.Errorf("sweep while the former owner lives: %d left, %v", left, err)
	}
	a.start() // the process goes on
	<-a.Lost()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := b.Sweep(); left != 0 || err != nil {
		t.Errorf("sweep: %d left, %v", left, err)
	}
	if _, err := os.Stat(a.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the former epoch: %v", err)
	}
}

// TestCrashWhileTakingOver ends a take-over at each of its steps, as a crash would. The next one must start from what the
// last owner that served has left, or from the crashed one's directory if that was marked.
func TestCrashWhileTakingOver(t *testing.T) {
	crash := errors.New("crash")
	for _, at := range []string{"mkdir", "record", "serve", "served"} {
		t.Run(at, func(t *testing.T) {
			path := t.TempDir()
			first := take(t, New(path, Options{}))
			serve(t, first)
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			e, err := New(path, Options{step: func(step string) error {
				if step == at {
					return crash
				}
				return nil
			}}).Take(agree)
			if err == nil {
				err = e.Serve()
				halt(e)
				_ = e.file.Close() // and with it the lock, but nothing is tidied up
			}
			if !errors.Is(err, crash) {
				t.Fatal(err)
			}
			next := take(t, New(path, Options{}))
			want := first.Dir()
			if at == "served" {
				want = e.Dir()
			}
			if next.Base() != want {
				t.Errorf("it starts from %s, want %s", next.Base(), want)
			}
			serve(t, next)
			if left, err := next.Sweep(); left != 0 || err != nil {
				t.Errorf("sweep: %d left, %v", left, err)
			}
			if dirs, _ := filepath.Glob(filepath.Join(path, "epoch-*")); len(dirs) != 1 || dirs[0] != next.Dir() {
				t.Errorf("left: %v", dirs)
			}
		})
	}
}

// TestClaimantThatHangsIsPassed leaves a claim locked without a record, as a process stopped between the two does.
func TestClaimantThatHangsIsPassed(t *testing.T) {
	path := t.TempDir()
	a := take(t, New(path, Options{}))
	serve(t, a)
	halt(a)
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ok, err := lock(f, 2); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := os.Mkdir(epochDir(path, 2), 0o700); err != nil {
		t.Fatal(err)
	}
	b := takeSilent(t, New(path, Options{Patience: 50 * time.Millisecond}))
	if b.Number() != 3 || b.Base() != a.Dir() {
		t.Errorf("epoch %d from %s", b.Number(), b.Base())
	}
	serve(t, b)
	// The claimant goes on: it learns that it is late, and b stays the owner.
	late := &Epoch{parent: path, dir: epochDir(path, 2), number: 2, file: f, step: func(string) error { return nil }}
	if err := late.record(); !errors.Is(err, ErrSuperseded) {
		t.Errorf("the late claim: %v", err)
	}
	if err := b.Prove(); err != nil {
		t.Error(err)
	}
}

func TestMissingBaseIsAnError(t *testing.T) {
	path := t.TempDir()
	for range 2 {
		e := take(t, New(path, Options{}))
		serve(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(epochDir(path, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := New(path, Options{}).Take(agree); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "epoch-2") {
		t.Errorf("it must not go back to an older state: %v", err)
	}
}

// TestLostRecordsAreNoNewDirectory takes the file of records away: what epochs have left must not be taken for nothing,
// however often one tries. What the error tells to do helps, and so does the file.
func TestLostRecordsAreNoNewDirectory(t *testing.T) {
	path := t.TempDir()
	legacy := filepath.Join(path, "db")
	var last *Epoch
	for range 2 {
		last = take(t, New(path, Options{Legacy: legacy}))
		serve(t, last)
		if err := os.WriteFile(filepath.Join(last.Dir(), "data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := last.Sweep(); err != nil {
			t.Fatal(err)
		}
		if err := last.Close(); err != nil {
			t.Fatal(err)
		}
	}
	records := filepath.Join(path, fileName)
	kept, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	for _, older := range [][]byte{nil, kept[:recordSize]} {
		if err := errors.Join(os.Remove(records), os.WriteFile(records, older, 0o600)); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			var unrecorded *UnrecordedError
			if _, err := New(path, Options{Legacy: legacy}).Take(agree); !errors.As(err, &unrecorded) || unrecorded.Dir != last.Dir() || !strings.Contains(err.Error(), records) || !strings.Contains(err.Error(), legacy) {
				t.Fatalf("with %d bytes of records: %v", len(older), err)
			}
		}
		if dirs, _ := filepath.Glob(filepath.Join(path, "epoch-*")); len(dirs) != 1 {
			t.Errorf("left: %v", dirs)
		}
	}
	if err := os.WriteFile(records, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	e := take(t, New(path, Options{Legacy: legacy}))
	if e.Base() != last.Dir() {
		t.Errorf("with its records: from %q", e.Base())
	}
	if err := errors.Join(e.Close(), os.Remove(records), os.Rename(last.Dir(), legacy)); err != nil {
		t.Fatal(err)
	}
	if e := take(t, New(path, Options{Legacy: legacy})); e.Base() != legacy {
		t.Errorf("renamed: from %q", e.Base())
	}
}

func TestLegacyAndUnservedEpochs(t *testing.T) {
	path := t.TempDir()
	legacy := filepath.Join(path, "db")
	if err := os.Mkdir(legacy, 0o700); err != nil {
		t.Fatal(err)
	}
	e := take(t, New(path, Options{Legacy: legacy}))
	if e.Base() != legacy {
		t.Errorf("base %q", e.Base())
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(e.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an epoch that never served has left %v", err)
	}
	if e := take(t, New(path, Options{Legacy: legacy})); e.Base() != legacy || e.Number() != 2 {
		t.Errorf("epoch %d from %q", e.Number(), e.Base())
	}
}

func TestRefusalChangesNothing(t *testing.T) {
	path := t.TempDir()
	no := errors.New("no")
	if _, err := New(path, Options{}).Take(func(bool) error { return no }); !errors.Is(err, no) {
		t.Fatal(err)
	}
	if dirs, _ := filepath.Glob(filepath.Join(path, "epoch-*")); dirs != nil {
		t.Errorf("made %v", dirs)
	}
}

func TestRecords(t *testing.T) {
	path := t.TempDir()
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := Record{Epoch: 1, Host: "a b\n" + strings.Repeat("x", 300), PID: 7, Since: time.Unix(1e9, 0).UTC()}
	if _, err := f.WriteAt(want.encode(), 0); err != nil {
		t.Fatal(err)
	}
	got := readRecord(f, 1)
	if got.PID != 7 || !got.Since.Equal(want.Since) || !strings.HasPrefix(got.Host, "a_b_xxx") {
		t.Errorf("%+v", got)
	}
	for _, cut := range []int64{1, 100, recordSize - 1} {
		if err := f.Truncate(recordSize + cut); err != nil {
			t.Fatal(err)
		}
		n, err := lastEpoch(f)
		ok, err2 := served(f, 2)
		if n != 2 || ok || err != nil || err2 != nil || readRecord(f, 2).Host != "" {
			t.Errorf("a record cut to %d bytes: epoch %d, served %v, %v %v", cut, n, ok, err, err2)
		}
	}
}

func TestProofsAtOnceAreShared(t *testing.T) {
	e := take(t, New(t.TempDir(), Options{}))
	before := e.begun.Load()
	e.mu.Lock()
	var group sync.WaitGroup
	const calls = 100
	arrived := make(chan struct{}, calls)
	for range calls {
		group.Go(func() {
			arrived <- struct{}{}
			if err := e.Prove(); err != nil {
				t.Error(err)
			}
		})
	}
	for range calls {
		<-arrived
	}
	e.mu.Unlock()
	group.Wait()
	if n := e.begun.Load() - before; n < 1 || n > calls {
		t.Errorf("%d proofs", n)
	} else {
		t.Log(fmt.Sprint(n, " proofs for ", calls))
	}
}

func BenchmarkProve(b *testing.B) {
	e, err := New(b.TempDir(), Options{}).Take(agree)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for b.Loop() {
		if err := e.Prove(); err != nil {
			b.Fatal(err)
		}
	}
}
