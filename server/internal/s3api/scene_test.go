package s3api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"pail/server/servertest"
)

var ctx = context.Background()

const bucket = "bucket"

// scene is a server with one bucket, an SDK client in its default configuration, and a way to send raw requests.
type scene struct {
	*servertest.Server
	*testing.T
	s3   *s3.Client
	http *http.Client
}

func newScene(t *testing.T, opt servertest.Options) *scene {
	t.Helper()
	s := &scene{Server: servertest.New(t, opt), T: t}
	s.connect()
	if _, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return s
}

// connect makes the clients.
func (s *scene) connect() {
	s.http = s.HTTPClient()
	s.Cleanup(s.http.CloseIdleConnections)
	s.s3 = s3.New(s3.Options{BaseEndpoint: aws.String(s.URL), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(credentials), HTTPClient: s.http})
}

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: servertest.AccessKey, SecretAccessKey: servertest.SecretKey}, nil
}

// answer is the answer to a raw request.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the S3 error code in the body, "" for none.
func (a answer) code() string {
	var e struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if xml.Unmarshal([]byte(a.body), &e) != nil {
		return ""
	}
	return e.Code
}

// element is the text of the first element of that name.
func (a answer) element(name string) string {
	_, rest, ok := strings.Cut(a.body, "<"+name+">")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "</"+name+">")
	return text
}

// request makes a request for a raw (already escaped) target; headers are "Name: value".
func (s *scene) request(method, target, body string, headers ...string) *http.Request {
	s.Helper()
	req, err := http.NewRequest(method, s.URL+target, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return req
}

// sign signs with Signature V4 in the header.
func (s *scene) sign(req *http.Request, body string, at time.Time) {
	s.Helper()
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if h := req.Header.Get("X-Amz-Content-Sha256"); h != "" {
		hash = h
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	c, _ := credentials(ctx)
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(ctx, c, req, hash, "s3", "us-east-1", at)
	if err != nil {
		s.Fatal(err)
	}
}

// do sends a signed request.
func (s *scene) do(method, target, body string, headers ...string) answer {
	s.Helper()
	req := s.request(method, target, body, headers...)
	s.sign(req, body, time.Now())
	return s.send(req)
}

func (s *scene) send(req *http.Request) answer {
	s.Helper()
	resp, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	if resp.StatusCode >= 500 && resp.StatusCode != 501 {
		s.Errorf("%s %s: status %d: %s", req.Method, req.URL, resp.StatusCode, b)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// wire sends bytes as they are and gives everything that comes back until the server closes or falls silent.
func (s *scene) wire(request string) string {
	s.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		s.Logf("writing: %v", err)
	}
	var b bytes.Buffer
	_, _ = io.Copy(&b, conn)
	return b.String()
}

func (s *scene) put(key, body string, opts ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	s.Helper()
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(body)}
	for _, o := range opts {
		o(in)
	}
	out, err := s.s3.PutObject(ctx, in)
	if err != nil {
		s.Fatalf("put %q: %v", key, err)
	}
	return out
}

func (s *scene) get(key string) string {
	s.Helper()
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), ChecksumMode: "ENABLED"})
	if err != nil {
		s.Fatalf("get %q: %v", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		s.Fatalf("get %q: %v", key, err)
	}
	return string(b)
}

// want checks status and code ("" for no error) of an answer.
func (s *scene) want(what string, a answer, status int, code string) {
	s.Helper()
	if a.status != status || a.code() != code {
		s.Errorf("%s: %d %s, want %d %s\n%s", what, a.status, a.code(), status, code, a.body)
	}
	if id := a.header.Get("X-Amz-Request-Id"); id == "" || a.header.Get("Server") != "pail" || a.header.Get("X-Amz-Id-2") == "" {
		s.Errorf("%s: headers of every answer are missing: %v", what, a.header)
	} else if code != "" && a.element("RequestId") != id {
		s.Errorf("%s: request id %s in the header, %s in the body", what, id, a.element("RequestId"))
	}
}

// apiCode is the S3 error code of an SDK error.
func apiCode(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return ""
}

// path is the escaped target of a key.
func path(key string) string {
	var b strings.Builder
	b.WriteString("/" + bucket + "/")
	for i := range len(key) {
		if key[i] == '/' {
			b.WriteByte('/')
			continue
		}
		b.WriteString(strings.ReplaceAll(url.QueryEscape(key[i:i+1]), "+", "%20"))
	}
	return b.String()
}
