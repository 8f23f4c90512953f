package integration

import (
	"context"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
)

// TestSignalStoresOpenFiles ends the process of a busy mount as systemd does: what an open file has must be on the
// service before the process may be killed.
func TestSignalStoresOpenFiles(t *testing.T) {
	srv := harness.Service(t, harness.ServerOptions{})
	srv.Bucket(t, "bucket")
	m := srv.Mount(t, "bucket", harness.MountOptions{})
	f, err := os.Create(m.Path("open"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("written and not closed"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	client, bucket, key := srv.Client(t), "bucket", "open"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err == nil {
			got, err := io.ReadAll(out.Body)
			if out.Body.Close(); err != nil || string(got) != "written and not closed" {
				t.Errorf("stored %q, %v", got, err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not stored while the file is open: %v", err)
		}
	}
	if _, err := f.WriteString(", and more"); err != nil {
		t.Errorf("the mount is gone before its users are: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
