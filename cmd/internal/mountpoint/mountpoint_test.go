package mountpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	empty, full, file := filepath.Join(dir, "empty"), filepath.Join(dir, "full"), filepath.Join(dir, "full/file")
	for _, d := range []string{empty, full} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("empty", link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dir      string
		nonEmpty bool
		problem  string
	}{
		{empty, false, ""},
		{link, false, ""},
		{full, true, ""},
		{full, false, "is not empty"},
		{file, false, "is not a directory"},
		{filepath.Join(dir, "none"), false, "does not exist"},
		{filepath.Join(dir, "none/below"), false, "does not exist"},
	} {
		path, err := Prepare(test.dir, Options{Type: "fuse.pail", NonEmpty: test.nonEmpty})
		if test.problem == "" {
			if err != nil {
				t.Errorf("%s: %v", test.dir, err)
			}
			if test.dir == link && path != empty {
				t.Errorf("a link resolves to %s", path)
			}
			continue
		}
		var problem *Problem
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), test.problem) || problem.Remedy == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.dir, err)
		}
	}
}

func TestAliveOfAPlainDirectory(t *testing.T) {
	if alive, err := Alive(t.TempDir()); !alive || err != nil {
		t.Errorf("%v %v", alive, err)
	}
}

func TestUnmountOfWhatIsNotMounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("users go through fusermount3")
	}
	if err := Unmount(t.TempDir()); err == nil {
		t.Error("no error")
	}
}
