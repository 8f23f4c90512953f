package fs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pail/fs/attr"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %.80q, want %.80q", filepath.Base(path), got, want)
	}
}

func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErrno(t *testing.T, err error, want syscall.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestTruncatedByAReader: open(2) with O_TRUNC changes a file that is opened for reading only, and close(2) stores that.
func TestTruncatedByAReader(t *testing.T) {
	m := newMount(t)
	for i := range 20 {
		name := fmt.Sprint("file", i)
		write(t, m.path(name), "hello world")
		must(t, open(t, m.path(name), os.O_RDONLY|os.O_TRUNC).Close())
		if got := m.stored(name); got != "" {
			t.Fatalf("close returned before the file was truncated: the object holds %q", got)
		}
	}
}

func TestFileContents(t *testing.T) {
	m := newMount(t)
	f := m.path("file")

	write(t, f, "hello world")
	check(t, f, "hello world")
	if got := m.stored("file"); got != "hello world" {
		t.Errorf("close returned before the object was stored: it holds %q", got)
	}

	h := open(t, f, os.O_RDWR)
	_, err := h.WriteAt([]byte("W"), 6)
	must(t, err)
	must(t, h.Close())
	check(t, f, "hello World")

	h = open(t, f, os.O_WRONLY|os.O_APPEND)
	_, err = h.WriteString("!")
	must(t, err)
	must(t, h.Close())
	check(t, f, "hello World!")

	must(t, os.Truncate(f, 5))
	check(t, f, "hello")
	must(t, os.Truncate(f, 7))
	check(t, f, "hello\x00\x00")
	if got := m.stored("file"); got != "hello\x00\x00" {
		t.Errorf("after truncate(2) the object holds %q", got)
	}

	h = open(t, f, os.O_RDWR)
	must(t, h.Truncate(2))
	_, err = h.WriteAt([]byte("!"), 4)
	must(t, err)
	must(t, h.Sync())
	if got := m.stored("file"); got != "he\x00\x00!" {
		t.Errorf("after fsync the object holds %q", got)
	}

	write(t, f, "new")
	check(t, f, "new")
}

func TestTwoAppendingHandlesLoseNothing(t *testing.T) {
	m := newMount(t)
	const lines = 200
	var wg sync.WaitGroup
	for _, word := range []string{"a", "b"} {
		h := open(t, m.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range lines {
				if _, err := h.WriteString(word + "\n"); err != nil {
					t.Error(err)
				}
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	got, err := os.ReadFile(m.path("log"))
	must(t, err)
	if a, b := bytes.Count(got, []byte("a\n")), bytes.Count(got, []byte("b\n")); a != lines || b != lines || len(got) != 4*lines {
		t.Errorf("%d lines a, %d lines b in %d bytes; want %d of each", a, b, len(got), lines)
	}
}

func TestDirectories(t *testing.T) {
	m := newMount(t)
	must(t, os.MkdirAll(m.path("a/b/c"), 0o755))
	write(t, m.path("a/b/c/file"), "x")
	wantErrno(t, os.Mkdir(m.path("a"), 0o755), syscall.EEXIST)
	wantErrno(t, syscall.Rmdir(m.path("a/b")), syscall.ENOTEMPTY)
	wantErrno(t, syscall.Rmdir(m.path("a/b/c/file")), syscall.ENOTDIR)
	wantErrno(t, syscall.Unlink(m.path("a/b")), syscall.EISDIR)
	if keys := m.order(order{Op: "keys"}).Keys; !slices.Equal(keys, []string{"a/", "a/b/", "a/b/c/", "a/b/c/file"}) {
		t.Errorf("keys are %q", keys)
	}
	must(t, os.Rename(m.path("a/b"), m.path("moved")))
	check(t, m.path("moved/c/file"), "x")
	must(t, os.RemoveAll(m.path("moved")))
	must(t, os.Remove(m.path("a")))
	if keys := m.order(order{Op: "keys"}).Keys; len(keys) != 0 {
		t.Errorf("keys are left: %q", keys)
	}
}

func TestReaddirOfManyNames(t *testing.T) {
	m := newMount(t)
	const n = 2500
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("file%04d", i)
		if r := m.order(order{Op: "put", Key: "dir/" + want[i], Body: []byte("x")}); r.Error != "" {
			t.Fatal(r.Error)
		}
	}
	entries, err := os.ReadDir(m.path("dir"))
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
		if info, err := e.Info(); err != nil || info.Size() != 1 {
			t.Fatalf("%s: %v, %v", e.Name(), info, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), n)
	}

	// In small pieces, as getdents gives them, with a rewind.
	d := open(t, m.path("dir"), os.O_RDONLY)
	for range 2 {
		var names []string
		for {
			part, err := d.Readdirnames(7)
			names = append(names, part...)
			if err == io.EOF {
				break
			}
			must(t, err)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("%d names in pieces, want %d", len(names), n)
		}
		_, err := d.Seek(0, io.SeekStart)
		must(t, err)
	}
}

func TestRename(t *testing.T) {
	m := newMount(t)
	write(t, m.path("a"), "a")
	write(t, m.path("b"), "b")
	wantErrno(t, unix.Renameat2(unix.AT_FDCWD, m.path("a"), unix.AT_FDCWD, m.path("b"), unix.RENAME_NOREPLACE), syscall.EEXIST)
	must(t, os.Rename(m.path("a"), m.path("b")))
	check(t, m.path("b"), "a")
	if _, err := os.Stat(m.path("a")); !os.IsNotExist(err) {
		t.Errorf("the old name is there: %v", err)
	}

	// An open file follows its new name.
	h := open(t, m.path("b"), os.O_RDWR)
	must(t, os.Rename(m.path("b"), m.path("c")))
	_, err := h.WriteAt([]byte("c"), 0)
	must(t, err)
	must(t, h.Close())
	check(t, m.path("c"), "c")
	if keys := m.order(order{Op: "keys"}).Keys; !slices.Equal(keys, []string{"c"}) {
		t.Errorf("keys are %q", keys)
	}
}

func TestSymlink(t *testing.T) {
	m := newMount(t)
	write(t, m.path("file"), "x")
	must(t, os.Symlink("file", m.path("link")))
	check(t, m.path("link"), "x")
	info, err := os.Lstat(m.path("link"))
	must(t, err)
	if info.Mode().Type() != os.ModeSymlink || info.Size() != int64(len("file")) {
		t.Errorf("link is %v of %d bytes", info.Mode(), info.Size())
	}
	if got := m.stored("link"); got != "file" {
		t.Errorf("the object of the link holds %q", got)
	}
}

func TestAttributes(t *testing.T) {
	m := newMount(t)
	f := m.path("file")
	write(t, f, "x")
	when := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	must(t, os.Chmod(f, 0o711|os.ModeSetuid))
	must(t, os.Chtimes(f, when, when))
	info, err := os.Stat(f)
	must(t, err)
	if !info.ModTime().Equal(when) {
		t.Errorf("mtime is %v, want %v", info.ModTime(), when)
	}
	if info.Mode() != 0o711|os.ModeSetuid {
		t.Errorf("mode is %v", info.Mode())
	}
	must(t, os.Chmod(f, 0))
	if info, err = os.Stat(f); err != nil || info.Mode() != 0 {
		t.Errorf("mode 0000 shows as %v, %v", info.Mode(), err)
	}
	if os.Geteuid() == 0 {
		must(t, os.Chown(f, 1234, 5678))
		var st unix.Stat_t
		must(t, unix.Stat(f, &st))
		if st.Uid != 1234 || st.Gid != 5678 {
			t.Errorf("owner is %d:%d", st.Uid, st.Gid)
		}
		must(t, unix.Mkfifo(m.path("fifo"), 0o600))
		must(t, unix.Stat(m.path("fifo"), &st))
		if st.Mode != unix.S_IFIFO|0o600 {
			t.Errorf("fifo has mode %o", st.Mode)
		}
	}
}

func TestXattrs(t *testing.T) {
	m := newMount(t)
	f := m.path("file")
	write(t, f, "x")
	_, err := unix.Getxattr(f, "user.none", nil)
	wantErrno(t, err, unix.ENODATA)
	_, err = unix.Getxattr(f, "security.selinux", nil) // ENODATA would be asked for of every file
	wantErrno(t, err, unix.EOPNOTSUPP)
	must(t, unix.Setxattr(f, "user.name", []byte("value"), 0))
	must(t, unix.Setxattr(f, "user.other", nil, 0))
	wantErrno(t, unix.Setxattr(f, "user.name", []byte("v"), unix.XATTR_CREATE), unix.EEXIST)
	wantErrno(t, unix.Setxattr(f, "user.new", []byte("v"), unix.XATTR_REPLACE), unix.ENODATA)

	size, err := unix.Getxattr(f, "user.name", nil)
	must(t, err)
	if size != len("value") {
		t.Errorf("size probe says %d", size)
	}
	_, err = unix.Getxattr(f, "user.name", make([]byte, 2))
	wantErrno(t, err, unix.ERANGE)
	buf := make([]byte, 100)
	size, err = unix.Getxattr(f, "user.name", buf)
	must(t, err)
	if string(buf[:size]) != "value" {
		t.Errorf("value is %q", buf[:size])
	}
	size, err = unix.Listxattr(f, nil)
	must(t, err)
	n, err := unix.Listxattr(f, buf)
	must(t, err)
	if n != size || !bytes.Contains(buf[:n], []byte("user.name\x00")) || !bytes.Contains(buf[:n], []byte("user.other\x00")) {
		t.Errorf("list is %q, the probe said %d bytes", buf[:n], size)
	}
	must(t, unix.Removexattr(f, "user.name"))
	wantErrno(t, unix.Removexattr(f, "user.name"), unix.ENODATA)
	_, err = unix.Getxattr(f, "security.capability", buf)
	wantErrno(t, err, unix.ENODATA)
}

// A mount without ACLs says so to whoever asks, and keeps those that there are.
func TestMountWithoutACLs(t *testing.T) {
	acl := []byte{2, 0, 0, 0}
	for _, entry := range [][2]byte{{0x01, 6}, {0x02, 4}, {0x04, 4}, {0x10, 4}, {0x20, 0}} {
		acl = append(acl, entry[0], 0, entry[1], 0, 0xe8, 0x03, 0, 0)
	}
	a := attr.Attr{
		Mode: unix.S_IFREG | 0o640, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
		Xattrs: map[string][]byte{attr.ACLAccess: acl, "user.a": []byte("b")},
	}
	m := newMount(t, noACLEnv+"=1")
	m.order(order{Op: "put", Key: "file", Body: []byte("x"), Meta: attr.Encode(a, nil)})
	a.Mode, a.Xattrs = unix.S_IFDIR|0o755, map[string][]byte{attr.ACLDefault: acl}
	m.order(order{Op: "put", Key: "d/", Meta: attr.Encode(a, nil)})
	f := m.path("file")
	buf := make([]byte, 100)
	for _, name := range []string{attr.ACLAccess, attr.ACLDefault} {
		_, err := unix.Getxattr(f, name, buf)
		wantErrno(t, err, unix.EOPNOTSUPP)
	}
	wantErrno(t, unix.Setxattr(f, attr.ACLAccess, acl, 0), unix.EOPNOTSUPP)
	wantErrno(t, unix.Removexattr(f, attr.ACLAccess), unix.EOPNOTSUPP)
	n, err := unix.Listxattr(f, buf)
	must(t, err)
	if list := string(buf[:n]); list != "user.a\x00" {
		t.Errorf("attributes: %q", list)
	}
	if os.Geteuid() == 0 {
		root, err := os.Open(m.dir)
		must(t, err)
		defer root.Close()
		cat := exec.Command("cat", "/proc/self/fd/3/file") // for user 1000, whom the ACL would let
		cat.ExtraFiles = []*os.File{root}
		cat.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		if out, err := cat.CombinedOutput(); err == nil {
			t.Errorf("another user reads %q", out)
		}
	}
	must(t, unix.Setxattr(f, "user.a", []byte("c"), 0))
	must(t, os.Chmod(f, 0o600))
	write(t, m.path("d", "new"), "x")
	for key, mask := range map[string]byte{"file": 0, "d/new": 4} {
		kept := attr.Decode(m.order(order{Op: "get", Key: key}).Info, attr.Defaults{})
		if got := kept.Xattrs[attr.ACLAccess]; len(got) != len(acl) || got[4+3*8+2] != mask {
			t.Errorf("the ACL of %s is %v", key, got)
		}
	}
}

func TestSharedMappingIsStored(t *testing.T) {
	m := newMount(t)
	const size = 3 << 20
	f := open(t, m.path("file"), os.O_CREATE|os.O_RDWR)
	must(t, f.Truncate(size))
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	for i := range data {
		data[i] = byte(i >> 8)
	}
	must(t, unix.Msync(data, unix.MS_SYNC))
	must(t, unix.Munmap(data))
	must(t, f.Close())
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i >> 8)
	}
	if got := m.stored("file"); got != string(want) {
		t.Errorf("the object of %d bytes is not what was mapped", len(got))
	}
}

