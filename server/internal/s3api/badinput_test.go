package s3api_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/server/servertest"
)

func TestRefusedCredentials(t *testing.T) {
	s := newScene(t, servertest.Options{})
	now := time.Now()
	for _, c := range []struct {
		what   string
		status int
		code   string
		change func(*http.Request)
	}{
		{"anonymous", 403, "AccessDenied", func(r *http.Request) {}},
		{"20 minutes early", 403, "RequestTimeTooSkewed", func(r *http.Request) { s.sign(r, "x", now.Add(-20*time.Minute)) }},
		{"20 minutes late", 403, "RequestTimeTooSkewed", func(r *http.Request) { s.sign(r, "x", now.Add(20*time.Minute)) }},
		{"wrong signature", 403, "SignatureDoesNotMatch", func(r *http.Request) {
			s.sign(r, "x", now)
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-8]+"00000000")
		}},
		{"unknown key", 403, "InvalidAccessKeyId", func(r *http.Request) {
			s.sign(r, "x", now)
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), servertest.AccessKey, "NOBODY", 1))
		}},
		{"changed body", 400, "XAmzContentSHA256Mismatch", func(r *http.Request) { s.sign(r, "y", now) }},
		{"changed header", 403, "", func(r *http.Request) { s.sign(r, "x", now); r.Header.Set("X-Amz-Meta-A", "b") }},
		{"unknown scheme", 400, "InvalidArgument", func(r *http.Request) { r.Header.Set("Authorization", "Basic YTpi") }},
		{"malformed", 400, "", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 nonsense") }},
	} {
		req := s.request("PUT", path("k"), "x")
		c.change(req)
		a := s.send(req)
		if c.code == "" {
			c.code = a.code()
		}
		s.want(c.what, a, c.status, c.code)
		if strings.Contains(a.body, servertest.SecretKey) {
			t.Errorf("%s: the answer shows the secret", c.what)
		}
	}
	s.want("nothing was stored", s.do("HEAD", path("k"), ""), 404, "")
	a := s.send(s.request("GET", "/", ""))
	s.want("anonymous listing of buckets", a, 403, "AccessDenied")
}

