package mountpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const table = `22 28 0:21 / /proc rw,nosuid - proc proc rw
40 28 0:38 / /mnt/a\040b rw,nosuid,nodev shared:1 - fuse.pail bucket:/dir rw,user_id=0
41 28 0:39 / /mnt/x rw - ext4 /dev/sda1 rw
42 41 0:40 / /mnt/x rw - fuse.s3fs s3fs rw
garbage
43 28 0:41 / /mnt/nosource rw - tmpfs
`

func TestFindReadsTheTopmostMount(t *testing.T) {
	for _, test := range []struct {
		dir  string
		want Entry
		ok   bool
	}{
		{"/proc", Entry{"/proc", "proc", "proc"}, true},
		{"/mnt/a b", Entry{"/mnt/a b", "bucket:/dir", "fuse.pail"}, true},
		{"/mnt/x", Entry{"/mnt/x", "s3fs", "fuse.s3fs"}, true},
		{"/mnt/nosource", Entry{"/mnt/nosource", "", "tmpfs"}, true},
		{"/mnt", Entry{}, false},
	} {
		got, ok, err := find(strings.NewReader(table), test.dir)
		if err != nil || ok != test.ok || got != test.want {
			t.Errorf("%s: %+v %v %v", test.dir, got, ok, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range strings.Split(table, "\n") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) { parse(line) })
}

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
