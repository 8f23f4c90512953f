package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"

	"pail/integration/harness"
)

// mountS3FS mounts a bucket with Debian's s3fs.
func mountS3FS(t *testing.T, s *harness.Server, bucket string) string {
	t.Helper()
	harness.NeedMount(t)
	s3fs := harness.NeedProgram(t, "/usr/bin/s3fs", "s3fs")
	dir := filepath.Join(t.TempDir(), "s3fs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Detach(dir) })
	// s3fs goes to the background when it is mounted, and ends when it is unmounted.
	harness.Command{Env: []string{"CURL_CA_BUNDLE=" + s.CA}}.Run(t, s3fs, bucket, dir, "-o",
		"passwd_file="+s.Passwd+",url="+s.URL+",use_path_request_style,use_xattr,stat_cache_expire=1")
	return dir
}

// scene is what one filesystem writes and the other must show: types, modes, owners, times, contents, xattrs.
func writeScene(t *testing.T, dir string) {
	t.Helper()
	stamp := time.Unix(1_500_000_000, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "d"), 0o750))
	must(os.Mkdir(filepath.Join(dir, "d", "sticky"), 0o755))
	must(os.Chmod(filepath.Join(dir, "d", "sticky"), 0o777|os.ModeSticky))
	for name, mode := range map[string]os.FileMode{"plain": 0o644, "secret": 0o600, "tool": 0o755, "d/inner": 0o640} {
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, []byte("content of "+name+"\n"), 0o644))
		must(os.Chmod(path, mode))
		must(os.Chown(path, 1234, 4321))
		must(os.Chtimes(path, stamp, stamp))
	}
	must(os.Symlink("../plain", filepath.Join(dir, "d", "link")))
	must(os.WriteFile(filepath.Join(dir, "empty"), nil, 0o604))
	must(os.WriteFile(filepath.Join(dir, "spaced name é+%"), []byte("x"), 0o644))
	must(syscall.Setxattr(filepath.Join(dir, "plain"), "user.colour", []byte("blue\x00\xff"), 0))
	must(os.Chown(filepath.Join(dir, "d"), 77, 88))
	must(os.Chtimes(filepath.Join(dir, "d", "sticky"), stamp, stamp))
}

// readScene describes a tree in a form that can be compared. Times of objects that nobody set are left out.
func readScene(t *testing.T, root string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		line := fmt.Sprintf("%s mode=%o owner=%d:%d", name, st.Mode, st.Uid, st.Gid)
		if st.Mtim.Sec == 1_500_000_000 {
			line += " stamped"
		}
		switch e.Type() {
		case 0:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" size=%d content=%q", st.Size, content)
		case os.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		if e.Type() != os.ModeSymlink {
			buf := make([]byte, 256)
			if n, err := syscall.Getxattr(path, "user.colour", buf); err == nil {
				line += fmt.Sprintf(" colour=%q", buf[:n])
			}
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(lines)
	return lines
}

// TestS3FSWritesPailReads and TestPailWritesS3FSReads hold the metadata format to that of Debian's s3fs, both ways.
func TestS3FSWritesPailReads(t *testing.T) {
	harness.NeedRoot(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	theirs := mountS3FS(t, s, "bucket")
	writeScene(t, theirs)
	want := readScene(t, theirs)
	sameScene(t, readScene(t, s.Mount(t, "bucket", harness.MountOptions{Options: []string{"allow_other"}}).Dir), want)
}

func TestPailWritesS3FSReads(t *testing.T) {
	harness.NeedRoot(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{Options: []string{"allow_other"}})
	writeScene(t, m.Dir)
	want := readScene(t, m.Dir)
	m.Unmount(t)
	sameScene(t, readScene(t, mountS3FS(t, s, "bucket")), want)
}

func sameScene(t *testing.T, got, want []string) {
	t.Helper()
	sameLines(t, got, want)
	if len(want) < 9 {
		t.Errorf("the scene has only %d entries", len(want))
	}
}
