package integration

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestOpenShowsNewSize opens files right after another mount has changed their size, which the kernel still believes to
// know: what was written there is read whole.
func TestOpenShowsNewSize(t *testing.T) {
	s := harness.Service(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{})
	other := s.Mount(t, "bucket", harness.MountOptions{})
	for i, size := range []int{0, 14, 3, 0, 200_000, 100, 5000} {
		want := load.RandomBytes(uint64(i), size)
		if err := os.WriteFile(other.Path("file"), want, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(m.Path("file"))
		if err != nil || string(got) != string(want) {
			t.Errorf("%d bytes are read of %d, %v", len(got), size, err)
		}
		if info, err := os.Stat(m.Path("file")); err != nil || info.Size() != int64(size) { // and the kernel knows it now
			t.Errorf("the size is %d of %d, %v", info.Size(), size, err)
		}
	}
}

// TestOpenFileKeepsItsVersion has a file open that another client replaces. The kernel, which has one size and one page cache for
// an inode, must not cut what is read to the new size, nor show bytes of one version in the other.
func TestOpenFileKeepsItsVersion(t *testing.T) {
	s := harness.Service(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{Options: []string{"stat_cache_expire=0"}})
	other := s.Mount(t, "bucket", harness.MountOptions{})
	for i, size := range []int{12, 11, 200_000, 300, 4096, 5000} {
		old, now := load.RandomBytes(uint64(i), size), load.RandomBytes(uint64(100+i), 2*size%5001)
		if err := os.WriteFile(other.Path("file"), old, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(m.Path("file"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		before, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, min(size, 10))
		if _, err := f.ReadAt(head, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other.Path("file"), now, 0o644); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if info, err := os.Stat(m.Path("file")); err == nil && info.Size() == int64(len(now)) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the new version is not seen")
			}
		}
		got := make([]byte, size+5000)
		n, err := f.ReadAt(got, 0)
		if string(got[:n]) != string(old) && !errors.Is(err, syscall.ESTALE) {
			t.Errorf("%d bytes are read of %d, %v", n, size, err)
		}
		after, err := f.Stat()
		if err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
			t.Errorf("what is open was %v and is %v, %v", before, after, err)
		}
		if got, err := os.ReadFile(m.Path("file")); err != nil || string(got) != string(now) {
			t.Errorf("%d bytes of the new version are read of %d, %v", len(got), len(now), err)
		}
		if n, err := f.ReadAt(got, 0); string(got[:n]) != string(old) && !errors.Is(err, syscall.ESTALE) {
			t.Errorf("then %d bytes are read of %d, %v", n, size, err)
		}
		if err := os.WriteFile(m.Path("file"), old, 0o644); err != nil { // it is not the one that is open
			t.Error(err)
		}
	}
}
