package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// TestStatus asks a mount what it has not sent yet.
func TestStatus(t *testing.T) {
	srv := harness.Serve(t, harness.ServerOptions{})
	srv.Bucket(t, "bucket")
	m := srv.Mount(t, "bucket", harness.MountOptions{})
	done := holdOpen(t, m.Path("open"), "not sent")
	ask := func() harness.MountStatus { return m.Status(t, harness.Binary(t)) }
	s := ask()
	if s.Mountpoint != m.Dir || s.Source != "bucket" || s.State != "mounted" || s.PID != m.PID() || s.Report.Unsent != 1 || s.Report.Bytes != 8 {
		t.Errorf("while a file is written: %+v", s)
	}
	done()
	if s := ask(); s.Report.Unsent != 0 {
		t.Errorf("after close: %+v", s)
	}
	if out := (harness.Command{}).Run(t, harness.Binary(t), "status"); !strings.Contains(out, m.Dir) {
		t.Errorf("the list of mounts lacks it:\n%s", out)
	}
}

// holdOpen has another process write a file and keep it open. Starting a program closes the copies that it gets of our own
// open files, and each close stores what is not stored.
func holdOpen(t *testing.T, path, text string) (done func()) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `exec >"$0"; printf %s "$1"; read line`, path, text)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() == int64(len(text)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other process does not write")
		}
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 1 { // read has met the end
			t.Error(err)
		}
	}
}
