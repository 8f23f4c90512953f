package sigauth

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/internal/s3err"
)

// sign signs a request with the SDK's signer and passes it over the wire format.
func sign(t testing.TB, r *http.Request, key, secret, token, payloadHash string, at time.Time) *http.Request {
	t.Helper()
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token},
		r, payloadHash, "s3", "us-east-1", at, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		t.Fatal(err)
	}
	return overWire(t, r)
}

func overWire(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	out, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newRequest(t testing.TB, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAgreesWithSDKSigner(t *testing.T) {
	now := time.Now().UTC()
	for _, url := range []string{
		"http://h/", "http://h", "http://h/b/k", "http://h:8000/b/a//b/../c/./d//", "http://h/b/sp%20ace+plus%2Bmore", "http://h/b/%E6%97%A5%E6%9C%AC",
		"http://h/b/$file!*'()@:,;=&", "http://h/b/%24%21%2A%27%28%29%40%3A%2C%3B%3D%26", "http://h/b/a%2Fb%25c%00d", "http://h/b/~_-.",
		"http://h/b?prefix=a%20b%2Bc&delimiter=%2F&max-keys=3&list-type=2", "http://h/b?uploads", "http://h/b?uploads=", "http://h/b?x=2&x=1&X=3&x-y=0",
		"http://h/b?prefix=%E6%97%A5~%21%27%28%29%2A;x", "http://h/b?a=b=c&&d",
	} {
		for _, cred := range []Credential{
			{AccessKey: exampleKey, SecretKey: exampleSecret},
			{AccessKey: "a/slash", SecretKey: "secret"},
			{AccessKey: "ASIATEMP", SecretKey: "temporary", SessionToken: "the-token"},
		} {
			r := newRequest(t, http.MethodGet, url)
			r.Header.Set("X-Amz-Meta-Spaces", "  a   b  c ")
			r.Header.Add("X-Amz-Meta-Two", "1")
			r.Header.Add("X-Amz-Meta-Two", "2")
			r.Header.Set("X-Amz-Meta-Utf8", "naïve")
			in := sign(t, r, cred.AccessKey, cred.SecretKey, cred.SessionToken, emptySHA256, now)
			id, _, err := verifierAt(now).Authenticate(in)
			if err != nil || id.AccessKey != cred.AccessKey || id.SessionToken != "" {
				t.Errorf("%s by %s: %v, %v", url, cred.AccessKey, id.AccessKey, err)
			}
		}
		out, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: "ASIATEMP", SecretAccessKey: "temporary",
			SessionToken: "the-token"}, withExpires(newRequest(t, http.MethodGet, url)), unsignedPayload, "s3", "us-east-1", now,
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := verifierAt(now.Add(time.Hour)).Authenticate(overWire(t, newRequest(t, http.MethodGet, out)))
		if err != nil || id.Signature != V4Presigned {
			t.Errorf("presigned %s: %v", out, err)
		}
		_, _, err = verifierAt(now.Add(time.Hour)).Authenticate(overWire(t, newRequest(t, http.MethodHead, out)))
		wantCode(t, err, s3err.SignatureDoesNotMatch)
	}
}

func withExpires(r *http.Request) *http.Request {
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += "X-Amz-Expires=7200"
	return r
}

// recorder is a server that authenticates, reads and verifies every request, and says what it found.
type recorder struct {
	verifier *Verifier

	mu    sync.Mutex
	id    Identity
	algo  string
	body  []byte
	chunk bool
	err   error
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.algo, s.body, s.chunk, s.id = "", nil, false, Identity{}
	s.err = s.serve(r)
	var e *s3err.Error
	if errors.As(s.err, &e) {
		w.WriteHeader(e.Status)
		_, _ = w.Write(e.AppendXML(nil, s3err.Context{}))
	}
}

func (s *recorder) serve(r *http.Request) error {
	id, p, err := s.verifier.Authenticate(r)
	if err != nil {
		return err
	}
	expect, err := NewExpect(r.Header, p)
	if err != nil {
		return err
	}
	body, err := p.Body(r)
	if err != nil {
		return err
	}
	if s.body, err = io.ReadAll(body); err != nil {
		return err
	}
	s.id, s.algo, s.chunk = id, string(expect.Algorithm()), p.Chunked()
	return expect.Verify(md5Of(s.body), sumOf(expect.Algorithm(), s.body))
}

func sdkClient(t *testing.T, tls bool) (*s3.Client, *recorder) {
	t.Helper()
	rec := &recorder{verifier: New(Options{Keys: exampleKeys(), Region: "us-east-1"})}
	srv := httptest.NewUnstartedServer(rec)
	if tls {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(srv.URL), UsePathStyle: true, HTTPClient: srv.Client(), RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIATEMP", SecretAccessKey: "temporary", SessionToken: "the-token"}, nil
		}),
	}), rec
}

