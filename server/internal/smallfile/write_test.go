package smallfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestNewFilesWithoutHardLinks has a file system that cannot link, as vfat: a new file is whole, and never in place of
// another.
func TestNewFilesWithoutHardLinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	noLink := func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
	}
	if err := write(path, []byte("first"), asOurs(0o644), newName(noLink)); err != nil {
		t.Fatal(err)
	}
	for _, link := range []func(from, to string) error{noLink, os.Link} {
		if err := write(path, []byte("second"), asOurs(0o644), newName(link)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over another: %v", err)
		}
	}
	b, err := os.ReadFile(path)
	info, err2 := os.Stat(path)
	if err := errors.Join(err, err2); err != nil || string(b) != "first" || info.Mode() != 0o644 {
		t.Errorf("%q, %v", b, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
