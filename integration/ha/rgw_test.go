package ha

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pail/integration/harness"
	"pail/integration/load"
)

const rgwURL = "http://127.0.0.1:9280"

// TestRGW runs the client, the calls of the mount and programs on it against Ceph's RGW, which has none of pail's extensions
// and heeds no conditions that pail could rely on.
func TestRGW(t *testing.T) {
	for _, program := range []string{"ceph-mon", "ceph-mgr", "ceph-osd", "radosgw"} {
		harness.NeedProgram(t, "/usr/bin/"+program, program)
	}
	harness.NeedProgram(t, "/usr/bin/ceph", "ceph-common")
	begin := time.Now()
	out := harness.Command{Timeout: 5 * time.Minute}.Run(t, "testdata/ceph.sh", lab("ceph"), harness.AccessKey, harness.SecretKey)
	t.Logf("up after %v: %s", since(begin), out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
	t.Setenv("PAIL_TEST_ENDPOINT", rgwURL)
	t.Setenv("PAIL_TEST_ACCESS_KEY", harness.AccessKey)
	t.Setenv("PAIL_TEST_SECRET_KEY", harness.SecretKey)
	s := harness.Service(t, harness.ServerOptions{})

	t.Run("contract", func(t *testing.T) {
		// RGW makes "-" of "_" in names of metadata, which pail does not use, and answers some requests about uploads that are
		// no more with another error than S3.
		goTest(t, "pail/s3client/awss3", "-run", "TestContractOnOtherService", "-skip", "/(MetaIsKept|MultipartAbort|MultipartRefusals)$")
	})
	t.Run("calls", func(t *testing.T) {
		goTest(t, "pail/fs/fstest", "-timeout", "15m")
	})
	t.Run("mounts", func(t *testing.T) {
		goTest(t, "pail/integration", "-timeout", "15m", "-run", "TestProgram|TestLimitMany|TestFilesAsOnDisk|TestOpenShowsNewSize|TestSignalStoresOpenFiles")
	})
	t.Run("programs", func(t *testing.T) { programs(t, s) })
	t.Run("large file", func(t *testing.T) { largeFile(t, s) })
	t.Run("metadata", func(t *testing.T) { metadata(t, s) })
	t.Run("O_EXCL", func(t *testing.T) { exclusive(t, s) })
}

// goTest runs tests of another package on RGW.
func goTest(t *testing.T, pkg string, args ...string) {
	t.Helper()
	out, stderr, err := harness.Command{Timeout: 20 * time.Minute}.Try("go", append([]string{"test", "-count=1", "-v", pkg}, args...)...)
	passed := 0
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			passed++
		}
	}
	if err != nil || passed == 0 {
		t.Fatalf("%v, %d passed\n%s%s", err, passed, failures(out), stderr)
	}
	t.Logf("%d passed", passed)
}

// failures keeps of what go test -v prints what tests say that fail.
func failures(out string) string {
	said, test, failed := map[string]string{}, "", []string{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && words[0] == "===":
			test = words[2]
		case len(words) > 2 && words[0] == "---" && words[1] == "FAIL:":
			failed = append(failed, words[2])
		case len(words) > 2 && words[0] == "---":
		default:
			said[test] += line
		}
	}
	text := ""
	for _, name := range failed {
		said := said[name]
		text += name + ":\n" + said[:min(len(said), 4000)] + "\n"
	}
	return text
}

// mount mounts a new bucket.
func mount(t *testing.T, s *harness.Server, bucket string) *harness.Mount {
	t.Helper()
	s.Bucket(t, bucket)
	return s.Mount(t, bucket, harness.MountOptions{Binary: harness.StaticBinary(t)})
}

