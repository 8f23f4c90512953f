package fs_test

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadingChangesNoTimes(t *testing.T) {
	m := newMount(t)
	write(t, m.path("file"), "x")
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.Chtimes(m.path("file"), when, when))
	before := m.order(order{Op: "get", Key: "file"}).Info
	check(t, m.path("file"), "x")
	var st unix.Stat_t
	must(t, unix.Stat(m.path("file"), &st))
	if got := time.Unix(st.Atim.Unix()); !got.Equal(when) {
		t.Errorf("atime is %v after a read", got)
	}
	if after := m.order(order{Op: "get", Key: "file"}).Info; after.Meta["atime"] != before.Meta["atime"] || after.ETag != before.ETag {
		t.Errorf("reading has stored %+v, was %+v", after, before)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	m := newMount(t)
	write(t, m.path("a"), "a")
	write(t, m.path("b"), "b")
	exchange := func(flags uint) error {
		return unix.Renameat2(unix.AT_FDCWD, m.path("a"), unix.AT_FDCWD, m.path("b"), flags)
	}
	wantErrno(t, exchange(unix.RENAME_EXCHANGE), syscall.EINVAL)
	wantErrno(t, exchange(unix.RENAME_WHITEOUT), syscall.EINVAL)
	f := open(t, m.path("a"), os.O_RDWR)
	wantErrno(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096), syscall.EOPNOTSUPP)
	must(t, f.Close())
	if got := strings.Join(m.order(order{Op: "keys"}).Keys, " "); got != "a b" {
		t.Errorf("keys are %q", got)
	}
	check(t, m.path("a"), "a")
	check(t, m.path("b"), "b")
}

func TestMountChecksPermissions(t *testing.T) {
	m := newMount(t)
	table, err := os.ReadFile("/proc/mounts")
	must(t, err)
	for line := range bytes.Lines(table) {
		if bytes.Contains(line, []byte(" "+m.dir+" ")) {
			if !bytes.Contains(line, []byte("default_permissions")) {
				t.Errorf("the kernel leaves the checks to the service: %s", line)
			}
			return
		}
	}
	t.Error("not in the mount table")
}
