package harness

import (
	"os"
	"os/exec"
	"testing"
)

// lack ends a test for something that the machine does not have: failed in CI, skipped with the remedy elsewhere.
func lack(t testing.TB, remedy string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: %s", remedy)
	}
	t.Skip(remedy)
}

// NeedMount says that the test makes kernel mounts.
func NeedMount(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		lack(t, "/dev/fuse must be there and writable: modprobe fuse, or run the container with --device /dev/fuse")
		return
	}
	f.Close()
}

// NeedRoot says that the test makes namespaces or looks like fstab at boot.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lack(t, "run as root: the test makes mount and network namespaces")
	}
}

// NeedProgram returns the absolute path of a program from a Debian package. An absolute path, because a person's own
// PATH may put another version in front.
func NeedProgram(t testing.TB, path, pkg string) string {
	t.Helper()
	if _, err := exec.LookPath(path); err != nil {
		lack(t, path+" is missing: apt-get install "+pkg)
	}
	return path
}

// NeedFile says that the test needs what a Debian package installs at path.
func NeedFile(t testing.TB, path, pkg string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		lack(t, path+" is missing: apt-get install "+pkg)
	}
}
