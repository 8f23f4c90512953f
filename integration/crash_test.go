package integration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
)

// TestKillServerUnderLoad kills the server at random instants while clients put small, large and multipart objects, copy,
// delete, and make and remove versions; it starts the server again, and looks for all that was acknowledged: objects
// whole, versions too, and nothing that was removed. At the end the server's own check finds nothing.
func TestKillServerUnderLoad(t *testing.T) {
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	s.Bucket(t, "versions")
	l := &load{client: s.Client(t), sent: map[string][]content{}, versions: map[version]content{}, removed: map[version]bool{}}
	if _, err := l.client.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{Bucket: aws.String("versions"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: "Enabled"}}); err != nil {
		t.Fatal(err)
	}
	const rounds, acks = 4, 30
	for round := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		var workers sync.WaitGroup
		for w := range 6 {
			workers.Add(1)
			go func() { defer workers.Done(); l.work(ctx, round, w) }()
		}
		l.waitAcks(acks/2 + rand.IntN(acks))
		s.Kill()
		cancel()
		workers.Wait()
		s.Restart(t)
		l.check(t)
	}
	s.Stop(t)
	(&bucket{t: t, server: s}).fsck(0)
	t.Logf("%d keys, %d versions, %d versions removed", len(l.sent), len(l.versions), len(l.removed))
}

type content struct{ seed, size int }

// gone is a key that holds nothing.
var gone = content{seed: -1}

func (c content) bytes() []byte { return randomBytes(uint64(c.seed), c.size) }

type version struct{ key, id string }

// load changes objects and remembers what may be there.
type load struct {
	client  *s3.Client
	timeout time.Duration // of a put; 0: a minute

	mu       sync.Mutex
	news     *sync.Cond
	seed     int
	fresh    int                  // acknowledgements since waitAcks
	sent     map[string][]content // what a key may hold: what was acknowledged last, and what was sent since
	versions map[version]content  // that were acknowledged
	removed  map[version]bool     // versions, with an acknowledgement
}

// work goes on until the server is gone. Each worker has keys of its own, so that the last acknowledgement of a key is
// known; some keys are overwritten.
func (l *load) work(ctx context.Context, round, worker int) {
	again := fmt.Sprintf("w%d/again", worker)
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("w%d/%d-%d", worker, round, i)
		c := l.newContent([]int{10, 5000, 70_000, 1 << 20, 6 << 20}[(i+worker)%5])
		var err error
		switch i % 8 {
		case 4:
			err = l.change(again, c, func() error { return l.put(again, c) })
		case 5:
			if src, ok := l.holds(again); ok {
				err = l.change(key, src, func() error { return l.copy(again, key) })
			}
		case 6:
			old := fmt.Sprintf("w%d/%d-%d", worker, round, i-4)
			err = l.change(old, gone, func() error { return l.remove(old) })
		case 7:
			err = l.version(fmt.Sprintf("w%d", worker), c)
		default:
			err = l.change(key, c, func() error { return l.put(key, c) })
		}
		if err != nil {
			return
		}
	}
}

func (l *load) newContent(size int) content {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seed++
	return content{l.seed % 200, size}
}

// change runs an operation that makes the key hold c.
func (l *load) change(key string, c content, op func() error) error {
	l.mu.Lock()
	if l.sent[key] == nil {
		l.sent[key] = []content{gone}
	}
	l.sent[key] = append(l.sent[key], c)
	l.mu.Unlock()
	err := op()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.sent[key] = []content{c}
		l.ackLocked()
	}
	return err
}

func (l *load) ackLocked() {
	l.fresh++
	if l.news != nil {
		l.news.Broadcast()
	}
}

// holds gives what the key holds, where that is known.
func (l *load) holds(key string) (content, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent[key]
	if len(sent) != 1 || sent[0] == gone {
		return content{}, false
	}
	return sent[0], true
}

func (l *load) copy(src, dst string) error {
	_, err := l.client.CopyObject(context.Background(), &s3.CopyObjectInput{Bucket: aws.String("bucket"), Key: &dst, CopySource: aws.String("bucket/" + src)}, once)
	return err
}

func (l *load) remove(key string) error {
	_, err := l.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &key}, once)
	return err
}

// version makes a version, and removes one of the versions that the key had before.
func (l *load) version(key string, c content) error {
	out, err := l.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("versions"), Key: &key, Body: bytes.NewReader(c.bytes())}, once)
	if err != nil {
		return err
	}
	l.mu.Lock()
	made := version{key, *out.VersionId}
	var old version
	for v := range l.versions {
		if v.key == key {
			old = v
		}
	}
	l.versions[made] = c
	delete(l.versions, old) // it may be there or not, from now on
	l.ackLocked()
	l.mu.Unlock()
	if old.id == "" {
		return nil
	}
	if _, err := l.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("versions"), Key: &old.key, VersionId: &old.id}, once); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed[old] = true
	return nil
}

func (l *load) put(key string, c content) error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(l.timeout, time.Minute))
	defer cancel()
	body := c.bytes()
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

// check reads all keys and versions that were ever sent.
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
		got, err := l.read("bucket", key, nil)
		var missing *types.NoSuchKey
		if err != nil && !errors.As(err, &missing) {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if listed[key] != (err == nil) {
			t.Errorf("%s: listed: %v, read: %v", key, listed[key], err)
		}
		if !slices.ContainsFunc(sent, func(c content) bool { return c.is(got, err) }) {
			t.Errorf("%s holds %d bytes, %v, and may hold %v", key, len(got), err, sent)
		}
	}
	for v, c := range l.versions {
		if got, err := l.read("versions", v.key, &v.id); err != nil || !c.is(got, err) {
			t.Errorf("version %v: %d bytes, %v, want %v", v, len(got), err, c)
		}
	}
	for v := range l.removed {
		if _, err := l.read("versions", v.key, &v.id); code(err) != "NoSuchVersion" {
			t.Errorf("version %v was removed: %v", v, err)
		}
	}
}

// is reports whether that is what reading c gives.
func (c content) is(got []byte, err error) bool {
	if c == gone {
		return err != nil
	}
	return err == nil && len(got) == c.size && md5.Sum(got) == md5.Sum(c.bytes())
}

func (l *load) read(bucket, key string, version *string) ([]byte, error) {
	out, err := l.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: version})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
