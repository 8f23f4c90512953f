package stage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/iotest"
)

func snapshot(t *testing.T, f *File) *Snapshot {
	t.Helper()
	s, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSnapshotHoldsWritersAndLetsReadersPass(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), nil, 0)
	write(t, f, 0, "abc")
	snap := snapshot(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, werr := f.WriteAt(ctx, []byte("x"), 0)
	_, serr := f.Snapshot(ctx)
	for i, err := range []error{werr, serr, f.Truncate(ctx, 0), f.Punch(ctx, 0, 1)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
	}
	check(t, f, "abc")
	var wg sync.WaitGroup
	wg.Go(func() { write(t, f, 3, "def") })
	got, err := io.ReadAll(snap.Reader(t.Context(), 0, 100))
	if err != nil || string(got) != "abc" || f.Size() != 3 {
		t.Errorf("snapshot %q, %v; size %d", got, err, f.Size())
	}
	snap.Release(true)
	snap.Release(false) // nothing
	wg.Wait()
	check(t, f, "abcdef")
	if !f.Dirty() {
		t.Error("the write that had waited is lost to Dirty")
	}
}

func TestReleaseMakesCleanOnlyWhatIsCommitted(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), &bytesBase{data: []byte("0123456789")}, 10)
	write(t, f, 2, "ab")
	truncate(t, f, 12)
	snap := snapshot(t, f)
	snap.Release(false)
	if !f.Dirty() {
		t.Error("clean after a failed commit")
	}
	again := snapshot(t, f)
	if !reflect.DeepEqual(snap.Extents(), again.Extents()) {
		t.Errorf("extents %v, before %v", again.Extents(), snap.Extents())
	}
	next := &bytesBase{data: []byte("01ab456789\x00\x00")}
	f.Rebase(next)
	again.Release(true)
	if f.Dirty() {
		t.Error("dirty after a commit")
	}
	write(t, f, 3, "x")
	last := snapshot(t, f)
	defer last.Release(false)
	if want := []Extent{{0, 3, Unchanged}, {3, 1, Data}, {4, 8, Unchanged}}; !reflect.DeepEqual(last.Extents(), want) {
		t.Errorf("extents %v, want %v", last.Extents(), want)
	}
	check(t, f, "01ax456789..")
}

func TestCommittedBytesAreStillReadFromHere(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), nil, 0)
	write(t, f, 0, "abc")
	truncate(t, f, 5)
	s := snapshot(t, f)
	f.Rebase(&bytesBase{err: errors.New("must not be read")})
	s.Release(true)
	check(t, f, "abc..")
}

func TestSnapshotReader(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), &bytesBase{data: []byte("0123456789")}, 10)
	write(t, f, 4, "ab")
	s := snapshot(t, f)
	for _, c := range []struct {
		off, n int64
		want   string
	}{{0, 10, "0123ab6789"}, {3, 4, "3ab6"}, {8, 100, "89"}, {10, 1, ""}, {50, 1, ""}, {2, 0, ""}} {
		if err := iotest.TestReader(s.Reader(t.Context(), c.off, c.n), []byte(c.want)); err != nil {
			t.Errorf("Reader(%d, %d): %v", c.off, c.n, err)
		}
	}
	r := s.Reader(t.Context(), 0, 10)
	s.Release(false)
	if _, err := io.ReadAll(r); !errors.Is(err, ErrClosed) {
		t.Errorf("after Release: %v", err)
	}
}

func TestCloseFreesWaitingWriters(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), nil, 0)
	s := snapshot(t, f)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := f.WriteAt(t.Context(), []byte("x"), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("WriteAt: %v", err)
		}
	})
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	s.Release(true)
}

// Writers each own a stripe and fill it with one letter at a time, so that every read of a stripe must find one letter.
func TestConcurrentUse(t *testing.T) {
	const stripe, stripes = 3000, 8
	for name, memory := range map[string]int64{"memory": 0, "spilling": 10_000, "disk": -1} {
		t.Run(name, func(t *testing.T) {
			base := &bytesBase{data: bytes.Repeat([]byte("z"), stripe*stripes)}
			f := newFile(t, newArea(t, Options{MemoryPerFile: memory}), base, stripe*stripes)
			var wg sync.WaitGroup
			for i := range int64(stripes) {
				wg.Go(func() { fillStripe(t, f, i*stripe, stripe) })
				wg.Go(func() { readStripe(t, f, i*stripe, stripe) })
			}
			wg.Go(func() {
				for range 20 {
					s := snapshot(t, f)
					one, err1 := io.ReadAll(s.Reader(t.Context(), 0, s.Size()))
					two, err2 := io.ReadAll(s.Reader(t.Context(), 0, s.Size()))
					if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
						t.Errorf("a snapshot changed: %v, %v", err1, err2)
					}
					f.Rebase(&bytesBase{data: one})
					s.Release(true)
				}
			})
			wg.Wait()
		})
	}
}

func fillStripe(t *testing.T, f *File, off, n int64) {
	for range 50 {
		p := bytes.Repeat([]byte{byte('a' + rand.IntN(26))}, int(n))
		if _, err := f.WriteAt(t.Context(), p, off); err != nil {
			t.Error(err)
		}
	}
}

func readStripe(t *testing.T, f *File, off, n int64) {
	p := make([]byte, n)
	for range 50 {
		if _, err := f.ReadAt(t.Context(), p, off); err != nil {
			t.Error(err)
		}
		if len(bytes.Trim(p, string(p[:1]))) > 0 {
			t.Errorf("a torn read at %d", off)
		}
	}
}
