package stage

import (
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWritePatterns(t *testing.T) {
	const base = "0123456789"
	type step func(t *testing.T, f *File)
	w := func(off int64, s string) step { return func(t *testing.T, f *File) { t.Helper(); write(t, f, off, s) } }
	tr := func(size int64) step { return func(t *testing.T, f *File) { t.Helper(); truncate(t, f, size) } }
	punch := func(off, n int64) step {
		return func(t *testing.T, f *File) {
			t.Helper()
			if err := f.Punch(off, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  string
		ext   []Extent
	}{
		{"untouched", nil, base, []Extent{{0, 10, Unchanged}}},
		{"overwrite the middle", []step{w(3, "abc")}, "012abc6789", []Extent{{0, 3, Unchanged}, {3, 3, Data}, {6, 4, Unchanged}}},
		{"overwrite the start", []step{w(0, "ab")}, "ab23456789", []Extent{{0, 2, Data}, {2, 8, Unchanged}}},
		{"append", []step{w(10, "abc")}, "0123456789abc", []Extent{{0, 10, Unchanged}, {10, 3, Data}}},
		{"append with a hole", []step{w(12, "a")}, "0123456789..a", []Extent{{0, 10, Unchanged}, {10, 2, Zero}, {12, 1, Data}}},
		{"adjacent writes are one", []step{w(2, "a"), w(4, "c"), w(3, "b")}, "01abc56789", []Extent{{0, 2, Unchanged}, {2, 3, Data}, {5, 5, Unchanged}}},
		{"overlapping writes", []step{w(2, "aaaa"), w(4, "bbbb")}, "01aabbbb89", []Extent{{0, 2, Unchanged}, {2, 6, Data}, {8, 2, Unchanged}}},
		{"whole", []step{w(0, "abcdefghij")}, "abcdefghij", []Extent{{0, 10, Data}}},
		{"shrink", []step{tr(4)}, "0123", []Extent{{0, 4, Unchanged}}},
		{"shrink and grow", []step{tr(4), tr(8)}, "0123....", []Extent{{0, 4, Unchanged}, {4, 4, Zero}}},
		{"shrink, grow, shrink, grow", []step{tr(8), tr(12), tr(6), tr(9)}, "012345...", []Extent{{0, 6, Unchanged}, {6, 3, Zero}}},
		{"written bytes do not come back", []step{w(4, "abcd"), tr(5), tr(8)}, "0123a...", []Extent{{0, 4, Unchanged}, {4, 1, Data}, {5, 3, Zero}}},
		{"to nothing and back", []step{tr(0), tr(3)}, "...", []Extent{{0, 3, Zero}}},
		{"to nothing and write", []step{tr(0), w(2, "x")}, "..x", []Extent{{0, 2, Zero}, {2, 1, Data}}},
		{"grow", []step{tr(12)}, "0123456789..", []Extent{{0, 10, Unchanged}, {10, 2, Zero}}},
		{"punch", []step{punch(2, 3)}, "01...56789", []Extent{{0, 2, Unchanged}, {2, 3, Zero}, {5, 5, Unchanged}}},
		{"punch past the end", []step{punch(8, 100)}, "01234567..", []Extent{{0, 8, Unchanged}, {8, 2, Zero}}},
		{"punch written bytes", []step{w(2, "abcd"), punch(3, 2), w(4, "x")}, "01a.xd6789", []Extent{{0, 2, Unchanged}, {2, 1, Data}, {3, 1, Zero}, {4, 2, Data}, {6, 4, Unchanged}}},
	} {
		for where, memory := range map[string]int64{"memory": 0, "disk": -1, "spilt": 5} {
			t.Run(c.name+"/"+where, func(t *testing.T) {
				f := newFile(t, newArea(t, Options{MemoryPerFile: memory}), &bytesBase{data: []byte(base)}, 10)
				for _, s := range c.steps {
					s(t, f)
				}
				check(t, f, c.want)
				if f.Dirty() != (len(c.steps) > 0) {
					t.Errorf("Dirty() = %v", f.Dirty())
				}
				snap, err := f.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				defer snap.Release(false)
				if got := snap.Extents(); !reflect.DeepEqual(got, c.ext) {
					t.Errorf("extents %v, want %v", got, c.ext)
				}
				got, err := io.ReadAll(snap.Reader(t.Context(), 0, snap.Size()))
				if err != nil || strings.ReplaceAll(string(got), "\x00", ".") != c.want {
					t.Errorf("snapshot %q, %v", got, err)
				}
			})
		}
	}
}

func TestNewFileIsZerosAndDirty(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), nil, 3)
	check(t, f, "...")
	if !f.Dirty() {
		t.Error("no object has this content, but it is clean")
	}
}

func TestReadAtEnds(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), &bytesBase{data: []byte("0123456789")}, 10)
	for _, c := range []struct {
		off  int64
		len  int
		n    int
		want error
	}{{0, 10, 10, nil}, {5, 10, 5, io.EOF}, {10, 1, 0, io.EOF}, {99, 1, 0, io.EOF}, {10, 0, 0, nil}, {-1, 1, 0, ErrInvalid}} {
		if n, err := f.ReadAt(t.Context(), make([]byte, c.len), c.off); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v", c.len, c.off, n, err)
		}
	}
}

