package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// store is the bucket of one run, seen through plain S3.
type store struct {
	client *s3.Client
	bucket string
}

// forEach calls work for every key, several at a time, and fails the benchmark with one of the errors.
func forEach(tb testing.TB, objects map[string]int64, work func(key string, size int64) error) {
	tb.Helper()
	type object struct {
		key  string
		size int64
	}
	queue, failed := make(chan object), make(chan error, 16)
	var wait sync.WaitGroup
	for range cap(failed) {
		wait.Go(func() {
			var first error
			for o := range queue {
				if err := work(o.key, o.size); err != nil && first == nil {
					first = fmt.Errorf("%s: %w", o.key, err)
				}
			}
			failed <- first
		})
	}
	for key, size := range objects {
		queue <- object{key, size}
	}
	close(queue)
	wait.Wait()
	for range cap(failed) {
		if err := <-failed; err != nil {
			tb.Fatal(err)
		}
	}
}

func (s store) seed(tb testing.TB, objects map[string]int64) {
	tb.Helper()
	forEach(tb, objects, func(key string, size int64) error {
		_, err := s.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(content(0, int(size)))})
		return err
	})
}

func (s store) list(tb testing.TB) map[string]int64 {
	tb.Helper()
	out := map[string]int64{}
	for pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range page.Contents {
			out[aws.ToString(o.Key)] = aws.ToInt64(o.Size)
		}
	}
	return out
}

// await polls until the service shows what must be there; some systems return before it does.
func (s store) await(tb testing.TB, want map[string]int64) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		have, missing := s.list(tb), false
		for key, size := range want {
			missing = missing || have[key] != size
		}
		if !missing {
			return
		}
	}
}

// verify holds the bucket against what must be there; directories' own objects may be there too.
func (s store) verify(tb testing.TB, want map[string]int64) {
	tb.Helper()
	if want == nil {
		return
	}
	for key := range s.list(tb) {
		if _, wanted := want[key]; !wanted && key[len(key)-1] != '/' && key[0] != '.' {
			tb.Fatalf("%s is on the service after the work", key)
		}
	}
	forEach(tb, want, s.compare)
}

func (s store) compare(key string, size int64) error {
	got, err := s.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	buf := make([]byte, mib)
	for at := int64(0); at < size; {
		n := int(min(mib, size-at))
		if _, err := io.ReadFull(got.Body, buf[:n]); err != nil {
			return fmt.Errorf("at %d of %d: %w", at, size, err)
		}
		if !bytes.Equal(buf[:n], content(at, n)) {
			return fmt.Errorf("wrong bytes at %d", at)
		}
		at += int64(n)
	}
	if n, _ := got.Body.Read(buf); n > 0 {
		return fmt.Errorf("longer than %d bytes", size)
	}
	return nil
}

func (s store) remove(tb testing.TB) {
	tb.Helper()
	var batch []types.ObjectIdentifier
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if _, err := s.client.DeleteObjects(context.Background(), &s3.DeleteObjectsInput{Bucket: &s.bucket, Delete: &types.Delete{Objects: batch}}); err != nil {
			tb.Fatal(err)
		}
		batch = nil
	}
	for key := range s.list(tb) {
		if batch = append(batch, types.ObjectIdentifier{Key: aws.String(key)}); len(batch) == 1000 {
			flush()
		}
	}
	flush()
}
