package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pail/fs/mountinfo"
)

// Mount is a running pail mount.
type Mount struct {
	Dir  string
	proc *process
}

// MountOptions vary a mount.
type MountOptions struct {
	Binary  string   // Binary(t) when empty
	Dir     string   // the mountpoint; a new directory when empty
	Options []string // further words of -o
	Env     []string
}

// Mount mounts a bucket (or bucket:/prefix) of the server in the foreground and waits until it answers. The test's
// end unmounts it, and fails when something stayed unsent.
func (s *Server) Mount(t testing.TB, source string, opt MountOptions) *Mount {
	t.Helper()
	NeedMount(t)
	if opt.Binary == "" {
		opt.Binary = Binary(t)
	}
	dir := opt.Dir
	if dir == "" {
		dir = t.TempDir()
	}
	cmd := exec.Command(opt.Binary, "mount", source, dir, "-f", "-o", strings.Join(append(s.MountWords(), opt.Options...), ","))
	cmd.Env = append(os.Environ(), opt.Env...)
	m := StartMount(t, cmd, dir)
	t.Cleanup(func() {
		if m.running() {
			m.Unmount(t)
		}
	})
	return m
}

// StartMount runs a program that mounts dir and stays in the foreground, pail's or another's, and waits until dir is
// mounted. The test's end detaches it.
func StartMount(t testing.TB, cmd *exec.Cmd, dir string) *Mount {
	t.Helper()
	m := &Mount{Dir: dir, proc: start(t, cmd)}
	t.Cleanup(func() { Detach(dir) })
	if err := m.wait(); err != nil {
		t.Fatal(err)
	}
	return m
}

// MountWords are the -o words that name the server and its credentials.
func (s *Server) MountWords() []string {
	words := []string{"passwd_file=" + s.Passwd, "url=" + strings.Join(append([]string{s.URL}, s.Others...), ","), "use_path_request_style"}
	if s.CA != "" {
		words = append(words, "ca_bundle="+s.CA)
	}
	return words
}

// wait polls the mount table: the kernel tells of a new mount in no other way that works for every process.
func (m *Mount) wait() error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, mounted := Mounted(m.Dir); mounted {
			return nil
		}
		select {
		case <-m.proc.done:
			return fmt.Errorf("%s ended (%v):\n%s", m.proc.cmd.Args[0], m.proc.err, m.proc.output())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not mounted after %v:\n%s", m.Dir, patience, m.proc.output())
}

func (m *Mount) running() bool {
	select {
	case <-m.proc.done:
		return false
	default:
		return true
	}
}

// PID returns the process id of the mount.
func (m *Mount) PID() int { return m.proc.pid() }

// Path joins elements below the mountpoint.
func (m *Mount) Path(elem ...string) string {
	return filepath.Join(append([]string{m.Dir}, elem...)...)
}

// Unmount ends the mount in order and fails the test when that does not work.
func (m *Mount) Unmount(t testing.TB) {
	t.Helper()
	if err := m.proc.terminate(); err != nil {
		t.Errorf("unmount of %s: %v\n%s", m.Dir, err, m.proc.output())
	}
}

// Release unmounts as a user does, with fusermount3, and waits until the mount's process has ended.
func (m *Mount) Release(t testing.TB) {
	t.Helper()
	if out, err := exec.Command("fusermount3", "-u", m.Dir).CombinedOutput(); err != nil {
		t.Errorf("fusermount3 -u %s: %v: %s", m.Dir, err, out)
	}
	select {
	case <-m.proc.done:
	case <-time.After(patience):
		t.Errorf("%v did not end after the unmount:\n%s", m.proc.cmd.Args, m.proc.output())
	}
}

// Pause stops the mount's process where it is; Resume lets it go on.
func (m *Mount) Pause() { m.proc.pause() }

// Resume ends a Pause.
func (m *Mount) Resume() { m.proc.cmd.Process.Signal(syscall.SIGCONT) }

// KillProcess ends the mount's process at once, which leaves the mountpoint stale.
func (m *Mount) KillProcess() { m.proc.kill() }

// Dump ends the mount's process with a dump of its goroutines, and clears the mountpoint.
func (m *Mount) Dump(t testing.TB) string {
	t.Helper()
	m.proc.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-m.proc.done:
	case <-time.After(patience):
		t.Fatalf("the mount did not end on SIGQUIT:\n%s", m.proc.output())
	}
	Detach(m.Dir)
	return m.proc.output()
}

// Detach clears a mountpoint, whatever state it is in.
func Detach(dir string) {
	if _, mounted := Mounted(dir); mounted {
		if syscall.Unmount(dir, syscall.MNT_DETACH) != nil {
			exec.Command("fusermount3", "-uz", dir).Run()
		}
	}
}

// Mounted returns the filesystem type mounted at dir, from the kernel's mount table.
func Mounted(dir string) (fstype string, mounted bool) {
	mount, mounted, err := mountinfo.Find(dir)
	return mount.Type, mounted && err == nil
}

// PeakRSS returns the largest resident size that a process has had, in bytes.
func PeakRSS(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatalf("no VmHWM for process %d", pid)
	return 0
}

// CPUTime returns the user and system time that a process has used, from proc(5).
func CPUTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is a name in brackets, which may hold blanks.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	const ticks = 100 // per second, USER_HZ on every Linux of today
	return time.Duration(user+system) * time.Second / ticks
}
