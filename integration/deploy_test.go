package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// TestUnitsAreValid has systemd read the units. It tells what it does not know on stderr and exits 0.
func TestUnitsAreValid(t *testing.T) {
	harness.NeedProgram(t, "/usr/bin/systemd-analyze", "systemd")
	dir := t.TempDir()
	program, err := os.Executable() // whichever: systemd looks whether it is there
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pail-serve.service", "pail-mount@.service"} {
		unit, err := os.ReadFile(filepath.Join("..", "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		installed := strings.ReplaceAll(string(unit), "/usr/local/bin/pail", program)
		path := filepath.Join(dir, strings.Replace(name, "@", "@x", 1))
		if err := os.WriteFile(path, []byte(installed), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "pail-") {
				t.Errorf("%s: %v: %s", name, err, line)
			}
		}
	}
}

// TestServiceManagerIsTold starts a server and a mount as systemd does, with a socket for their word.
func TestServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := func(want string) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1000)
		n, err := l.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), "READY=1\n") || !strings.Contains(string(b[:n]), want) {
			t.Fatalf("told %q, %v; want %q", b[:n], err, want)
		}
	}
	t.Setenv("NOTIFY_SOCKET", path)
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	heard("STATUS=serving")
	harness.Serve(t, harness.ServerOptions{HTTP: true, Dir: s.Dir, Passwd: s.Passwd})
	heard("STATUS=standing by")
	s.Bucket(t, "bucket")
	s.Mount(t, "bucket", harness.MountOptions{})
	heard("STATUS=mounted")
}
