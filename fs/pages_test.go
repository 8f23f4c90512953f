package fs_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that was changed here, and that another client has then given its old bytes back, is read as it is stored.
func TestPagesAreNotKeptOverAChangeThatAnotherClientUndoes(t *testing.T) {
	changes := map[string]func(f *os.File) error{
		"write":     func(f *os.File) error { _, err := f.WriteAt([]byte("1111"), 0); return err },
		"truncate":  func(f *os.File) error { return f.Truncate(2) },
		"fallocate": func(f *os.File) error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_ZERO_RANGE, 0, 2) },
	}
	for name, change := range changes {
		for _, flags := range []int{os.O_RDWR, os.O_RDONLY | unix.O_NOATIME, os.O_RDONLY} {
			newMount(t).changedAndUndone(t, name, change, flags)
		}
	}
}

func (m *mount) changedAndUndone(t *testing.T, name string, change func(*os.File) error, flags int) {
	put := func() {
		if r := m.order(order{Op: "put", Key: name, Body: []byte("0000")}); r.Error != "" {
			t.Fatal(r.Error)
		}
	}
	read := func(f *os.File) string {
		got := make([]byte, 8)
		n, _ := f.ReadAt(got, 0) // ends early, as there are only four
		return string(got[:n])
	}
	put()
	f, err := os.OpenFile(m.path(name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	read(f)
	if err := change(f); err != nil {
		t.Fatal(err)
	}
	read(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if s := m.stored(name); s == "0000" {
		t.Fatalf("%s: not stored", name)
	}
	put()
	if f, err = os.OpenFile(m.path(name), flags, 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := read(f); got != "0000" {
		t.Errorf("%s, flags %#x: read %q, but %q is stored", name, flags, got, m.stored(name))
	}
}