func TestBadChunkFraming(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct{ what, body, decoded string }{
		{"no framing", "hello", "5"},
		{"bad size", "zz\r\nhello\r\n0\r\n\r\n", "5"},
		{"short", "5\r\nhel", "5"},
		{"no end", "5\r\nhello\r\n", "5"},
		{"wrong length", "5\r\nhello\r\n0\r\n\r\n", "6"},
		{"huge size", "ffffffffffffffffff\r\nhello", "5"},
		{"long line", strings.Repeat("0", 100000) + "\r\n", "5"},
		{"bad length", "5\r\nhello\r\n0\r\n\r\n", "x"},
		{"no length", "5\r\nhello\r\n0\r\n\r\n", ""},
		{"wrong trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5"},
		{"other trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAAAA==\r\n\r\n", "5"},
		{"no trailer", "5\r\nhello\r\n0\r\n\r\n", "5"},
	} {
		headers := []string{"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding: aws-chunked", "X-Amz-Trailer: x-amz-checksum-crc32"}
		if c.decoded != "" {
			headers = append(headers, "X-Amz-Decoded-Content-Length: "+c.decoded)
		}
		a := s.do("PUT", path("k"), c.body, headers...)
		if a.status < 400 || a.status >= 500 || a.code() == "" {
			t.Errorf("%s: %d %s", c.what, a.status, a.body)
		}
	}
	s.want("nothing was stored", s.do("HEAD", path("k"), ""), 404, "")
	a := s.do("PUT", path("k"), "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"Content-Encoding: aws-chunked", "X-Amz-Trailer: x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length: 5")
	s.want("right framing", a, 200, "")
	h := s.do("HEAD", path("k"), "")
	if h.header.Get("Content-Encoding") != "" {
		t.Error("aws-chunked is kept as the object's encoding")
	}
}

func TestRefusedHeaders(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct {
		header string
		status int
		code   string
	}{
		{"X-Amz-Storage-Class: COLD", 400, "InvalidStorageClass"},
		{"X-Amz-Acl: public-read", 400, "AccessControlListNotSupported"},
		{"X-Amz-Acl: nonsense", 400, "InvalidArgument"},
		{"X-Amz-Acl: private", 200, ""},
		{"X-Amz-Grant-Read: id=a", 400, "AccessControlListNotSupported"},
		{"X-Amz-Server-Side-Encryption: aws:kms:dsse", 501, "NotImplemented"},
		{"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256", 400, "InvalidArgument"},
		{"X-Amz-Tagging: a=b&a=c", 400, "InvalidArgument"},
		{"X-Amz-Object-Lock-Mode: COMPLIANCE", 400, "InvalidArgument"},
		{"X-Amz-Write-Offset-Bytes: x", 400, "InvalidArgument"},
		{"X-Amz-Website-Redirect-Location: nowhere", 400, "InvalidRedirectLocation"},
		{"X-Amz-Meta-Long: " + strings.Repeat("x", 2049), 400, "MetadataTooLarge"},
		{"X-Filler: " + strings.Repeat("x", 40<<10), 400, "RequestHeaderSectionTooLarge"},
	} {
		s.want(fmt.Sprintf("%.60s", c.header), s.do("PUT", path("k"), "x", c.header), c.status, c.code)
	}
	if got := s.wire("GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + strings.Repeat("x", 100<<10) + "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "<Code>RequestHeaderSectionTooLarge<") {
		t.Errorf("%.100q", got)
	}
}

func TestBadRequestLines(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, r := range []string{
		"GET /bucket/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /bucket/k HTTP/1.1\r\n\r\n",
		"GET /bucket/k HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
		"PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"nonsense\r\n\r\n",
	} {
		if got := s.wire(r); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q: %.100q", r, got)
		}
	}
	for _, c := range []struct{ request, want string }{
		{"GET /bucket?prefix=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "<Code>InvalidURI</Code>"},
		{"GET /bucket/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "<Code>AccessDenied</Code>"},
		{"HEAD /bucket/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 403 "},
		{"BREW /bucket/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "<Code>MethodNotAllowed</Code>"},
		{"PUT /bucket/k?policy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "<Code>MethodNotAllowed</Code>"},
		{"OPTIONS /bucket/k HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n", "CORS is not enabled"},
	} {
		if got := s.wire(c.request); !strings.Contains(got, c.want) {
			t.Errorf("%q: %q", c.request, got)
		}
	}
}

// TestRefusedBeforeTheBody sends headers with Expect: 100-continue and no body: the refusal must come at once, and
// without "100 Continue".
func TestRefusedBeforeTheBody(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("there", "x")
	for _, c := range []struct{ what, target, extra, want string }{
		{"anonymous", path("k"), "", "403 Forbidden"},
		{"no bucket", "/nobucket/k", "", "404 Not Found"},
		{"condition", path("there"), "If-None-Match: *", "412 Precondition Failed"},
		{"too large", path("k"), "Content-Length: 6000000000", "400 Bad Request"},
		{"no upload", path("k") + "?partNumber=1&uploadId=none", "", "404 Not Found"},
		{"bad class", path("k"), "X-Amz-Storage-Class: COLD", "400 Bad Request"},
	} {
		headers := []string{"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD", "Expect: 100-continue"}
		length := int64(10)
		if name, value, ok := strings.Cut(c.extra, ": "); ok && name == "Content-Length" {
			_, _ = fmt.Sscan(value, &length)
		} else if c.extra != "" {
			headers = append(headers, c.extra)
		}
		req := s.request("PUT", c.target, "", headers...)
		req.ContentLength = length
		if c.what != "anonymous" {
			s.sign(req, "", time.Now())
		}
		var b strings.Builder
		fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", c.target, s.Addr, length)
		_ = req.Header.Write(&b)
		if got := s.wire(b.String() + "\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+c.want) {
			t.Errorf("%s: %.300q", c.what, got)
		}
	}
}

// TestExpectWithAnEmptyBody: botocore expects "100 Continue" before an empty body too, and loses the connection's next
// answer when it gets a final one at once and the connection stays.
func TestExpectWithAnEmptyBody(t *testing.T) {
	s := newScene(t, servertest.Options{})
	send := func(headers ...string) string {
		req := s.request("PUT", path("k"), "", append(headers, "Expect: 100-continue")...)
		s.sign(req, "", time.Now())
		var b strings.Builder
		fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n", path("k"), s.Addr)
		_ = req.Header.Write(&b)
		return s.wire(b.String() + "\r\n")
	}
	got := send("Connection: close")
	if !strings.HasPrefix(got, "HTTP/1.1 100 Continue\r\n") || !strings.Contains(got, "\r\n\r\nHTTP/1.1 200 OK\r\n") {
		t.Errorf("put: %q", got)
	}
	if got := send("X-Amz-Storage-Class: COLD"); !strings.Contains(got, "HTTP/1.1 400 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("refused: %q", got)
	}
}

// TestEveryOperationOfTheTableAnswers asks for each operation: what is not served is NotImplemented, and nothing fails
// with an internal error.
func TestEveryOperationOfTheTableAnswers(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x")
	for _, o := range operations() {
		target := map[string]string{"service": "/", "bucket": "/bucket", "object": "/bucket/k"}[o.Scope]
		if len(o.Query) > 0 {
			target += "?" + strings.Join(o.Query, "&")
		}
		var headers []string
		if o.Header != "" {
			headers = append(headers, o.Header+": x")
		}
		if o.Name == "DeleteBucket" || o.Name == "DeleteObject" {
			continue
		}
		a := s.do(o.Method, target, "", headers...)
		if (a.code() == "NotImplemented") == o.Served {
			t.Errorf("%s: %d %s, served: %v", o.Name, a.status, a.code(), o.Served)
		}
		if !o.Served && !strings.Contains(a.body, o.Name) {
			t.Errorf("%s: the answer does not name it: %s", o.Name, a.body)
		}
	}
}

// TestOtherServices: who takes the endpoint for one of IAM, STS or SNS is told so.
func TestOtherServices(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("IAM", s.do("POST", "/", "Action=ListUsers&Version=2010-05-08", "Content-Type: application/x-www-form-urlencoded; charset=utf-8"), 501, "NotImplemented")
	s.want("JSON", s.do("POST", "/", "{}", "X-Amz-Target: SNS.ListTopics"), 501, "NotImplemented")
	s.want("neither", s.do("POST", "/", "x"), 405, "MethodNotAllowed")
}

func TestShortBody(t *testing.T) {
	s := newScene(t, servertest.Options{})
	req := s.request("PUT", path("k"), "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	req.ContentLength = 100
	s.sign(req, "", time.Now())
	var b strings.Builder
	fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n", path("k"), s.Addr)
	_ = req.Header.Write(&b)
	s.half(b.String() + "\r\nhalf")
	s.want("nothing was stored", s.do("HEAD", path("k"), ""), 404, "")
	s.want("missing length", s.noLength(), 411, "MissingContentLength")
}

// TestV2SignsABucketWithASlash: botocore sends "/bucket" and signs "/bucket/"; s3cmd sends and signs "/bucket/".
func TestV2SignsABucketWithASlash(t *testing.T) {
	s := newScene(t, servertest.Options{})
	date := time.Now().UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		sent, signed string
		status       int
	}{{"/bucket", "/bucket", 200}, {"/bucket", "/bucket/", 200}, {"/bucket/", "/bucket/", 200}, {"/bucket", "/other/", 403}, {"/bucket/k", "/bucket/k/", 403}} {
		mac := hmac.New(sha1.New, []byte(servertest.SecretKey))
		fmt.Fprintf(mac, "GET\n\n\n%s\n%s", date, c.signed)
		a := s.send(s.request("GET", c.sent, "", "Date: "+date,
			"Authorization: AWS "+servertest.AccessKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil))))
		if a.status != c.status {
			t.Errorf("sent %s, signed %s: %d %s", c.sent, c.signed, a.status, a.body)
		}
	}
}
