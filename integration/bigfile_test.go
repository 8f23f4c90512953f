package integration

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"pail/integration/harness"
)

const rssBudget = 300 << 20

// bigFile is the size of TestBigFile's file, several times rssBudget.
func bigFile() int64 { return harness.Scale[int64](1<<30, 3<<30) }

// TestBigFile writes a file of 1 to 3 GB through the mount, reads it back through a second mount and through s3cmd, and
// holds server and mounts to their memory.
func TestBigFile(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 4 GB: run without -short")
	}
	s3cmd := harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
	bin := harness.StaticBinary(t)
	s := harness.Serve(t, harness.ServerOptions{Binary: bin})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{Binary: bin})

	begin := time.Now()
	want := writeRandom(t, m.Path("big"))
	t.Logf("written in %v", time.Since(begin).Round(time.Millisecond))
	second := s.Mount(t, "bucket", harness.MountOptions{Binary: bin})
	begin = time.Now()
	if got := fileSum(t, second.Path("big")); got != want {
		t.Errorf("read back through a mount: SHA-256 %s, written %s", got, want)
	}
	t.Logf("read in %v", time.Since(begin).Round(time.Millisecond))

	for name, pid := range map[string]int{"server": s.PID(), "writing mount": m.PID(), "reading mount": second.PID()} {
		rss := harness.PeakRSS(t, pid)
		t.Logf("%s: peak %d MiB", name, rss>>20)
		if rss > rssBudget {
			t.Errorf("%s used %d MiB, more than %d", name, rss>>20, rssBudget>>20)
		}
	}
	m.Unmount(t)
	second.Unmount(t)
	cfg := t.TempDir() + "/s3cfg"
	text := "[default]\naccess_key = " + harness.AccessKey + "\nsecret_key = " + harness.SecretKey + "\nhost_base = " + s.Addr() +
		"\nhost_bucket = " + s.Addr() + "\nuse_https = True\nca_certs_file = " + s.CA + "\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	back := t.TempDir() + "/back"
	harness.Command{}.Run(t, s3cmd, "-c", cfg, "--no-progress", "get", "s3://bucket/big", back)
	if got := fileSum(t, back); got != want {
		t.Errorf("read back through s3cmd: SHA-256 %s, written %s", got, want)
	}
}

// writeRandom writes bigFile() random bytes and returns their SHA-256; a close that fails fails the test.
func writeRandom(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, sum)}, io.LimitReader(random, bigFile()), make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
