package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"pail/integration/harness"
	"pail/integration/load"
)

// bucket is the bucket of a server, without a client's patience: each call is one request.
type bucket struct {
	t      *testing.T
	server *harness.Server
	client *s3.Client
}

func newBucket(t *testing.T, s *harness.Server) *bucket {
	s.Bucket(t, "bucket")
	return &bucket{t, s, s.Client(t)}
}

func once(o *s3.Options) { o.RetryMaxAttempts = 1 }

func (b *bucket) put(key string, content []byte) error {
	_, err := b.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(content)}, once)
	return err
}

func (b *bucket) get(key string) ([]byte, error) {
	out, err := b.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key}, once)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func (b *bucket) delete(key string) error {
	_, err := b.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &key}, once)
	return err
}

func (b *bucket) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// has fails unless the object is there, whole.
func (b *bucket) has(key string, want []byte) {
	b.t.Helper()
	if got, err := b.get(key); err != nil || !bytes.Equal(got, want) {
		b.t.Errorf("%s: %d bytes of %d, %v", key, len(got), len(want), err)
	}
}

// code gives S3's code of an error.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// fsck checks the directory of a server that does not run, and gives what pail serve --fsck --json says.
func (b *bucket) fsck(want int) (report struct {
	Clean    bool
	Objects  int
	Affected []struct{ Bucket, Key string }
	Problems []string
}) {
	b.t.Helper()
	out, stderr, err := harness.Command{}.Try(harness.Binary(b.t), "serve", "--fsck", "--json", "--dir", b.server.Dir)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != want || report.Clean != (want == 0) {
		b.t.Fatalf("fsck: status %d, want %d; %v\n%s%s", status, want, err, out, stderr)
	}
	return report
}

// TestDiskFull fills the server's disk with large and with small objects: 507 and InsufficientStorage, nothing that was
// stored is hurt, deleting works, and then writing again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	harness.NeedRoot(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=480m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	b := newBucket(t, harness.Serve(t, harness.ServerOptions{HTTP: true, Dir: filepath.Join(disk, "server")}))
	large, small := load.RandomBytes(31, 12<<20), load.RandomBytes(32, 60_000)
	fill := func(prefix string, content []byte) (stored []string) {
		t.Helper()
		for i := range 10_000 {
			key := prefix + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
			err := b.put(key, content)
			if err == nil {
				stored = append(stored, key)
				continue
			}
			var status interface{ HTTPStatusCode() int }
			if code(err) != "InsufficientStorage" || !errors.As(err, &status) || status.HTTPStatusCode() != 507 {
				t.Fatalf("%s on a full disk: %v", key, err)
			}
			return stored
		}
		t.Fatal("the disk never fills")
		return nil
	}
	stored := fill("large/", large)
	rest := fill("small/", small)
	if len(stored) < 10 || len(rest) < 10 {
		t.Errorf("%d large and %d small objects fit", len(stored), len(rest))
	}
	for _, key := range []string{stored[0], stored[len(stored)-1]} {
		b.has(key, large)
	}
	b.has(rest[len(rest)-1], small)
	if _, err := b.get("large/never-stored"); code(err) != "NoSuchKey" {
		t.Errorf("an absent object on a full disk: %v", err)
	}
	for _, key := range stored[:8] {
		b.must(b.delete(key))
	}
	b.must(b.put("after", large))
	b.must(b.put("after-small", small))
	b.has("after", large)
	b.server.Stop(t)
	b.server.Restart(t)
	b.has("after", large)
	b.has(rest[0], small)
	b.server.Stop(t)
	if r := b.fsck(0); r.Objects != len(stored)-8+len(rest)+2 {
		t.Errorf("%d objects after all", r.Objects)
	}
}

// TestReadOnlyDisk has the data directory become read-only, as the kernel does with a failing disk.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	harness.NeedRoot(t)
	b := newBucket(t, harness.Serve(t, harness.ServerOptions{HTTP: true}))
	content := load.RandomBytes(33, 1<<20)
	b.must(b.put("before", content))
	data := filepath.Join(b.server.Dir, "data", "blobs")
	b.must(syscall.Mount(data, data, "", syscall.MS_BIND, ""))
	writable := func() { syscall.Unmount(data, syscall.MNT_DETACH) }
	t.Cleanup(writable)
	b.must(syscall.Mount("", data, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
	if err := b.put("during", content); code(err) != "ServiceUnavailable" {
		t.Errorf("a write: %v, want ServiceUnavailable", err)
	}
	b.has("before", content)
	writable()
	b.must(b.put("after", content))
	b.has("after", content)
	b.server.Stop(t)
	b.fsck(0)
}

// TestBitRot flips a bit in the file of a large object and in the database where a small one lies: each is an error to
// read and never other data, all others are well, and fsck names the two.
func TestBitRot(t *testing.T) {
	t.Parallel()
	b := newBucket(t, harness.Serve(t, harness.ServerOptions{HTTP: true}))
	large, small := load.RandomBytes(34, 3<<20), load.RandomBytes(35, 40_000)
	b.must(b.put("large/rotten", large))
	b.must(b.put("large/sound", load.RandomBytes(36, 3<<20)))
	for i := range 20 {
		b.must(b.put("small/sound"+string(rune('a'+i)), load.RandomBytes(uint64(40+i), 40_000)))
		if i == 10 {
			b.must(b.put("small/rotten", small))
		}
	}
	b.server.Stop(t)
	b.fsck(0)
	b.server.Restart(t) // and what is in the log goes to tables
	b.server.Stop(t)
	flip(t, filepath.Join(b.server.Dir, "data", "blobs", "*", "*"), large[2<<20:2<<20+64])
	flip(t, filepath.Join(b.server.Dir, "metadata", "epoch-*", "*"), small[20_000:20_064])
	r := b.fsck(1)
	named := map[string]bool{}
	for _, a := range r.Affected {
		named[a.Bucket+"/"+a.Key] = true
	}
	if !named["bucket/large/rotten"] || !named["bucket/small/rotten"] || named["bucket/large/sound"] {
		t.Errorf("fsck names %v\n%s", named, strings.Join(r.Problems, "\n"))
	}
	b.server.Restart(t)
	for key, whole := range map[string][]byte{"large/rotten": large, "small/rotten": small} {
		got, err := b.get(key)
		if err == nil || !bytes.HasPrefix(whole, got) {
			t.Errorf("%s: %d bytes and %v", key, len(got), err)
		}
	}
	b.has("large/sound", load.RandomBytes(36, 3<<20))
	b.must(b.put("large/rotten", large)) // what is written anew is whole
	b.has("large/rotten", large)
	b.has("small/sounda", load.RandomBytes(40, 40_000))
}

// flip changes one bit in the one file of a pattern that holds the bytes.
func flip(t *testing.T, pattern string, around []byte) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			continue // a directory
		}
		if at := bytes.Index(content, around); at >= 0 {
			content[at+10] ^= 4
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no file of %s holds what was stored", pattern)
}
