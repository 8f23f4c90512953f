package journal_test

import (
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pail/fs/journal"
	"pail/fs/journal/journaltest"
)

var errNotGiven = errors.New("not given")

// givenOf is a content of one extent that lies in a file without a name, which make makes.
func givenOf(data string, make func() (*os.File, error)) *journal.Content {
	c := bytesOf(data)
	c.Give = func(keep func(f *os.File, sum uint32) error) (bool, error) {
		f, err := make()
		if err != nil {
			return false, err
		}
		defer f.Close()
		if _, err := f.WriteString(data); err != nil {
			return false, err
		}
		return keep(f, crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli))) == nil, nil
	}
	return c
}

// inMemory makes a file that has no place in any directory.
func inMemory() (*os.File, error) {
	fd, err := unix.MemfdCreate("data", unix.MFD_CLOEXEC)
	return os.NewFile(uintptr(fd), "data"), err
}

// TestGivenFileIsNotCopied gives the journal a file of its own disk, and one of another.
func TestGivenFileIsNotCopied(t *testing.T) {
	dir, there := filepath.Join(t.TempDir(), "j"), t.TempDir()
	d, err := journal.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, d, small)
	var own os.FileInfo
	here := func() (*os.File, error) {
		f, err := os.OpenFile(there, unix.O_TMPFILE|os.O_RDWR, 0o600)
		if err == nil {
			own, err = f.Stat()
		}
		return f, err
	}
	one, two := strings.Repeat("1", 1000), strings.Repeat("2", 1000)
	for id, c := range map[uint64]*journal.Content{1: givenOf(one, here), 2: givenOf(two, inMemory)} {
		if _, err := j.Put([]journal.Change{{ID: id, Content: c}}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "data-*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	same := 0
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if os.SameFile(info, own) {
			same++
		}
	}
	if same != 1 {
		t.Errorf("%d files are the one that was given", same)
	}
	entries := map[uint64]string{1: "=0:" + one + ";", 2: "=0:" + two + ";"}
	want(t, j, entries)
	closed(t, j)
	j = open(t, d, small)
	want(t, j, entries)
	leavesNothing(t, j, d)
}

// TestFilesThatAreNotGiven: what cannot be given is copied, what must not be is an error, and neither leaves a file.
func TestFilesThatAreNotGiven(t *testing.T) {
	data := strings.Repeat("x", 1000)
	fs := journaltest.New()
	j := open(t, fs, small)
	c := bytesOf(data)
	c.Give = func(func(*os.File, uint32) error) (bool, error) { return false, nil }
	if _, err := j.Put([]journal.Change{{ID: 1, Content: c}}); err != nil {
		t.Fatal(err)
	}
	c.Give = func(func(*os.File, uint32) error) (bool, error) { return false, errNotGiven }
	if _, err := j.Put([]journal.Change{{ID: 2, Content: c}}); !errors.Is(err, errNotGiven) {
		t.Errorf("error %v", err)
	}
	want(t, j, map[uint64]string{1: "=0:" + data + ";"})
	fs.Hook = func(op, _ string) error {
		if op == "sync" {
			return errNotGiven
		}
		return nil
	}
	if _, err := j.Put([]journal.Change{{ID: 3, Content: givenOf(data, inMemory)}}); !errors.Is(err, errNotGiven) {
		t.Errorf("error %v", err)
	}
	fs.Hook = nil
	names, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, name := range names {
		if strings.HasPrefix(name, "data-") {
			files++
		}
	}
	if files != 1 {
		t.Errorf("files %q", names)
	}
	want(t, j, map[uint64]string{1: "=0:" + data + ";"})
	closed(t, j)
}