func TestImpossibleRangesAreRefused(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), nil, 0)
	_, err1 := f.WriteAt(t.Context(), []byte("x"), -1)
	_, err2 := f.WriteAt(t.Context(), []byte("xx"), math.MaxInt64-1)
	for i, err := range []error{err1, err2, f.Truncate(-1), f.Punch(1, math.MaxInt64)} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%d: %v", i, err)
		}
	}
	check(t, f, "")
}

func TestBaseShorterThanToldIsAnError(t *testing.T) {
	f := newFile(t, newArea(t, Options{}), &bytesBase{data: []byte("01234")}, 10)
	n, err := f.ReadAt(t.Context(), make([]byte, 10), 0)
	if n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
}

func TestBaseErrorComesWithTheBytesBeforeIt(t *testing.T) {
	base := &bytesBase{data: []byte("0123456789")}
	f := newFile(t, newArea(t, Options{}), base, 10)
	write(t, f, 0, "abc")
	base.fail(errors.New("away"))
	p := make([]byte, 10)
	if n, err := f.ReadAt(t.Context(), p, 0); n != 3 || err == nil || string(p[:3]) != "abc" {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
	write(t, f, 3, "defghij") // needs no base
	check(t, f, "abcdefghij")
}

func TestReadThatMeetsTheReplacedBaseIsRepeatedOnTheNewOne(t *testing.T) {
	old := &bytesBase{data: []byte("0123456789"), err: errors.New("gone")}
	f := newFile(t, newArea(t, Options{}), old, 10)
	old.hook = func() { f.Rebase(&bytesBase{data: []byte("0123456789")}) }
	check(t, f, "0123456789")
}

func TestBaseIsReadWithoutALock(t *testing.T) {
	base := &bytesBase{data: []byte("0123456789")}
	f := newFile(t, newArea(t, Options{}), base, 10)
	base.hook = func() {
		base.hook = nil
		write(t, f, 2, "ab")
	}
	check(t, f, "0123456789") // as it was when the read began
	check(t, f, "01ab456789")
}

func TestSmallFilesStayInMemoryWithinTheBudget(t *testing.T) {
	a := newArea(t, Options{MemoryPerFile: 8 << 10, MemoryTotal: 12 << 10})
	first, second := newFile(t, a, nil, 0), newFile(t, a, nil, 0)
	write(t, first, 0, strings.Repeat("x", 8<<10))
	write(t, second, 0, "y")
	if first.local.file != nil || second.local.file != nil || a.memUsed.Load() != 12<<10 {
		t.Errorf("not in memory; %d bytes used", a.memUsed.Load())
	}
	write(t, second, 4<<10, "z")
	if second.local.file == nil || a.memUsed.Load() != 8<<10+pageBytes {
		t.Errorf("beyond the total budget, but not on disk; %d bytes used", a.memUsed.Load())
	}
	write(t, first, 8<<10, "z")
	if first.local.file == nil || a.memUsed.Load() != 2*pageBytes {
		t.Errorf("beyond the budget of a file, but not on disk; %d bytes used", a.memUsed.Load())
	}
	check(t, first, strings.Repeat("x", 8<<10)+"z")
	check(t, second, "y"+strings.Repeat(".", 4<<10-1)+"z")
}

func TestFullDiskLeavesTheContentAsItWas(t *testing.T) {
	for name, full := range map[string]error{"ENOSPC": unix.ENOSPC, "EDQUOT": unix.EDQUOT, "EFBIG": unix.EFBIG} {
		t.Run(name, func(t *testing.T) {
			d := &smallDisk{room: 8}
			a := newArea(t, Options{MemoryPerFile: -1})
			a.disk = d
			f := newFile(t, a, &bytesBase{data: []byte("0123456789")}, 10)
			write(t, f, 2, "abcd")
			d.set(3)
			d.err = full
			if n, err := f.WriteAt(t.Context(), []byte("ABCDEFGHIJKL"), 1); n != 0 || !errors.Is(err, ErrNoSpace) {
				t.Fatalf("WriteAt = %d, %v", n, err)
			}
			check(t, f, "01abcd6789")
			write(t, f, 2, "ABCD") // needs no new room
			d.err = nil
			write(t, f, 6, "xyz")
			check(t, f, "01ABCDxyz9")
			d.set(1)
			for range 2 { // what was taken for the failed write is given back
				if _, err := f.WriteAt(t.Context(), []byte("pq"), 9); !errors.Is(err, ErrNoSpace) || d.room != 1 {
					t.Fatalf("WriteAt: %v; room for %d", err, d.room)
				}
			}
			truncate(t, f, 4) // frees some
			write(t, f, 4, "pq")
			check(t, f, "01ABpq")
		})
	}
}

func TestSpillToAFullDiskLeavesTheContentInMemory(t *testing.T) {
	a := newArea(t, Options{MemoryPerFile: 8})
	d := &smallDisk{room: 5}
	a.disk = d
	f := newFile(t, a, nil, 0)
	write(t, f, 0, "abcdefgh")
	for range 2 {
		if _, err := f.WriteAt(t.Context(), []byte("ij"), 8); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("WriteAt: %v", err)
		}
		check(t, f, "abcdefgh")
		if d.room != 5 {
			t.Fatalf("the failed spill left %d bytes of 5", d.room)
		}
	}
	d.err = unix.ENOSPC
	if _, err := f.WriteAt(t.Context(), []byte("ij"), 8); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("WriteAt: %v", err)
	}
	d.err = nil
	d.set(100)
	write(t, f, 8, "ij")
	check(t, f, "abcdefghij")
}