// unseekable hides that a body can be rewound: the SDK then cannot hash it before sending.
type unseekable struct{ io.Reader }

func TestSDKUploads(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for _, tls := range []bool{false, true} {
		client, rec := sdkClient(t, tls)
		for _, algo := range append(types.ChecksumAlgorithm("").Values(), "") {
			switch algo {
			case "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "":
			default:
				continue // algorithms that are newer than pail's five
			}
			for _, n := range []int{0, 1, 8191, 8192, len(data)} {
				in := &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("a b/+$"), Body: bytes.NewReader(data[:n]),
					ChecksumAlgorithm: algo, Metadata: map[string]string{"x": "y  z"}}
				if _, err := client.PutObject(t.Context(), in); err != nil {
					t.Errorf("tls %v %q %d bytes: %v", tls, algo, n, err)
				}
				if rec.err != nil || !bytes.Equal(rec.body, data[:n]) || rec.id.AccessKey != "ASIATEMP" || rec.algo == "" {
					t.Errorf("tls %v %q %d bytes: algorithm %q, %d bytes, %v", tls, algo, n, rec.algo, len(rec.body), rec.err)
				}
				if tls && n > 0 && !rec.chunk {
					t.Error("the SDK sent no chunked body: the test is void")
				}
			}
		}
	}
}

func TestSDKUnseekableBody(t *testing.T) {
	client, rec := sdkClient(t, true)
	data := strings.Repeat("x", 100_000)
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"),
		Body: unseekable{strings.NewReader(data)}, ContentLength: aws.Int64(int64(len(data)))})
	if err != nil || string(rec.body) != data || !rec.chunk {
		t.Errorf("%d bytes, %v", len(rec.body), err)
	}
}

func TestSDKOtherRequests(t *testing.T) {
	client, rec := sdkClient(t, false)
	if _, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: aws.String("a +/é&=?#~*'()!")}); err == nil {
		t.Log("the empty answer was understood")
	}
	if rec.err != nil || rec.id.AccessKey != "ASIATEMP" {
		t.Errorf("list: %v", rec.err)
	}
	_, _ = client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("b"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("x")}}}})
	if rec.err != nil || rec.algo == "" {
		t.Errorf("delete: algorithm %q, %v", rec.algo, rec.err)
	}
	presigned, err := s3.NewPresignClient(client).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("é +k"),
		ContentType: aws.String("text/x")})
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, presigned.Method, presigned.URL)
	r.Header = presigned.SignedHeader
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), 5
	if _, err := http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	if rec.err != nil || string(rec.body) != "hello" || rec.id.Signature != V4Presigned {
		t.Errorf("presigned put: %q, %v", rec.body, rec.err)
	}
}

func TestSDKSeesTheError(t *testing.T) {
	client, _ := sdkClient(t, false)
	_, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{}, func(o *s3.Options) { o.Region = "eu-west-1" })
	if err == nil || !strings.Contains(err.Error(), "AuthorizationHeaderMalformed") || !strings.Contains(err.Error(), "us-east-1") {
		t.Errorf("wrong region: %v", err)
	}
}
