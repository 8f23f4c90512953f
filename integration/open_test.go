package integration

import (
	"os"
	"testing"

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
