package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pail/integration/harness"
)

// TestMountSaysWhatIsWrong makes every mistake that people make at the first mount: each gives one line that names
// the thing and the remedy, exit 1, and nothing mounted.
func TestMountSaysWhatIsWrong(t *testing.T) {
	harness.NeedMount(t)
	bin := harness.Binary(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	open := harness.PasswdFile(t, harness.AccessKey+":"+harness.SecretKey)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	const nobody = "https://127.0.0.1:1"
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	busy := s.Mount(t, "bucket", harness.MountOptions{})
	otherCA := harness.Serve(t, harness.ServerOptions{}).CA

	passwd, url, ca := "passwd_file="+s.Passwd, "url="+s.URL, "ca_bundle="+s.CA
	cases := []struct {
		name, source, mnt string
		words             []string
		say               []string // parts of the one line
	}{
		{"wrong secret", "bucket", "", []string{"passwd_file=" + harness.PasswdFile(t, harness.AccessKey+":wrongSecret"), url, ca}, []string{"secret", "passwd"}},
		{"unknown key", "bucket", "", []string{"passwd_file=" + harness.PasswdFile(t, "someKey:someSecret"), url, ca}, []string{"key", "passwd"}},
		{"no such bucket", "absent", "", []string{passwd, url, ca}, []string{"absent", "bucket"}},
		{"no such prefix", "bucket:/absent", "", []string{passwd, url, ca}, []string{"absent"}},
		{"malformed prefix", "bucket:absent", "", []string{passwd, url, ca}, []string{"bucket:absent", "/"}},
		{"no server", "bucket", "", []string{passwd, "url=" + nobody, ca, "retries=1"}, []string{nobody, "refused"}},
		{"unknown CA", "bucket", "", []string{passwd, url}, []string{"certificate", "ca_bundle"}},
		{"another CA", "bucket", "", []string{passwd, url, "ca_bundle=" + otherCA}, []string{"certificate", "ca_bundle"}},
		{"missing CA file", "bucket", "", []string{passwd, url, "ca_bundle=/no/such/ca"}, []string{"/no/such/ca"}},
		{"passwd file for all to read", "bucket", "", []string{"passwd_file=" + open, url, ca}, []string{open, "chmod 600"}},
		{"malformed passwd file", "bucket", "", []string{"passwd_file=" + harness.PasswdFile(t, "no colon here"), url, ca}, []string{"line 1"}},
		{"missing passwd file", "bucket", "", []string{"passwd_file=/no/such/passwd", url, ca}, []string{"/no/such/passwd"}},
		{"missing mountpoint", "bucket", "/no/such/dir", []string{passwd, url, ca}, []string{"/no/such/dir", "mkdir"}},
		{"mountpoint is a file", "bucket", filepath.Join(full, "file"), []string{passwd, url, ca}, []string{"directory"}},
		{"mountpoint not empty", "bucket", full, []string{passwd, url, ca}, []string{full, "empty"}},
		{"already mounted", "bucket", busy.Dir, []string{passwd, url, ca}, []string{busy.Dir, "mounted"}},
		{"unknown option", "bucket", "", []string{passwd, url, ca, "multipart_sise=10"}, []string{"multipart_sise", "multipart_size"}},
		{"bad value", "bucket", "", []string{passwd, url, ca, "retries=many"}, []string{"retries", "many"}},
		{"bad url", "bucket", "", []string{passwd, "url=ftp://127.0.0.1"}, []string{"url", "http"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mnt := c.mnt
			if mnt == "" {
				mnt = t.TempDir()
			}
			t.Cleanup(func() {
				if mnt != busy.Dir {
					harness.Detach(mnt)
				}
			})
			words := append(c.words, "use_path_request_style")
			out, stderr, err := harness.Command{}.Try(bin, "mount", c.source, mnt, "-o", strings.Join(words, ","))
			exit, _ := err.(*exec.ExitError)
			if exit == nil || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			if lines := strings.Count(stderr, "\n"); lines != 1 || out != "" {
				t.Errorf("%d lines on stderr and %q on stdout, want one line:\n%s", lines, out, stderr)
			}
			for _, part := range c.say {
				if !strings.Contains(stderr, part) {
					t.Errorf("does not say %q: %s", part, stderr)
				}
			}
			if strings.Contains(stderr, harness.SecretKey) || strings.Contains(stderr, "wrongSecret") {
				t.Errorf("shows a secret: %s", stderr)
			}
			if fstype, mounted := harness.Mounted(mnt); mounted && mnt != busy.Dir {
				t.Errorf("left %s mounted at %s", fstype, mnt)
			}
		})
	}
	if err := os.WriteFile(busy.Path("still"), []byte("works"), 0o644); err != nil {
		t.Errorf("the mount that was there: %v", err)
	}
}

// TestStaleMountpoint kills a mount's process, which leaves a mountpoint that answers ENOTCONN, and mounts again.
func TestStaleMountpoint(t *testing.T) {
	harness.NeedRoot(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{})
	if err := os.WriteFile(m.Path("file"), []byte("stored"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.KillProcess()
	if _, err := os.Stat(m.Dir); err == nil {
		t.Fatal("the mountpoint of a dead process answers")
	}
	background(t, harness.Binary(t), s, "bucket", m.Dir)
	if got, err := os.ReadFile(m.Path("file")); err != nil || string(got) != "stored" {
		t.Errorf("after mounting again: %q, %v", got, err)
	}
	harness.Command{}.Run(t, harness.Binary(t), "umount", m.Dir)
}

// TestKilledWhileMounting kills mounts in the moment in which they appear. A process that waited for an answer of its own mount then
// would never end.
func TestKilledWhileMounting(t *testing.T) {
	harness.NeedRoot(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	for range 20 {
		dir := t.TempDir()
		t.Cleanup(func() { harness.Detach(dir) })
		cmd := exec.Command(harness.Binary(t), "mount", "bucket", dir, "-f", "-o", strings.Join(s.MountWords(), ","))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; {
			if _, mounted := harness.Mounted(dir); mounted || time.Now().After(deadline) {
				break
			}
		}
		cmd.Process.Kill()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			syscall.Unmount(dir, syscall.MNT_FORCE) // it would outlive the test
			t.Fatal("a killed mount does not end")
		}
	}
}

// TestBackground mounts as a person does: the command returns when the mount answers, and pail umount ends it.
func TestBackground(t *testing.T) {
	harness.NeedMount(t)
	bin := harness.Binary(t)
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	dir := t.TempDir()
	background(t, bin, s, "bucket", dir)
	if fstype, mounted := harness.Mounted(dir); !mounted || fstype != "fuse.pail" {
		t.Errorf("mounted: %v, type %q", mounted, fstype)
	}
	if comm := daemonName(t, bin, dir); comm != filepath.Base(bin) {
		t.Errorf("ps shows the process as %q", comm)
	}
	// Left unread on purpose: pail umount must not return before it is stored.
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("stored"), 0o644); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, err := harness.Command{}.Try(bin, "umount", dir)
	if err == nil || !strings.Contains(stderr, "busy") || !strings.Contains(stderr, dir) {
		t.Errorf("umount of a busy mount: %v, %q", err, stderr)
	}
	held.Close()
	harness.Command{}.Run(t, bin, "umount", dir)
	if _, mounted := harness.Mounted(dir); mounted {
		t.Error("still mounted after pail umount")
	}
	if _, stderr, err := (harness.Command{}).Try(bin, "umount", dir); err == nil || !strings.Contains(stderr, "not mounted") {
		t.Errorf("umount of what is not mounted: %v, %q", err, stderr)
	}
	background(t, bin, s, "bucket", dir)
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(got) != "stored" {
		t.Errorf("after a remount: %q, %v", got, err)
	}
	harness.Command{}.Run(t, bin, "umount", dir)
}

// daemonName returns the name that the kernel has for the process of the mount at dir.
func daemonName(t *testing.T, bin, dir string) string {
	t.Helper()
	var status struct{ PID int }
	if err := json.Unmarshal([]byte(harness.Command{}.Run(t, bin, "status", "--json", dir)), &status); err != nil {
		t.Fatalf("pail status --json: %v", err)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", status.PID))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(comm))
}

// background runs pail mount without -f; the test's end clears the mountpoint, upon which the process ends.
func background(t *testing.T, bin string, s *harness.Server, bucket, dir string) {
	t.Helper()
	t.Cleanup(func() { harness.Detach(dir) })
	harness.Command{}.Run(t, bin, "mount", bucket, dir, "-o", strings.Join(s.MountWords(), ","))
}
