package fs_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadingStoresNothing(t *testing.T) {
	m := newMount(t)
	write(t, m.path("file"), "x")
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.Chtimes(m.path("file"), when, when))
	before := m.order(order{Op: "get", Key: "file"}).Info
	check(t, m.path("file"), "x")
	if after := m.order(order{Op: "get", Key: "file"}).Info; after.Meta["atime"] != before.Meta["atime"] || after.ETag != before.ETag {
		t.Errorf("reading has stored %+v, was %+v", after, before)
	}
	at := atimeOf(t, m.path("file"))
	must(t, os.Chmod(m.path("file"), 0o600))
	if after := m.order(order{Op: "get", Key: "file"}).Info; after.Meta["atime"] == before.Meta["atime"] {
		t.Errorf("the next change has stored %+v, atime is %v", after, at)
	}
	if now := atimeOf(t, m.path("file")); !now.Equal(at) {
		t.Errorf("atime is %v, was %v", now, at)
	}
}

func TestTimesOfAccess(t *testing.T) {
	m := newMount(t)
	write(t, m.path("file"), "x")
	must(t, os.Mkdir(m.path("dir"), 0o755))
	must(t, os.Symlink("file", m.path("link")))
	past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	read := map[string]func(flags int){
		"file": func(flags int) {
			f := open(t, m.path("file"), os.O_RDONLY|flags)
			defer f.Close()
			_, err := f.Read(make([]byte, 1))
			must(t, err)
		},
		"dir": func(flags int) {
			f := open(t, m.path("dir"), os.O_RDONLY|flags)
			defer f.Close()
			_, err := f.Readdirnames(-1)
			must(t, err)
		},
		"link": func(flags int) {
			if flags == 0 {
				_, err := os.Readlink(m.path("link"))
				must(t, err)
			}
		},
	}
	for name, read := range read {
		set := func(atime, mtime time.Time) {
			ts := []unix.Timespec{unix.NsecToTimespec(atime.UnixNano()), unix.NsecToTimespec(mtime.UnixNano())}
			must(t, unix.UtimesNanoAt(unix.AT_FDCWD, m.path(name), ts, unix.AT_SYMLINK_NOFOLLOW))
			if got := atimeOf(t, m.path(name)); !got.Equal(atime) {
				t.Errorf("%s: atime is %v, %v was set", name, got, atime)
			}
		}
		set(past, past)
		if read(unix.O_NOATIME); !atimeOf(t, m.path(name)).Equal(past) {
			t.Errorf("%s: O_NOATIME has changed the atime", name)
		}
		if read(0); time.Since(atimeOf(t, m.path(name))) > time.Hour {
			t.Errorf("%s: reading has not changed the atime", name)
		}
		recent := time.Now().Add(time.Hour).Truncate(time.Second)
		set(recent, past)
		if read(0); !atimeOf(t, m.path(name)).Equal(recent) {
			t.Errorf("%s: reading has changed an atime that is later than all changes", name)
		}
		set(past, past)
	}
}

func atimeOf(t *testing.T, path string) time.Time {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return time.Unix(st.Atim.Unix())
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

// fsync(2) of a directory waits for the removals in it that are sent later, and tells of one that has failed, once.
func TestFsyncOfADirectoryTellsOfRemovals(t *testing.T) {
	m := newMount(t, keptEnv+"=d/kept")
	must(t, os.Mkdir(m.path("d"), 0o755))
	for later := false; !later; {
		for _, name := range []string{"a", "b", "kept"} {
			must(t, os.WriteFile(m.path("d", name), []byte("x"), 0o644))
		}
		must(t, os.Remove(m.path("d", "a")))
		must(t, os.Remove(m.path("d", "b")))
		later = os.Remove(m.path("d", "kept")) == nil // else that was a second later
	}
	dir, err := os.Open(m.path("d"))
	must(t, err)
	defer dir.Close()
	if err := dir.Sync(); !errors.Is(err, syscall.EACCES) {
		t.Errorf("fsync: %v", err)
	}
	if err := dir.Sync(); err != nil {
		t.Errorf("another fsync: %v", err)
	}
	if _, err := os.ReadFile(m.path("d", "kept")); err != nil {
		t.Error(err)
	}
}