func TestUnlinkedFileLivesWithItsHandles(t *testing.T) {
	m := newMount(t)
	write(t, m.path("file"), "before")
	f := open(t, m.path("file"), os.O_RDWR)
	must(t, os.Remove(m.path("file")))
	if _, err := os.Stat(m.path("file")); !os.IsNotExist(err) {
		t.Errorf("the name is there: %v", err)
	}
	_, err := f.WriteAt([]byte("after!"), 0)
	must(t, err)
	got := make([]byte, 6)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if string(got) != "after!" {
		t.Errorf("read %q", got)
	}
	must(t, f.Close())
	if keys := m.order(order{Op: "keys"}).Keys; len(keys) != 0 {
		t.Errorf("closing brought it back: %q", keys)
	}
}

func TestAnotherClientsObjectsAppear(t *testing.T) {
	m := newMount(t)
	if _, err := os.Stat(m.path("new")); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	m.order(order{Op: "put", Key: "new", Body: []byte("one")})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(m.path("new")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after ten times the time that its absence is believed: %v", err)
		}
	}
	check(t, m.path("new"), "one")

	// close-to-open: what is closed there is read by the next open here, even within the kernel's time to live.
	for i := range 5 {
		want := fmt.Sprintf("two%d", i)
		m.order(order{Op: "put", Key: "new", Body: []byte(want)})
		check(t, m.path("new"), want)
	}
}

