package blob

import (
	"context"
	"errors"
	"testing"
	"time"
)

// smallFS has a volume of 1000 MiB.
type smallFS struct {
	OS
	free int64
}

func (f *smallFS) Room(string) (free, total int64, err error) { return f.free, 1000 << 20, nil }

// TestRoomIsKeptForTheMetadata: a blob is refused before it takes the last fifth of the volume, whether its size is
// known or not, and accepted again when there is room.
func TestRoomIsKeptForTheMetadata(t *testing.T) {
	fs := &smallFS{free: 220 << 20}
	s, err := Open(t.TempDir(), Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	create := func(size int64) (Writer, error) {
		w, err := s.Create(context.Background(), NewID(time.Now()), size, nil)
		if w != nil {
			t.Cleanup(w.Abort)
		}
		return w, err
	}
	if _, err := create(30 << 20); !errors.Is(err, ErrNoSpace) {
		t.Errorf("a large blob: %v, want ErrNoSpace", err)
	}
	w, err := create(-1)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1<<20)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	fs.free = 199 << 20
	for range 2 * roomEvery / len(p) {
		if _, err = w.Write(p); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("a blob of unknown size: %v, want ErrNoSpace", err)
	}
	fs.free = 500 << 20
	if _, err := create(30 << 20); err != nil {
		t.Errorf("with room again: %v", err)
	}
	names := 0
	if err := s.All(context.Background(), func(ID, Stat) error { names++; return nil }); err != nil || names != 2 {
		t.Errorf("%d files, %v; a refused blob must leave none", names, err)
	}
}
