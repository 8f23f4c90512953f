package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binaries holds what Main made room for; built on first use, as a test may need only one of them.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]error
}

// Main runs the tests of a package with a place for binaries, and removes it afterwards.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// Debian's rclone takes AWS_CA_BUNDLE for its only root; the tests name their CA to each client themselves.
	for _, name := range []string{"AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		os.Unsetenv(name)
	}
	dir, err := os.MkdirTemp("", "pail-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries.dir, binaries.built = dir, map[string]error{}
	return m.Run()
}

// Binary returns the path of a pail built with the race detector.
func Binary(t testing.TB) string {
	t.Helper()
	return build(t, "pail-race", []string{"-race"}, os.Environ())
}

// StaticBinary returns the path of a pail as `make build` makes it.
func StaticBinary(t testing.TB) string {
	t.Helper()
	return build(t, "pail", []string{"-trimpath", "-ldflags", "-s -w"}, append(os.Environ(), "CGO_ENABLED=0"))
}

func build(t testing.TB, name string, flags, env []string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if binaries.dir == "" {
		t.Fatal("harness: the package's TestMain must call harness.Main")
	}
	path := filepath.Join(binaries.dir, name)
	if err, done := binaries.built[name]; done {
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := append(append([]string{"build"}, flags...), "-o", path, "pail/cmd/pail")
	cmd := exec.Command("go", args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go %v: %v\n%s", args, err, out)
	}
	binaries.built[name] = err
	if err != nil {
		t.Fatal(err)
	}
	return path
}