func TestDirectIO(t *testing.T) {
	m := newMount(t)
	f := open(t, m.path("file"), os.O_CREATE|os.O_RDWR|unix.O_DIRECT)
	data := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	_, err := f.Write(data)
	must(t, err)
	got := make([]byte, len(data))
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Error("read something else than what was written")
	}
}

func TestLargeFile(t *testing.T) {
	m := newMount(t)
	data := make([]byte, 40<<20) // more than one part, more than the pool holds at once
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	must(t, os.WriteFile(m.path("file"), data, 0o644))
	got, err := os.ReadFile(m.path("file"))
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Error("read something else than what was written")
	}
}

func TestLocksAreTheKernelsOwn(t *testing.T) {
	m := newMount(t)
	a, b := open(t, m.path("file"), os.O_CREATE|os.O_RDWR), open(t, m.path("file"), os.O_RDWR)
	must(t, unix.Flock(int(a.Fd()), unix.LOCK_EX))
	wantErrno(t, unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
	must(t, unix.Flock(int(a.Fd()), unix.LOCK_UN))
	must(t, unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB))
}

func TestStatfs(t *testing.T) {
	m := newMount(t)
	var st unix.Statfs_t
	must(t, unix.Statfs(m.dir, &st))
	if st.Blocks == 0 || st.Bavail == 0 || st.Namelen != 255 {
		t.Errorf("%+v", st)
	}
}