// programs copies a tree with rsync and works on a git repository, on a mount, and looks at both through another one.
func programs(t *testing.T, s *harness.Server) {
	rsync, git := harness.NeedProgram(t, "/usr/bin/rsync", "rsync"), harness.NeedProgram(t, "/usr/bin/git", "git")
	m := mount(t, s, "programs")
	source := t.TempDir()
	for i := range 30 {
		path := fmt.Sprintf("%s/%d/file %d é", source, i%3, i)
		if err := errors.Join(os.MkdirAll(fmt.Sprintf("%s/%d", source, i%3), 0o755), os.WriteFile(path, load.RandomBytes(uint64(i), 20_000*i), 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("file 0 é", source+"/0/link"); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		return harness.Command{}.Run(t, name, args...)
	}
	run(rsync, "-a", source+"/", m.Path("copy")+"/")
	run(rsync, "-a", "--delete", source+"/", m.Path("copy")+"/")
	repo := m.Path("repo")
	run(git, "init", "-q", repo)
	for i := range 3 {
		if err := os.WriteFile(repo+"/file", load.RandomBytes(uint64(i), 5000), 0o644); err != nil {
			t.Fatal(err)
		}
		run(git, "-C", repo, "add", "file")
		run(git, "-C", repo, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", fmt.Sprint(i))
	}
	run(git, "-C", repo, "gc", "-q")
	if err := os.Rename(m.Path("copy"), m.Path("renamed")); err != nil {
		t.Fatal(err)
	}
	if out := run(rsync, "-ain", "--delete", source+"/", m.Path("renamed")+"/"); out != "" {
		t.Errorf("rsync would still copy:\n%s", out)
	}
	other := s.Mount(t, "programs", harness.MountOptions{Binary: harness.StaticBinary(t)})
	run("diff", "-r", source, other.Path("renamed"))
	run(git, "-c", "safe.directory=*", "-C", other.Path("repo"), "fsck", "--strict")
	if err := os.WriteFile(other.Path("renamed", "0", "file 0 é"), []byte("from the other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(m.Path("renamed", "0", "file 0 é")); err != nil || string(got) != "from the other" {
		t.Errorf("what another mount has written reads %q, %v", got, err)
	}
}

// largeFile writes a file in parts, under a name that looks escaped, changes it in the middle, and renames it.
func largeFile(t *testing.T, s *harness.Server) {
	m := mount(t, s, "large")
	want := load.RandomBytes(1, 150<<20)
	if err := os.WriteFile(m.Path("large 100%41"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	change := load.RandomBytes(2, 1<<20)
	f, err := os.OpenFile(m.Path("large 100%41"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	copy(want[77<<20:], change)
	want = append(want, change...)
	_, err1 := f.WriteAt(change, 77<<20)
	_, err2 := f.WriteAt(change, 150<<20)
	if err := errors.Join(err1, err2, f.Close(), os.Rename(m.Path("large 100%41"), m.Path("renamed"))); err != nil {
		t.Fatal(err)
	}
	change = load.RandomBytes(3, 1<<20)
	copy(want[33<<20:], change)
	f, err = os.OpenFile(m.Path("renamed"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(change, 33<<20)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*harness.Mount{m, s.Mount(t, "large", harness.MountOptions{Binary: harness.StaticBinary(t)})} {
		if got, err := os.ReadFile(m.Path("renamed")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes were read back, %v, of %d that were written", len(got), err, len(want))
		}
	}
}

// metadata sets all attributes and reads them on another mount.
func metadata(t *testing.T, s *harness.Server) {
	m := mount(t, s, "metadata")
	path := m.Path("file")
	then := time.Unix(1_700_000_000, 123_456_789)
	err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Lchown(path, 1234, 5678), os.Chmod(path, os.ModeSetuid|0o751),
		unix.Setxattr(path, "user.name", []byte{0, 1, 255}, 0), os.Chtimes(path, then, then), os.Symlink("file", m.Path("link")),
		unix.Mkfifo(m.Path("fifo"), 0o644), os.Mkdir(m.Path("dir"), 0o711))
	if err != nil {
		t.Fatal(err)
	}
	other := s.Mount(t, "metadata", harness.MountOptions{Binary: harness.StaticBinary(t)})
	var st unix.Stat_t
	value := make([]byte, 10)
	if err := unix.Stat(other.Path("file"), &st); err != nil {
		t.Fatal(err)
	}
	n, err := unix.Getxattr(other.Path("file"), "user.name", value)
	if st.Mode&0o7777 != 0o4751 || st.Uid != 1234 || st.Gid != 5678 || time.Unix(st.Mtim.Unix()) != then || err != nil || !bytes.Equal(value[:n], []byte{0, 1, 255}) {
		t.Errorf("mode %o, owner %d:%d, time %v, attribute %v, %v", st.Mode, st.Uid, st.Gid, time.Unix(st.Mtim.Unix()), value[:max(0, n)], err)
	}
	if to, err := os.Readlink(other.Path("link")); err != nil || to != "file" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	for name, want := range map[string]fs.FileMode{"fifo": fs.ModeNamedPipe | 0o644, "dir": fs.ModeDir | 0o711} {
		if info, err := os.Lstat(other.Path(name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// exclusive makes the same files on two mounts at once: RGW refuses a PUT that would replace an object, if asked to.
func exclusive(t *testing.T, s *harness.Server) {
	first := mount(t, s, "exclusive")
	mounts := []*harness.Mount{first, s.Mount(t, "exclusive", harness.MountOptions{Binary: harness.StaticBinary(t)})}
	for i := range 20 {
		var made atomic.Int32
		var group sync.WaitGroup
		for _, m := range mounts {
			group.Go(func() {
				f, err := os.OpenFile(m.Path(fmt.Sprint(i)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
				if err == nil {
					made.Add(1)
					err = f.Close()
				}
				if err != nil && !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := made.Load(); n != 1 {
			t.Errorf("%d mounts made file %d", n, i)
		}
		for _, m := range mounts {
			if _, err := os.OpenFile(m.Path(fmt.Sprint(i)), os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
				t.Errorf("file %d, which is there, is made again: %v", i, err)
			}
		}
	}
}
