package stage

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// bytesBase is a base in memory that can be made to fail.
type bytesBase struct {
	data []byte
	mu   sync.Mutex
	err  error
	hook func() // called by each read, without a lock
}

func (b *bytesBase) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if b.hook != nil {
		b.hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if off >= int64(len(b.data)) {
		return 0, io.EOF
	}
	n := copy(p, b.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *bytesBase) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// smallDisk is a disk in memory with room for a number of bytes. As on a real one, a write that does not fit is cut
// short, and only bytes that were not written before need room.
type smallDisk struct {
	mu    sync.Mutex
	room  int
	total int64
	err   error // of create and writes, when set
}

func (d *smallDisk) create() (diskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	return &smallFile{d: d, used: map[int64]byte{}}, nil
}

func (d *smallDisk) space() (free, total int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(d.room), d.total, nil
}

func (d *smallDisk) set(room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

func (d *smallDisk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

type smallFile struct {
	d    *smallDisk
	used map[int64]byte
}

func (f *smallFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for i := range p {
		p[i] = f.used[off+int64(i)]
	}
	return len(p), nil
}

func (f *smallFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for i, c := range p {
		at := off + int64(i)
		if _, ok := f.used[at]; !ok {
			if f.d.err != nil {
				return i, f.d.err
			}
			if f.d.room == 0 {
				return i, unix.ENOSPC
			}
			f.d.room--
		}
		f.used[at] = c
	}
	return len(p), nil
}

func (f *smallFile) Truncate(size int64) error { return f.Punch(size, 1<<62) }

func (f *smallFile) Punch(off, n int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for at := range f.used {
		if at >= off && at-off < n {
			delete(f.used, at)
			f.d.room++
		}
	}
	return nil
}

func (f *smallFile) Close() error { return f.Punch(0, 1<<62) }

func newArea(t *testing.T, o Options) *Area {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if n := a.memUsed.Load(); n != 0 {
			t.Errorf("%d bytes of memory are still reserved", n)
		}
	})
	return a
}

func newFile(t *testing.T, a *Area, base Base, size int64) *File {
	t.Helper()
	f := a.NewFile(base, size)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func write(t *testing.T, f *File, off int64, s string) {
	t.Helper()
	if n, err := f.WriteAt(t.Context(), []byte(s), off); err != nil || n != len(s) {
		t.Fatalf("WriteAt(%q, %d) = %d, %v", s, off, n, err)
	}
}

func truncate(t *testing.T, f *File, size int64) {
	t.Helper()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
}

// check compares the whole content, dots standing for zeros.
func check(t *testing.T, f *File, want string) {
	t.Helper()
	if got := whole(t, f); got != want {
		t.Errorf("content %q, want %q", got, want)
	}
}

func whole(t *testing.T, f *File) string {
	t.Helper()
	p := make([]byte, f.Size()+1)
	n, err := f.ReadAt(t.Context(), p, 0)
	if !errors.Is(err, io.EOF) {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	for i := range p {
		if p[i] == 0 {
			p[i] = '.'
		}
	}
	return string(p[:n])
}