func TestMountTableNamesTheBucket(t *testing.T) {
	m := newMount(t)
	table, err := os.ReadFile("/proc/mounts")
	must(t, err)
	if !bytes.Contains(table, []byte("\nbucket "+m.dir+" fuse.pail rw,nosuid,nodev,")) {
		t.Errorf("mount table:\n%s", table)
	}
}

func TestCopyFileRange(t *testing.T) {
	m := newMount(t)
	const size = 26 << 20 // larger than one PUT
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	must(t, os.WriteFile(m.path("a"), data, 0o644))
	must(t, os.WriteFile(m.path("small"), data[:1000], 0o644))
	for name, want := range map[string][]byte{"a": data, "small": data[:1000]} {
		src := open(t, m.path(name), os.O_RDONLY)
		dst := open(t, m.path(name+".copy"), os.O_CREATE|os.O_EXCL|os.O_WRONLY)
		n, err := unix.CopyFileRange(int(src.Fd()), nil, int(dst.Fd()), nil, 1<<30, 0)
		must(t, err)
		if n != len(want) {
			t.Errorf("%s: %d bytes are copied, want %d", name, n, len(want))
		}
		n, err = unix.CopyFileRange(int(src.Fd()), nil, int(dst.Fd()), nil, 1<<30, 0)
		if n != 0 || err != nil {
			t.Errorf("%s: at the end %d, %v", name, n, err)
		}
		must(t, dst.Close())
		must(t, src.Close())
		got, err := os.ReadFile(m.path(name + ".copy"))
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the copy has %d bytes that are not those of the file", name, len(got))
		}
	}
}
