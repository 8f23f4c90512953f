package ha

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"pail/integration/harness"
)

// TestMain runs the tests in namespaces of their own. Their first process is this test binary started again: when it ends,
// the kernel ends all that it has started.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("PAIL_HA") == "":
		fmt.Println("these tests are for `make ha`: PAIL_HA is not set")
		os.Exit(0)
	case os.Getenv(labEnv) == "":
		os.Exit(enclose())
	}
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	harness.Main(m)
}

// labEnv names the directory that the tests leave their files in.
const labEnv = "PAIL_HA_LAB"

// cgroupParent is where dockerds make their control groups, which outlive processes.
func cgroupParent(lab string) string { return "/" + filepath.Base(lab) }

func enclose() (code int) {
	lab, err := os.MkdirTemp("", "pail-ha-")
	if err == nil {
		err = os.Chmod(lab, 0o755) // PostgreSQL does not run as root
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), labEnv+"="+lab, "TMPDIR="+lab)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	runtime.LockOSThread() // which Pdeathsig goes by
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err = cmd.Start(); err == nil {
		go func() { <-signals; _ = cmd.Process.Kill() }()
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "namespaces need root:", err)
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*" + cgroupParent(lab))
	for _, group := range groups {
		err = errors.Join(err, removeGroup(group))
	}
	if err := errors.Join(err, os.RemoveAll(lab)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// removeGroup removes a control group with those below it; the files in it go with it.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, removeGroup(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(err, syscall.Rmdir(dir))
}

// enter makes the new namespaces fit to live in.
func enter() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", bridge, "type", "bridge"},
		{"addr", "add", address(1) + "/24", "dev", bridge},
		{"link", "set", bridge, "up", "gso_max_segs", "1"}, // guests do not take several segments in one
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w\n%s", args, err, out)
		}
	}
	return nil
}

// The hosts of the tests are on one bridge, on which the tests themselves are number 1.
const bridge = "lab0"

func address(host int) string { return "10.94.0." + strconv.Itoa(host) }

// lab is the directory for files.
func lab(elem ...string) string {
	return filepath.Join(append([]string{os.Getenv(labEnv)}, elem...)...)
}