func TestKeepFreeIsKept(t *testing.T) {
	for name, o := range map[string]Options{
		"bytes":   {MemoryPerFile: -1, KeepFree: 90},
		"percent": {MemoryPerFile: -1, KeepFreePercent: 9},
		"larger":  {MemoryPerFile: -1, KeepFreePercent: 9, KeepFree: 10},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArea(t, o)
			d := &smallDisk{room: 100, total: 1000}
			a.disk = d
			f := newFile(t, a, nil, 0)
			write(t, f, 0, "0123456789")
			if _, err := f.WriteAt(t.Context(), []byte("x"), 10); !errors.Is(err, ErrNoSpace) {
				t.Fatalf("WriteAt: %v", err)
			}
			write(t, f, 0, "abc")
			check(t, f, "abc3456789")
			d.set(1000)
			write(t, f, 10, "x")
		})
	}
}

func TestUnusableDirectoryIsToldAtOnce(t *testing.T) {
	if _, err := New(Options{Dir: t.TempDir() + "/missing"}); err == nil || !strings.Contains(err.Error(), "/missing") {
		t.Errorf("New: %v", err)
	}
}

func TestNamedFallbackLeavesNoName(t *testing.T) {
	d := osDisk{dir: t.TempDir()}
	f, err := d.createNamed()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.Open(f.Name(), unix.O_RDONLY, 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("open by name: %v", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&0o777 != 0o600 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
}

func TestClosedFileAndForgottenFiles(t *testing.T) {
	a, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f := a.NewFile(nil, 5)
	if a.Close() == nil {
		t.Error("the area closes with an open file")
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	_, rerr := f.ReadAt(t.Context(), make([]byte, 1), 0)
	_, werr := f.WriteAt(t.Context(), []byte("x"), 0)
	_, serr := f.Snapshot()
	for i, err := range []error{rerr, werr, serr, f.Truncate(1), f.Punch(0, 1)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
