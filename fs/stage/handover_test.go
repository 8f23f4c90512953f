package stage

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

var errNotTaken = errors.New("not taken")

func TestSumOfBlocksIsThatOfAll(t *testing.T) {
	for _, size := range []int{1, 100, blockSize - 1, blockSize, blockSize + 1, 5*blockSize + 77, 300 * blockSize} {
		f, data := onDisk(t, size)
		sum, whole := f.local.file.(*summed).sum(int64(size))
		if want := crc32.Checksum(data, sumTable); sum != want || !whole {
			t.Errorf("%d bytes: %08x, %v, want %08x", size, sum, whole, want)
		}
	}
}

// onDisk returns a file of random bytes, all on disk.
func onDisk(t *testing.T, size int) (*File, []byte) {
	t.Helper()
	area, err := New(Options{Dir: t.TempDir(), MemoryPerFile: -1})
	if err != nil {
		t.Fatal(err)
	}
	f, data := area.NewFile(nil, 0), make([]byte, size)
	t.Cleanup(func() { _ = f.Close() })
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	write(t, f, 0, string(data))
	return f, data
}

// What was given stays as it is, whatever is done to the file, and the file has what is done to it.
func TestGivenBytesStay(t *testing.T) {
	const size = 3*blockSize + 5
	for name, change := range map[string]func(f *File) error{
		"write":    func(f *File) error { _, err := f.WriteAt(context.Background(), []byte("new"), 7); return err },
		"append":   func(f *File) error { _, err := f.WriteAt(context.Background(), []byte("new"), size); return err },
		"truncate": func(f *File) error { return f.Truncate(9) },
		"punch":    func(f *File) error { return f.Punch(blockSize, blockSize) },
		"nothing":  func(*File) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			f, data := onDisk(t, size)
			other, err := f.area.NewFile(nil, 0), error(nil)
			defer other.Close()
			write(t, other, 0, string(data))
			s, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			var given *os.File
			ok, err := s.Give(func(file *os.File, sum uint32) error {
				if want := crc32.Checksum(data, sumTable); sum != want {
					t.Errorf("the sum is %08x, not %08x", sum, want)
				}
				given = file
				return nil
			})
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			for _, file := range []*File{f, other} {
				if err := change(file); err != nil {
					t.Fatal(err)
				}
			}
			if got := make([]byte, size+1); true {
				if n, err := given.ReadAt(got, 0); n != size || err != io.EOF || !bytes.Equal(got[:n], data) {
					t.Errorf("what was given is %d bytes, %v", n, err)
				}
			}
			got, want := make([]byte, other.Size()), make([]byte, other.Size())
			_, err = f.ReadAt(context.Background(), got, 0)
			_, err2 := other.ReadAt(context.Background(), want, 0)
			if errors.Join(err, err2) != nil || f.Size() != other.Size() || !bytes.Equal(got, want) {
				t.Errorf("the file is another one: %v, %v", err, err2)
			}
			frozen := make([]byte, size)
			if _, err := s.ReadAt(context.Background(), frozen, 0); err != nil || !bytes.Equal(frozen, data) {
				t.Errorf("what was frozen is another: %v", err)
			}
			s.Release(false)
		})
	}
}

// What cannot be given stays a file that is written to in its place.
func TestWhatIsNotGiven(t *testing.T) {
	const size = 3 * blockSize
	taken := func(*os.File, uint32) error { return nil }
	for name, c := range map[string]struct {
		before, after func(f *File)
		keep          func(*os.File, uint32) error
	}{
		"a keeper that does not take it": {keep: func(*os.File, uint32) error { return errNotTaken }},
		"a hole":                         {before: func(f *File) { _ = f.Punch(blockSize, blockSize) }, keep: taken},
		"a longer file":                  {before: func(f *File) { _ = f.Truncate(size + blockSize) }, keep: taken},
		"a change":                       {after: func(f *File) { _ = f.Truncate(size - 1) }, keep: taken},
		"an old version":                 {before: func(f *File) { commitAll(f) }, keep: taken},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := onDisk(t, size)
			if c.before != nil {
				c.before(f)
			}
			s, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Release(false)
			if c.after != nil {
				c.after(f)
			}
			if ok, err := s.Give(c.keep); ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			if f.local.lends() {
				t.Error("it is borrowed")
			}
		})
	}
	t.Run("in memory", func(t *testing.T) {
		area, err := New(Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		f := area.NewFile(nil, 0)
		defer f.Close()
		write(t, f, 0, "small")
		s, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release(false)
		if ok, err := s.Give(taken); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	})
}

// commitAll makes what a file has an old version.
func commitAll(f *File) {
	if s, err := f.Snapshot(); err == nil {
		s.Release(true)
	}
}

func TestDamagedBytesAreNotGiven(t *testing.T) {
	f, data := onDisk(t, 3*blockSize)
	if _, err := f.local.file.(*summed).file.WriteAt([]byte{^data[blockSize]}, blockSize); err != nil {
		t.Fatal(err)
	}
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Give(func(*os.File, uint32) error { return nil }); ok || !errors.Is(err, ErrDamaged) {
		t.Errorf("%v, %v", ok, err)
	}
	s.Release(false)
	write(t, f, blockSize, string(data[blockSize:])) // in its place, which makes it good
	if got := whole(t, f); len(got) != len(data) || f.local.lender != nil {
		t.Errorf("%d bytes", len(got))
	}
}

// A file is given once, so that it holds one copy more than it needs at most.
func TestFileIsGivenOnce(t *testing.T) {
	f, _ := onDisk(t, 3*blockSize)
	for round := range 3 {
		s, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Give(func(*os.File, uint32) error { return nil }); ok != (round == 0) || err != nil {
			t.Errorf("round %d: %v, %v", round, ok, err)
		}
		s.Release(false)
		write(t, f, 0, "new")
	}
	if err := f.Close(); err != nil || f.area.memUsed.Load() != 0 {
		t.Errorf("%d bytes of memory are left, %v", f.area.memUsed.Load(), err)
	}
}

// What was frozen while a file was on its way to somebody who does not take it stays as well, though that is written to in its
// place again.
func TestFrozenWhileNotGiven(t *testing.T) {
	const size = 3 * blockSize
	f, data := onDisk(t, size)
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release(false)
	var other *Snapshot
	ok, err := s.Give(func(*os.File, uint32) error {
		other, err = f.Snapshot()
		return errors.Join(err, errNotTaken)
	})
	if ok || err != nil {
		t.Fatal(ok, err)
	}
	defer other.Release(false)
	write(t, f, 5, "new")
	for _, frozen := range []*Snapshot{s, other} {
		got := make([]byte, size)
		if _, err := frozen.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, data) {
			t.Errorf("what was frozen is another: %v", err)
		}
	}
}
