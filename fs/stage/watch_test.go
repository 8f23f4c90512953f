package stage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
)

// Only what was written here can be watched, and every kind of change of it is noticed.
func TestWatchNoticesEveryChange(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(f *File, d *smallDisk){
		"a write of the same byte": func(f *File, _ *smallDisk) { _, _ = f.WriteAt(ctx, []byte("a"), 10) },
		"a write across the end":   func(f *File, _ *smallDisk) { _, _ = f.WriteAt(ctx, []byte("aa"), 19) },
		"a truncation":             func(f *File, _ *smallDisk) { _ = f.Truncate(19) },
		"down and up again": func(f *File, _ *smallDisk) {
			_ = f.Truncate(5)
			_ = f.Truncate(40)
		},
		"a hole": func(f *File, _ *smallDisk) { _ = f.Punch(12, 1) },
		"a failed write": func(f *File, d *smallDisk) {
			d.set(0)
			if _, err := f.WriteAt(ctx, bytes.Repeat([]byte("b"), 50), 0); !errors.Is(err, ErrNoSpace) {
				t.Errorf("a write without room: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			area, err := New(Options{Dir: t.TempDir(), MemoryPerFile: -1})
			if err != nil {
				t.Fatal(err)
			}
			disk := &smallDisk{room: 100}
			area.disk = disk
			f := area.NewFile(&bytesBase{data: make([]byte, 10)}, 10)
			defer f.Close()
			if _, err := f.WriteAt(ctx, bytes.Repeat([]byte("a"), 30), 5); err != nil {
				t.Fatal(err)
			}
			if f.Watch(4, 10) || f.Watch(30, 10) {
				t.Error("what was not written here is watched")
			}
			if !f.Watch(8, 12) {
				t.Fatal("what was written here is not watched")
			}
			if _, err := f.WriteAt(ctx, []byte("bb"), 6); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(ctx, []byte("b"), 20); err != nil {
				t.Fatal(err)
			}
			if !f.Watched(8, 12) {
				t.Fatal("writes beside what is watched have ended that")
			}
			r := f.WatchedReader(ctx, 8, 12)
			if got, err := io.ReadAll(r); string(got) != "aaaaaaaaaaaa" || err != nil {
				t.Fatalf("reading gives %q, %v", got, err)
			}
			change(f, disk)
			if f.Watched(8, 12) {
				t.Error("the change was not noticed")
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, ErrChanged) {
				t.Errorf("reading again: %v", err)
			}
		})
	}
}

// Readers and writers at once: what a reader has read without an error is what was there.
func TestWatchedBytesAreReadWhileOthersWrite(t *testing.T) {
	area, err := New(Options{Dir: t.TempDir(), MemoryPerFile: -1})
	if err != nil {
		t.Fatal(err)
	}
	f := area.NewFile(nil, 0)
	ctx := context.Background()
	const size = 64 << 10
	if _, err := f.WriteAt(ctx, bytes.Repeat([]byte{1}, 2*size), 0); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for round := range 20 {
		if !f.Watch(0, size) || !f.Watch(size, size) {
			t.Fatal("not watched")
		}
		want := bytes.Repeat([]byte{byte(round + 1)}, size)
		for _, off := range []int64{0, size} {
			work.Go(func() {
				got, err := io.ReadAll(f.WatchedReader(ctx, off, size))
				if err != nil && !errors.Is(err, ErrChanged) || err == nil && !bytes.Equal(got, want) {
					t.Errorf("reading at %d: %d bytes, %v", off, len(got), err)
				}
			})
		}
		work.Go(func() {
			if _, err := f.WriteAt(ctx, bytes.Repeat([]byte{byte(round + 2)}, 2*size), 0); err != nil {
				t.Error(err)
			}
		})
		work.Wait()
	}
	f.Watch(0, size)
	r := f.WatchedReader(ctx, 0, size)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, ErrClosed) {
		t.Errorf("reading a closed file: %v", err)
	}
	if f.Watch(0, 1) {
		t.Error("a closed file is watched")
	}
}
