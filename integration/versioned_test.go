package integration

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
)

// TestVersionedBucket mounts a bucket that keeps old versions: files are as on a local disk, and what they were before
// stays where S3 keeps it.
func TestVersionedBucket(t *testing.T) {
	harness.NeedProgram(t, "/usr/bin/setfattr", "attr")
	want := filesIn(t, t.TempDir())
	s := harness.Serve(t, harness.ServerOptions{})
	s.Bucket(t, "bucket")
	client, ctx := s.Client(t), context.Background()
	_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  aws.String("bucket"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := s.Mount(t, "bucket", harness.MountOptions{})
	same(t, filesIn(t, m.Dir), want)
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(m.Path("file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(m.Path("file"), m.Path("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(m.Path("file")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.Path("link"), m.Path("file")); err != nil {
		t.Fatal(err)
	}
	before := readScene(t, m.Dir)
	m.Unmount(t)
	m = s.Mount(t, "bucket", harness.MountOptions{})
	sameLines(t, readScene(t, m.Dir), before)
	if got, err := os.ReadFile(m.Path("file")); err != nil || string(got) != "two" {
		t.Errorf("the file has %q, %v", got, err)
	}
	list, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("bucket"), Prefix: aws.String("file")})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Versions) < 3 || len(list.DeleteMarkers) == 0 {
		t.Errorf("the bucket keeps %d versions and %d delete markers of the file", len(list.Versions), len(list.DeleteMarkers))
	}
}
