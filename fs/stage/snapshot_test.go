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
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnapshotStaysWhileTheFileIsChanged: in memory, on disk and borrowed, whatever happens to the file.
func TestSnapshotStaysWhileTheFileIsChanged(t *testing.T) {
	const old = "abcdefghij"
	for name, memory := range map[string]int64{"memory": 0, "disk": -1, "memory that is left": 16, "borrowed": -1} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, newArea(t, Options{MemoryPerFile: memory}), nil, 0)
			if name == "borrowed" {
				f.Borrow(lender{bytes.NewReader([]byte(old))}, []Extent{{Len: 10}})
			} else {
				write(t, f, 0, old)
			}
			snap := snapshot(t, f)
			for i, change := range []func(){
				func() { write(t, f, 2, "XY") },
				func() { truncate(t, f, 5) },
				func() { write(t, f, 4, "0123456789") },
				func() { _ = f.Punch(0, 3) },
				func() { truncate(t, f, 0) },
				func() { write(t, f, 0, "of another kind") },
				func() { write(t, f, 20, "far behind what was there") },
			} {
				change()
				if err := iotest.TestReader(snap.Reader(t.Context(), 0, 100), []byte(old)); err != nil {
					t.Errorf("after change %d: %v", i, err)
				}
			}
			snap.Release(true)
			snap.Release(false) // nothing
			check(t, f, "of another kind.....far behind what was there")
			if !f.Dirty() {
				t.Error("what was written meanwhile is lost to Dirty")
			}
		})
	}
}

// TestWriterWaitsWhereAByteCannotBeKept: on a full disk, a disk that fails, and without memory, until the snapshot is
// released; other ranges are written to. Truncations and holes need no room, and what they free comes back in the end.
func TestWriterWaitsWhereAByteCannotBeKept(t *testing.T) {
	for name, c := range map[string]struct {
		opt  Options
		fail func(*Area, *smallDisk)
	}{
		"a full disk":     {Options{MemoryPerFile: -1}, func(_ *Area, d *smallDisk) { d.set(0) }},
		"half a copy":     {Options{MemoryPerFile: -1}, func(_ *Area, d *smallDisk) { d.set(1) }},
		"a failing disk":  {Options{MemoryPerFile: -1}, func(_ *Area, d *smallDisk) { d.fail(errors.New("failed")) }},
		"room for others": {Options{MemoryPerFile: -1}, func(a *Area, d *smallDisk) { a.keepFree = 1000 }},
		"no memory":       {Options{MemoryPerFile: 100, MemoryTotal: 105}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			area := newArea(t, c.opt)
			disk := &smallDisk{room: 1000, total: 1000}
			area.disk = disk
			f := newFile(t, area, nil, 0)
			write(t, f, 0, "abcdefghij")
			if c.opt.MemoryTotal > 0 {
				write(t, f, 99, ".") // so that the buffer has all it may
				truncate(t, f, 10)
			}
			snap := snapshot(t, f)
			if c.fail != nil {
				c.fail(area, disk)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if n, err := f.WriteAt(ctx, []byte("XYZ"), 2); n != 0 || !errors.Is(err, context.Canceled) {
				t.Fatalf("WriteAt = %d, %v", n, err)
			}
			check(t, f, "abcdefghij")
			var wg sync.WaitGroup
			wg.Go(func() { write(t, f, 2, "XYZ") })
			if err := errors.Join(f.Punch(8, 1), f.Truncate(9)); err != nil {
				t.Error(err)
			}
			if err := iotest.TestReader(snap.Reader(t.Context(), 0, 100), []byte("abcdefghij")); err != nil {
				t.Error(err)
			}
			disk.fail(nil)
			snap.Release(true)
			wg.Wait()
			check(t, f, "abXYZfgh.")
			if f.local.file != nil && disk.room != map[string]int{"a full disk": 2, "half a copy": 3}[name] && name != "a failing disk" && name != "room for others" {
				t.Errorf("there is room for %d bytes", disk.room)
			}
			last := snapshot(t, f)
			defer last.Release(false)
			if want := []Extent{{0, 2, Unchanged}, {2, 3, Data}, {5, 3, Unchanged}, {8, 1, Zero}}; !reflect.DeepEqual(last.Extents(), want) {
				t.Errorf("extents %v, want %v", last.Extents(), want)
			}
		})
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
	area := newArea(t, Options{MemoryPerFile: -1})
	disk := &smallDisk{room: 1}
	area.disk = disk
	f := newFile(t, area, nil, 0)
	write(t, f, 0, "a")
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
