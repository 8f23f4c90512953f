package integration

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestOrderlyHandover ends the owner with SIGTERM while clients write. The request that is under way, whose client is slow,
// is answered; then the standby owns the directories, where a multipart upload that was begun before goes on.
func TestOrderlyHandover(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, 2, harness.ServerOptions{})
	r.write()
	owner, next := r.servers[0], r.servers[1]
	waitAcks(t, r.load, 25)
	content := load.RandomBytes(1, 6<<20)
	up := beginUpload(t, owner.Client(t), "upload", content[:5<<20])
	slow := beginPut(t, owner, "slow", content)

	ended := make(chan struct{})
	go func() { defer close(ended); owner.Stop(t) }()
	waitRefused(t, owner.Addr())
	slow.finish(t)
	<-ended
	stopped := time.Now()
	if r.writers.WaitOther(0, time.Minute) < 0 {
		t.Fatal("the standby acknowledges nothing")
	}
	t.Logf("acknowledged by the standby %v after the owner had ended", time.Since(stopped).Round(time.Millisecond))

	client := next.Client(t)
	up.complete(t, client, content[5<<20:])
	for _, key := range []string{"slow", "upload"} {
		out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s holds %d bytes: %v", key, len(got), err)
		}
		if _, err := client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	r.verify(next)
}

// waitRefused waits until a server takes no more connections.
func waitRefused(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("the server takes connections after SIGTERM")
}

// slowPut is a PUT of which half of the body is sent.
type slowPut struct {
	body *io.PipeWriter
	rest []byte
	done chan error
}

func beginPut(t *testing.T, s *harness.Server, key string, content []byte) *slowPut {
	t.Helper()
	signed, err := s3.NewPresignClient(s.Client(t)).PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	req, err := http.NewRequest(http.MethodPut, signed.URL, r)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(content))
	p := &slowPut{body: w, rest: content[len(content)/2:], done: make(chan error, 1)}
	go func() {
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
		}
		p.done <- err
	}()
	if _, err := w.Write(content[:len(content)/2]); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *slowPut) finish(t *testing.T) {
	t.Helper()
	_, _ = p.body.Write(p.rest) // the answer tells whether it arrived
	_ = p.body.Close()
	if err := <-p.done; err != nil {
		t.Errorf("the request under way: %v", err)
	}
}

// upload is a multipart upload with one part.
type upload struct {
	key, id *string
	first   types.CompletedPart
}

func beginUpload(t *testing.T, client *s3.Client, key string, part []byte) upload {
	t.Helper()
	up, err := client.CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	u := upload{key: &key, id: up.UploadId}
	u.first = u.part(t, client, 1, part)
	return u
}

func (u upload) part(t *testing.T, client *s3.Client, n int32, body []byte) types.CompletedPart {
	t.Helper()
	out, err := client.UploadPart(context.Background(), &s3.UploadPartInput{Bucket: aws.String("bucket"), Key: u.key, UploadId: u.id,
		PartNumber: &n, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: &n, ChecksumCRC32: out.ChecksumCRC32}
}

// complete sends the second part and completes the upload.
func (u upload) complete(t *testing.T, client *s3.Client, part []byte) {
	t.Helper()
	parts := []types.CompletedPart{u.first, u.part(t, client, 2, part)}
	if _, err := client.CompleteMultipartUpload(context.Background(), &s3.CompleteMultipartUploadInput{Bucket: aws.String("bucket"), Key: u.key, UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
}
