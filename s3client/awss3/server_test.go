package awss3_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/crc64nvme"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/clienttest"
	"pail/s3client/limit"
	"pail/s3client/retry"
	"pail/server/servertest"
)

// contract runs the suite on pail's own server, with a bucket for each of its tests.
func contract(t *testing.T, server servertest.Options, change func(*awss3.Options)) {
	srv := servertest.New(t, server)
	buckets := 0
	clienttest.Run(t, func(t *testing.T) s3client.Client {
		buckets++
		opt := awss3.Options{
			Bucket: fmt.Sprintf("bucket-%d", buckets), Endpoint: srv.URL,
			Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, ""), HTTP: awss3.HTTPOptions{CABundle: srv.CAFile},
		}
		change(&opt)
		return newClient(t, opt)
	})
}

// newClient makes the bucket, and a client of it that the test's end closes.
func newClient(t *testing.T, opt awss3.Options) *awss3.Client {
	t.Helper()
	createBucket(t, opt)
	c, err := awss3.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// createBucket makes the bucket by an object request without a key, which is what the operation looks like.
func createBucket(t *testing.T, opt awss3.Options) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, opt.Endpoint+"/"+opt.Bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := awss3.SignAndSend(req, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("creating the bucket: %s", resp.Status)
	}
}

func TestContractOnServer(t *testing.T) {
	contract(t, servertest.Options{}, func(*awss3.Options) {})
}

func TestContractOnServerOverTLS(t *testing.T) {
	contract(t, servertest.Options{TLS: true}, func(*awss3.Options) {})
}

func TestContractOnServerVariants(t *testing.T) {
	variants := map[string]func(*awss3.Options){
		"version 1 of List": func(o *awss3.Options) { o.ListV1 = true },
		"signature 2":       func(o *awss3.Options) { o.SigV2 = true },
		"signed and MD5":    func(o *awss3.Options) { o.SignedPayload, o.ContentMD5 = true, true },
		"unsigned, no sums": func(o *awss3.Options) { o.UnsignedPayload, o.NoChecksum = true, true },
	}
	for name, change := range variants {
		t.Run(name, func(t *testing.T) { contract(t, servertest.Options{}, change) })
	}
}

// The whole stack as a mount has it, with connections that break: every third request is lost on the way back.
func TestContractOfTheStackOverBadConnections(t *testing.T) {
	var n atomic.Int64
	lossy := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("User-Agent") != "lossy" || n.Add(1)%3 != 0 {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
	srv := servertest.New(t, servertest.Options{Wrap: lossy})
	opt := awss3.Options{Bucket: "bucket", Endpoint: srv.URL, UserAgent: "lossy", Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")}
	createBucket(t, opt)
	plain, err := awss3.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c := retry.New(limit.New(plain, 4, 4), retry.Options{Attempts: 10, Base: time.Millisecond, Max: time.Millisecond})
	for i := range 20 {
		key := fmt.Sprintf("k%d", i)
		meta := s3client.Meta{"mtime": "1700000000.123456789"}
		info, err := c.Put(t.Context(), key, strings.NewReader(key), s3client.PutOptions{IfNoneMatch: true, Meta: meta})
		if err != nil {
			t.Fatalf("Put: %v", err)
		}
		if _, err := c.Put(t.Context(), key, strings.NewReader("again"), s3client.PutOptions{IfNoneMatch: true}); !errors.Is(err, s3client.ErrPrecondition) {
			t.Errorf("second creation: %v", err)
		}
		if err := c.Rename(t.Context(), key+"-moved", key, s3client.RenameOptions{SrcIfMatch: info.ETag}); err != nil {
			t.Errorf("Rename: %v", err)
		}
		if got, err := c.Head(t.Context(), key+"-moved"); err != nil || got.ETag != info.ETag {
			t.Errorf("Head: %+v, error %v", got, err)
		}
	}
}

// TestCompletionWithMetadataKeepsTheRest: storage class and encryption are those that the upload was begun with.
func TestCompletionWithMetadataKeepsTheRest(t *testing.T) {
	for name, encryption := range map[string]awss3.Encryption{
		"customer key": {CustomerKeys: [][]byte{bytes.Repeat([]byte{1}, 32)}}, "S3": {SSES3: true}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			srv := servertest.New(t, servertest.Options{TLS: true})
			c := newClient(t, awss3.Options{
				Bucket: "bucket", Endpoint: srv.URL, StorageClass: "STANDARD_IA", Encryption: encryption,
				Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, ""), HTTP: awss3.HTTPOptions{CABundle: srv.CAFile},
			})
			u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{Meta: s3client.Meta{"old": "1"}})
			if err != nil {
				t.Fatal(err)
			}
			part, err := u.Part(t.Context(), 1, strings.NewReader("content"))
			if err != nil {
				t.Fatal(err)
			}
			as := s3client.PutOptions{Meta: s3client.Meta{"new": "2"}, System: s3client.System{ContentType: "text/new", ContentEncoding: "gzip"}, IfNoneMatch: true}
			if _, err := u.Complete(t.Context(), []s3client.Part{part}, &as); err != nil {
				t.Fatal(err)
			}
			got, err := c.Head(t.Context(), "k")
			if err != nil || got.StorageClass != "STANDARD_IA" || got.System != as.System || !maps.Equal(got.Meta, as.Meta) {
				t.Errorf("Head returned %+v, %v", got, err)
			}
		})
	}
}

// known is a body that knows its checksum.
type known struct {
	*strings.Reader
	sum  string
	read int
}

func (k *known) Checksum() string { return k.sum }

func (k *known) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	k.read += n
	return n, err
}

// WriteTo hides that of the reader, which would not count.
func (k *known) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{k}) }

// TestBodyThatKnowsItsChecksumIsReadOnce, and the service holds it against what arrives.
func TestBodyThatKnowsItsChecksumIsReadOnce(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	c := newClient(t, awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")})
	u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("content", 100_000)
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum([]byte(text))))
	body := &known{Reader: strings.NewReader(text), sum: sum}
	part, err := u.Part(t.Context(), 1, body)
	if err != nil || part.Checksum != sum {
		t.Fatalf("the part is %+v, %v", part, err)
	}
	if body.read != len(text) {
		t.Errorf("%d bytes were read of %d", body.read, len(text))
	}
	wrong := &known{Reader: strings.NewReader(text + "x"), sum: sum}
	if _, err := u.Part(t.Context(), 2, wrong); !errors.Is(err, s3client.ErrIntegrity) {
		t.Errorf("a body with another checksum: %v", err)
	}
	if _, err := u.Complete(t.Context(), []s3client.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
}
