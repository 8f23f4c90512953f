package mounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
)

// TestNamesThatAreNotKept removes a file behind the back of a mount that believes nothing, right after it was made there.
func TestNamesThatAreNotKept(t *testing.T) {
	t.Parallel()
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	client, m := srv.Client(t), srv.Mount(t, "bucket", harness.MountOptions{Options: believeNothing})
	for i := range 10 {
		name := fmt.Sprint("f", i)
		if err := os.WriteFile(m.Path(name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(m.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}
