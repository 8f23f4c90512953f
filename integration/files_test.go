package integration

import (
	"os"
	"path/filepath"
	"testing"

	"pail/integration/harness"
)

// TestFilesAsOnDisk runs what people do with files on a local disk and on a mount, and compares what they see.
func TestFilesAsOnDisk(t *testing.T) {
	harness.NeedProgram(t, "/usr/bin/setfattr", "attr")
	want := filesIn(t, t.TempDir())
	s := harness.Service(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	t.Run("bucket", func(t *testing.T) {
		m := s.Mount(t, "bucket", harness.MountOptions{})
		same(t, filesIn(t, m.Dir), want)
		// What is left after a remount is what was left before.
		before := readScene(t, m.Dir)
		m.Unmount(t)
		m = s.Mount(t, "bucket", harness.MountOptions{})
		sameLines(t, readScene(t, m.Dir), before)
	})
	t.Run("asking", func(t *testing.T) {
		s.Bucket(t, "asking")
		same(t, filesIn(t, s.Mount(t, "asking", harness.MountOptions{Options: []string{"read_leases=0"}}).Dir), want)
	})
	t.Run("prefix", func(t *testing.T) {
		m := s.Mount(t, "bucket", harness.MountOptions{})
		if err := os.Mkdir(m.Path("sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		m.Unmount(t)
		same(t, filesIn(t, s.Mount(t, "bucket:/sub", harness.MountOptions{}).Dir), want)
	})
}

func filesIn(t *testing.T, dir string) string {
	t.Helper()
	script, err := filepath.Abs("testdata/files.sh")
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	return harness.Command{Dir: work}.Run(t, "/bin/sh", script)
}

// same compares two texts and shows where they differ.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"got": got, "want": want} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	diff, _, _ := harness.Command{Dir: dir}.Try("/usr/bin/diff", "-u", "want", "got")
	t.Errorf("another text than on a local disk:\n%s", diff)
}

func sameLines(t *testing.T, got, want []string) {
	t.Helper()
	g, w := "", ""
	for _, line := range got {
		g += line + "\n"
	}
	for _, line := range want {
		w += line + "\n"
	}
	same(t, g, w)
}
