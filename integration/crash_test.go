package integration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
)

// TestKillServerUnderLoad kills the server at once while clients put small, large and multipart objects, starts it
// again, and looks for every object that was acknowledged: whole, and none that is only half there.
func TestKillServerUnderLoad(t *testing.T) {
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	l := &load{client: s.Client(t), acked: map[string]content{}, sent: map[string][]content{}}
	for round := range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		var workers sync.WaitGroup
		for w := range 6 {
			workers.Add(1)
			go func() { defer workers.Done(); l.put(ctx, round, w) }()
		}
		l.waitAcks(40)
		s.Kill()
		cancel()
		workers.Wait()
		s.Restart(t)
		l.check(t)
	}
	if len(l.acked) < 5*40/2 { // some keys are written again
		t.Errorf("only %d objects were acknowledged", len(l.acked))
	}
	t.Logf("%d objects acknowledged", len(l.acked))
}

type content struct{ seed, size int }

func (c content) bytes() []byte { return randomBytes(uint64(c.seed), c.size) }

// load puts objects and remembers what was sent and what of it was acknowledged.
type load struct {
	client  *s3.Client
	timeout time.Duration // of a put; 0: a minute

	mu    sync.Mutex
	news  *sync.Cond
	seed  int
	fresh int // acknowledgements since waitAcks
	acked map[string]content
	sent  map[string][]content
}

// put goes on until the server is gone. Each worker has keys of its own, so that the last acknowledgement of a key is
// known; some keys are overwritten.
func (l *load) put(ctx context.Context, round, worker int) {
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("w%d/%d-%d", worker, round, i)
		if i%5 == 4 {
			key = fmt.Sprintf("w%d/again", worker)
		}
		size := []int{10, 5000, 70_000, 1 << 20, 6 << 20}[(i+worker)%5]
		l.mu.Lock()
		l.seed++
		c := content{l.seed % 200, size}
		l.sent[key] = append(l.sent[key], c)
		l.mu.Unlock()
		if l.putOne(key, c) != nil {
			return
		}
		l.mu.Lock()
		l.acked[key] = c
		l.sent[key] = []content{c}
		l.fresh++
		if l.news != nil {
			l.news.Broadcast()
		}
		l.mu.Unlock()
	}
}

func (l *load) putOne(key string, c content) error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(l.timeout, time.Minute))
	defer cancel()
	body := c.bytes()
	once := func(o *s3.Options) { o.RetryMaxAttempts = 1 }
	if c.size < 6<<20 {
		_, err := l.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body)}, once)
		return err
	}
	up, err := l.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: &key}, once)
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n, data := range [][]byte{body[:5<<20], body[5<<20:]} {
		number := aws.Int32(int32(n + 1))
		part, err := l.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("bucket"), Key: &key, UploadId: up.UploadId, PartNumber: number, Body: bytes.NewReader(data)}, once)
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: number, ChecksumCRC32: part.ChecksumCRC32})
	}
	_, err = l.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("bucket"), Key: &key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}, once)
	return err
}

// waitAcks returns after n further acknowledgements.
func (l *load) waitAcks(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news == nil {
		l.news = sync.NewCond(&l.mu)
	}
	for l.fresh = 0; l.fresh < n; {
		l.news.Wait()
	}
}

// check reads all keys that were ever sent. An acknowledged one must hold what was acknowledged, or what was sent
// later without an answer; any other may be absent, but not half there.
func (l *load) check(t *testing.T) {
	t.Helper()
	listed := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(l.client, &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed[*o.Key] = true
		}
	}
	for key, sent := range l.sent {
		_, acked := l.acked[key]
		got, err := l.read(key)
		var missing *types.NoSuchKey
		switch {
		case errors.As(err, &missing):
			if acked {
				t.Errorf("%s was acknowledged and is gone", key)
			}
			if listed[key] {
				t.Errorf("%s is listed and cannot be read", key)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", key, err)
			continue
		case !listed[key]:
			t.Errorf("%s can be read and is not listed", key)
		}
		whole := false
		for _, c := range sent {
			whole = whole || (c.size == len(got) && md5.Sum(c.bytes()) == md5.Sum(got))
		}
		if !whole {
			t.Errorf("%s holds %d bytes that were never sent as a whole", key, len(got))
		}
	}
}

func (l *load) read(key string) ([]byte, error) {
	out, err := l.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
