package awss3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pail/s3client"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// newStub starts a server that checks the signature of each request and hands it to serve; the client is path-style.
func newStub(t testing.TB, serve http.HandlerFunc, change ...func(*Options)) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
			if err := checkV4(r); err != nil {
				t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
			}
		}
		w.Header().Set("ETag", `"stub"`) // as S3 does; serve may set another one
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "0")
		}
		serve(w, r)
	}))
	t.Cleanup(srv.Close)
	return newTestClient(t, srv.URL, change...)
}

// newPlainStub checks nothing, and returns the endpoint.
func newPlainStub(t testing.TB, serve http.HandlerFunc) string {
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	return srv.URL
}

func newTestClient(t testing.TB, endpoint string, change ...func(*Options)) *Client {
	t.Helper()
	opt := Options{Bucket: "bucket", Endpoint: endpoint, PathStyle: true, Credentials: Static(testKey, testSecret, "")}
	for _, f := range change {
		f(&opt)
	}
	c, err := New(opt)
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

// checkV4 computes the signature anew, from what came over the wire and not from what the client meant.
func checkV4(r *http.Request) error {
	auth := r.Header.Get("Authorization")
	field := func(name string) string {
		_, rest, _ := strings.Cut(auth, name+"=")
		value, _, _ := strings.Cut(rest, ",")
		return value
	}
	scope := strings.SplitN(field("Credential"), "/", 2)[1]
	path, query, _ := strings.Cut(r.RequestURI, "?")
	params := strings.Split(query, "&")
	slices.Sort(params)
	var headers strings.Builder
	for name := range strings.SplitSeq(field("SignedHeaders"), ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, path, strings.Join(params, "&"), headers.String(), field("SignedHeaders"), r.Header.Get("X-Amz-Content-Sha256"),
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + testSecret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	if want := hex.EncodeToString(hmacSHA256(key, toSign)); want != field("Signature") {
		return errors.New("signature does not match the canonical request:\n" + canonical)
	}
	if r.Header.Get("X-Amz-Content-Sha256") == "" {
		return errors.New("x-amz-content-sha256 is missing")
	}
	return nil
}

func hmacSHA256(key []byte, s string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(s))
	return mac.Sum(nil)
}

// keyOf decodes the key of a path-style request.
func keyOf(t testing.TB, r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	key, err := url.PathUnescape(strings.TrimPrefix(path, "/bucket/"))
	if err != nil {
		t.Error(err)
	}
	return key
}

func errorXML(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "REQ1")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+message+
		"</Message><Resource>/x</Resource><RequestId>REQ2</RequestId></Error>")
}

func wantErr(t testing.TB, err, want error) *s3client.Error {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	var e *s3client.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is a %T", err)
	}
	return e
}

func put(ctx context.Context, c *Client, key, content string) error {
	_, err := c.Put(ctx, key, strings.NewReader(content), s3client.PutOptions{})
	return err
}
