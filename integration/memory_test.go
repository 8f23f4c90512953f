package integration

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
)

// TestMemoryDoesNotGrowWithObjects: the server needs no more memory for a large object, and for one of many parts, than it
// needed for a small one.
func TestMemoryDoesNotGrowWithObjects(t *testing.T) {
	t.Parallel()
	const small, large, parts, slack = 16 << 20, 192 << 20, 300, 64
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	c := s.Client(t)
	ctx, name := context.Background(), aws.String("bucket")
	transfer := func(key string, size int64) {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: &key, Body: io.NewSectionReader(zeros{}, 0, size)},
			s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
		if err != nil {
			t.Fatal(err)
		}
		fetch(t, c, key, size)
	}
	transfer("small", small)
	before := peak(t, s.PID())
	transfer("large", large)
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: name, Key: aws.String("parts")})
	if err != nil {
		t.Fatal(err)
	}
	var list []types.CompletedPart
	for n := range int32(parts) {
		from := int64(n) * 7919 % (large - small)
		out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: name, Key: aws.String("parts"), UploadId: up.UploadId, PartNumber: aws.Int32(n + 1),
			CopySource: aws.String("bucket/large"), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", from, from+5<<20-1))})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, types.CompletedPart{PartNumber: aws.Int32(n + 1), ETag: out.CopyPartResult.ETag})
	}
	if _, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: name, Key: aws.String("parts"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: list}}); err != nil {
		t.Fatal(err)
	}
	fetch(t, c, "parts", parts*5<<20)
	if grown := peak(t, s.PID()) - before; grown > slack {
		t.Errorf("the server took %d MiB more for objects of %d MiB and of %d parts than the %d MiB that it took for one of %d MiB",
			grown, large>>20, parts, before, small>>20)
	}
}

// zeros is endless.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// fetch reads an object to its end.
func fetch(t *testing.T, c *s3.Client, key string, size int64) {
	t.Helper()
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if n, err := io.Copy(io.Discard, out.Body); n != size || err != nil {
		t.Errorf("%s: %d bytes of %d, %v", key, n, size, err)
	}
}

// peak is the most memory that a process had, in MiB.
func peak(t *testing.T, pid int) (mib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &mib); err != nil {
		t.Fatal(err)
	}
	return mib >> 10
}
