package s3api_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/internal/checksum"
	"pail/server/servertest"
)

func TestObjectRoundTrip(t *testing.T) {
	for _, https := range []bool{false, true} {
		s := newScene(t, servertest.Options{TLS: https})
		for _, size := range []int{0, 1, 4096, 64 << 10, 64<<10 + 1, 3 << 20} {
			b := make([]byte, size)
			rand.New(rand.NewSource(int64(size))).Read(b)
			out, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: bytes.NewReader(b)})
			if err != nil {
				t.Fatal(err)
			}
			sum := md5.Sum(b)
			if want := `"` + hex.EncodeToString(sum[:]) + `"`; aws.ToString(out.ETag) != want {
				t.Errorf("ETag %s, want %s", aws.ToString(out.ETag), want)
			}
			if got := s.get("k"); got != string(b) {
				t.Errorf("%d bytes came back as %d others", size, len(got))
			}
		}
	}
}

func TestObjectAttributesComeBack(t *testing.T) {
	s := newScene(t, servertest.Options{})
	a := s.do("PUT", path("k"), "x", "Content-Type: text/plain", "Cache-Control: no-cache", "Content-Disposition: attachment",
		"Content-Encoding: gzip", "Content-Language: de", "Expires: Wed, 21 Oct 2015 07:28:00 GMT", "X-Amz-Storage-Class: STANDARD_IA",
		"X-Amz-Website-Redirect-Location: /other", "X-Amz-Meta-Mode: 33188", "X-Amz-Meta-Empty: ", "X-Amz-Meta-Two: a", "X-Amz-Meta-Two: b",
		"X-Amz-Meta-Utf: Grüße")
	s.want("put", a, 200, "")
	for _, method := range []string{"GET", "HEAD"} {
		a := s.do(method, path("k"), "")
		for name, want := range map[string]string{"Content-Type": "text/plain", "Cache-Control": "no-cache", "Content-Disposition": "attachment",
			"Content-Encoding": "gzip", "Content-Language": "de", "Expires": "Wed, 21 Oct 2015 07:28:00 GMT", "X-Amz-Storage-Class": "STANDARD_IA",
			"X-Amz-Website-Redirect-Location": "/other", "X-Amz-Meta-Mode": "33188", "X-Amz-Meta-Empty": "", "X-Amz-Meta-Two": "a,b",
			"X-Amz-Meta-Utf": "=?UTF-8?B?R3LDvMOfZQ==?=", "Content-Length": "1", "Accept-Ranges": "bytes"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
		if _, err := http.ParseTime(a.header.Get("Last-Modified")); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	s.put("plain", "x")
	a = s.do("HEAD", path("plain"), "")
	if a.header.Get("X-Amz-Storage-Class") != "" || a.header.Get("Cache-Control") != "" {
		t.Errorf("a plain object has %v", a.header)
	}
	a = s.do("GET", path("k")+"?response-content-type=a%2Fb&response-cache-control=c&response-expires=e&response-content-disposition=d&response-content-encoding=x&response-content-language=l", "")
	for name, want := range map[string]string{"Content-Type": "a/b", "Cache-Control": "c", "Expires": "e", "Content-Disposition": "d", "Content-Encoding": "x", "Content-Language": "l"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("override: %s is %q, want %q", name, got, want)
		}
	}
}

// TestMetadataNamesAreLowerCaseOnTheWire: Python's clients show names as they came.
func TestMetadataNamesAreLowerCaseOnTheWire(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.do("PUT", path("k"), "x", "X-Amz-Meta-Mode: 1")
	req := s.request("GET", path("k"), "")
	s.sign(req, "", time.Now())
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", path("k"), s.Addr)
	_ = req.Header.Write(&b)
	if got := s.wire(b.String() + "\r\n"); !strings.Contains(got, "\r\nx-amz-meta-mode: 1\r\n") {
		t.Errorf("%s", got)
	}
}

func TestRanges(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "0123456789")
	s.put("empty", "")
	for _, c := range []struct {
		key, rng   string
		status     int
		body, code string
		contentR   string
	}{
		{"k", "bytes=2-4", 206, "234", "", "bytes 2-4/10"},
		{"k", "bytes=7-", 206, "789", "", "bytes 7-9/10"},
		{"k", "bytes=-2", 206, "89", "", "bytes 8-9/10"},
		{"k", "bytes=0-99", 206, "0123456789", "", "bytes 0-9/10"},
		{"k", "bytes=0-1,3-4", 200, "0123456789", "", ""},
		{"k", "nonsense", 200, "0123456789", "", ""},
		{"k", "bytes=10-", 416, "", "InvalidRange", "bytes */10"},
		{"k", "bytes=-0", 416, "", "InvalidRange", "bytes */10"},
		{"empty", "bytes=0-", 416, "", "InvalidRange", "bytes */0"},
		{"empty", "bytes=-1", 416, "", "InvalidRange", "bytes */0"},
	} {
		a := s.do("GET", path(c.key), "", "Range: "+c.rng)
		s.want(c.rng, a, c.status, c.code)
		if c.code == "" && a.body != c.body || a.header.Get("Content-Range") != c.contentR {
			t.Errorf("%s: %q, Content-Range %q", c.rng, a.body, a.header.Get("Content-Range"))
		}
		if c.code != "" && (a.element("RangeRequested") != c.rng || a.element("ActualObjectSize") == "") {
			t.Errorf("%s: fields are missing: %s", c.rng, a.body)
		}
		if h := s.do("HEAD", path(c.key), "", "Range: "+c.rng); h.status != c.status || h.body != "" {
			t.Errorf("HEAD %s: %d %q", c.rng, h.status, h.body)
		}
	}
	etag := s.do("HEAD", path("k"), "").header.Get("Etag")
	if a := s.do("GET", path("k"), "", "Range: bytes=0-1", "If-Range: "+etag); a.status != 206 {
		t.Errorf("If-Range that holds: %d", a.status)
	}
	if a := s.do("GET", path("k"), "", "Range: bytes=0-1", `If-Range: "other"`); a.status != 200 || len(a.body) != 10 {
		t.Errorf("If-Range of another version: %d", a.status)
	}
	a := s.do("GET", path("k")+"?partNumber=1", "", "Range: bytes=0-1")
	s.want("range and part", a, 400, "InvalidRequest")
	s.want("part 1", s.do("GET", path("k")+"?partNumber=1", ""), 206, "")
	s.want("part 2", s.do("GET", path("k")+"?partNumber=2", ""), 416, "InvalidPartNumber")
	s.want("part 0", s.do("GET", path("k")+"?partNumber=0", ""), 400, "InvalidArgument")
}

func TestConditionalReads(t *testing.T) {
	s := newScene(t, servertest.Options{})
	etag := aws.ToString(s.put("k", "x", func(in *s3.PutObjectInput) { in.CacheControl = aws.String("max-age=9") }).ETag)
	past, future := "Mon, 02 Jan 2006 15:04:05 GMT", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"If-Match: " + etag}, 200},
		{[]string{"If-Match: " + strings.Trim(etag, `"`)}, 200},
		{[]string{"If-Match: *"}, 200},
		{[]string{`If-Match: "other"`}, 412},
		{[]string{`If-Match: "other", ` + etag}, 200},
		{[]string{"If-None-Match: " + etag}, 304},
		{[]string{"If-None-Match: *"}, 304},
		{[]string{`If-None-Match: "other"`}, 200},
		{[]string{"If-Modified-Since: " + past}, 200},
		{[]string{"If-Modified-Since: " + future}, 304},
		{[]string{"If-Unmodified-Since: " + past}, 412},
		{[]string{"If-Unmodified-Since: " + future}, 200},
		{[]string{"If-Modified-Since: nonsense"}, 200},
		{[]string{"If-Match: " + etag, "If-Unmodified-Since: " + past}, 200},
		{[]string{`If-None-Match: "other"`, "If-Modified-Since: " + future}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.do(method, path("k"), "", c.headers...)
			if a.status != c.status {
				t.Errorf("%s %v: %d, want %d", method, c.headers, a.status, c.status)
			}
			if a.status == 304 && (a.body != "" || a.header.Get("Etag") != etag || a.header.Get("Last-Modified") == "" || a.header.Get("Cache-Control") != "max-age=9") {
				t.Errorf("%s %v: 304 with %q, %v", method, c.headers, a.body, a.header)
			}
		}
	}
	s.want("412", s.do("GET", path("k"), "", `If-Match: "other"`), 412, "PreconditionFailed")
}

func TestConditionalWrites(t *testing.T) {
	s := newScene(t, servertest.Options{})
	put := func(key, body string, headers ...string) answer { return s.do("PUT", path(key), body, headers...) }
	s.want("new, If-Match", put("k", "1", `If-Match: "x"`), 404, "NoSuchKey")
	s.want("new, none match", put("k", "1", "If-None-Match: *"), 200, "")
	s.want("old, none match", put("k", "2", "If-None-Match: *"), 412, "PreconditionFailed")
	s.want("none match of a tag", put("k", "2", `If-None-Match: "x"`), 501, "NotImplemented")
	s.want("wrong match", put("k", "2", `If-Match: "x"`), 412, "PreconditionFailed")
	etag := s.do("HEAD", path("k"), "").header.Get("Etag")
	s.want("right match", put("k", "2", "If-Match: "+etag), 200, "")
	s.want("old match", put("k", "3", "If-Match: "+etag), 412, "PreconditionFailed")
	if got := s.get("k"); got != "2" {
		t.Errorf("the object is %q", got)
	}
	s.want("delete, wrong", s.do("DELETE", path("k"), "", "If-Match: "+etag), 412, "PreconditionFailed")
	s.want("delete, wrong size", s.do("DELETE", path("k"), "", "X-Amz-If-Match-Size: 7"), 412, "PreconditionFailed")
	s.want("delete, bad size", s.do("DELETE", path("k"), "", "X-Amz-If-Match-Size: x"), 400, "InvalidArgument")
	s.want("delete, right size", s.do("DELETE", path("k"), "", "X-Amz-If-Match-Size: 1"), 204, "")
	s.want("delete again", s.do("DELETE", path("k"), ""), 204, "")
	s.want("gone", s.do("GET", path("k"), ""), 404, "NoSuchKey")
}

func TestChecksums(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, a := range types.ChecksumAlgorithm("").Values() {
		name := "X-Amz-Checksum-" + strings.ToLower(string(a))
		switch a {
		case "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512":
			s.put("k", "hello", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = a })
		default: // the SDK has no code for it
			s.want(string(a), s.do("PUT", path("k"), "hello", name+": "+sumOf(t, a, "hello")), 200, "")
		}
		if got := s.get("k"); got != "hello" {
			t.Errorf("%s: %q", a, got)
		}
		s.oneCompositePart(a)
		h := s.do("HEAD", path("k"), "", "X-Amz-Checksum-Mode: ENABLED").header
		if h.Get(name) == "" || h.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
			t.Errorf("%s: not kept: %v", a, h)
		}
		if v := s.do("GET", path("k"), "").header.Get(name); v != "" {
			t.Errorf("%s is shown to a client that did not ask", a)
		}
		if v := s.do("GET", path("k"), "", "X-Amz-Checksum-Mode: ENABLED", "Range: bytes=0-1").header.Get(name); v != "" {
			t.Errorf("%s of the object is shown with a range of it", a)
		}
		s.want("wrong "+string(a), s.do("PUT", path("bad"), "hello", name+": "+wrongSum(t, h.Get(name))), 400, "BadDigest")
		s.want("malformed "+string(a), s.do("PUT", path("bad"), "hello", name+": !!"), 400, "InvalidRequest")
	}
	s.want("plain put", s.do("PUT", path("plain"), "hello"), 200, "")
	if v := s.do("HEAD", path("plain"), "", "X-Amz-Checksum-Mode: ENABLED").header.Get("X-Amz-Checksum-Crc64nvme"); v == "" {
		t.Error("an object put without checksum has none")
	}
	sum := md5.Sum([]byte("hello"))
	good := base64.StdEncoding.EncodeToString(sum[:])
	s.want("MD5", s.do("PUT", path("m"), "hello", "Content-Md5: "+good), 200, "")
	s.want("wrong MD5", s.do("PUT", path("bad"), "hellO", "Content-Md5: "+good), 400, "BadDigest")
	s.want("malformed MD5", s.do("PUT", path("bad"), "hello", "Content-Md5: x"), 400, "InvalidDigest")
	s.want("two sums", s.do("PUT", path("bad"), "hello", "X-Amz-Checksum-Crc32: NhCmhg==", "X-Amz-Checksum-Crc32c: mnG7TA=="), 400, "InvalidRequest")
	s.want("announced only", s.do("PUT", path("bad"), "hello", "X-Amz-Sdk-Checksum-Algorithm: CRC32"), 400, "InvalidRequest")
	s.want("nothing bad was stored", s.do("HEAD", path("bad"), ""), 404, "")
}

func sumOf(t *testing.T, a types.ChecksumAlgorithm, body string) string {
	algorithm, ok := checksum.Parse(string(a))
	if !ok {
		t.Fatalf("%s is not known", a)
	}
	h := algorithm.New()
	h.Write([]byte(body))
	return checksum.Sum{Algorithm: algorithm, Value: h.Sum(nil)}.String()
}

// oneCompositePart makes an object of one part, whose checksum the client gives with part and completion.
func (s *scene) oneCompositePart(a types.ChecksumAlgorithm) {
	s.Helper()
	id := s.upload("parts", "X-Amz-Checksum-Algorithm: "+string(a))
	sum := sumOf(s.T, a, "hello")
	part := s.do("PUT", path("parts")+"?partNumber=1&uploadId="+id, "hello", "X-Amz-Checksum-"+string(a)+": "+sum)
	s.want("part with "+string(a), part, 200, "")
	element := fmt.Sprintf("<Checksum%s>%s</Checksum%s>", a, sum, a)
	done := s.do("POST", path("parts")+"?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+
		part.header.Get("Etag")+"</ETag>"+element+"</Part></CompleteMultipartUpload>")
	s.want("complete with "+string(a), done, 200, "")
	whole, kind := done.element("Checksum"+string(a)), done.element("ChecksumType")
	if kind == "COMPOSITE" && !strings.HasSuffix(whole, "-1") || kind == "FULL_OBJECT" && whole != sum || kind == "" {
		s.Errorf("%s: %s", a, done.body)
	}
}

func wrongSum(t *testing.T, v string) string {
	b, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	return base64.StdEncoding.EncodeToString(b)
}

func TestPresignedURLs(t *testing.T) {
	s := newScene(t, servertest.Options{TLS: true})
	p := s3.NewPresignClient(s.s3)
	put, err := p.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("a b/ü")})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("PUT", put.URL, strings.NewReader("hello"))
	s.want("presigned put", s.send(req), 200, "")
	get, err := p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a b/ü"), ResponseContentType: aws.String("x/y")})
	if err != nil {
		t.Fatal(err)
	}
	req, _ = http.NewRequest("GET", get.URL, nil)
	a := s.send(req)
	if a.body != "hello" || a.header.Get("Content-Type") != "x/y" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	req, _ = http.NewRequest("GET", strings.Replace(get.URL, "x%2Fy", "x%2Fz", 1), nil)
	s.want("changed URL", s.send(req), 403, "SignatureDoesNotMatch")
}

func TestDeleteObjects(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, k := range []string{"a", "b&<", "c"} {
		s.put(k, "x")
	}
	out, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a")}, {Key: aws.String("b&<")}, {Key: aws.String("none")}, {Key: aws.String("c"), ETag: aws.String(`"x"`)},
		{Key: aws.String(strings.Repeat("k", 1025))}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 3 || len(out.Errors) != 2 {
		t.Fatalf("%d deleted, %d errors", len(out.Deleted), len(out.Errors))
	}
	codes := map[string]bool{}
	for _, e := range out.Errors {
		codes[aws.ToString(e.Code)] = true
	}
	if !codes["PreconditionFailed"] || !codes["KeyTooLongError"] {
		t.Errorf("%v", codes)
	}
	post := func(body string, headers ...string) answer {
		sum := md5.Sum([]byte(body))
		return s.do("POST", "/bucket?delete", body, append(headers, "Content-Md5: "+base64.StdEncoding.EncodeToString(sum[:]))...)
	}
	a := post("<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>")
	s.want("quiet", a, 200, "")
	if strings.Contains(a.body, "Deleted") {
		t.Errorf("%s", a.body)
	}
	one := "<Object><Key>k</Key></Object>"
	s.want("1000 keys", post("<Delete>"+strings.Repeat(one, 1000)+"</Delete>"), 200, "")
	s.want("1001 keys", post("<Delete>"+strings.Repeat(one, 1001)+"</Delete>"), 400, "MalformedXML")
	s.want("no keys", post("<Delete></Delete>"), 400, "MalformedXML")
	s.want("empty key", post("<Delete><Object><Key></Key></Object></Delete>"), 400, "MalformedXML")
	s.want("no XML", post("nonsense"), 400, "MalformedXML")
	s.want("no digest", s.do("POST", "/bucket?delete", "<Delete>"+one+"</Delete>"), 400, "InvalidRequest")
	s.want("wrong digest", s.do("POST", "/bucket?delete", "<Delete>"+one+"</Delete>", "Content-Md5: AAAAAAAAAAAAAAAAAAAAAA=="), 400, "BadDigest")
	s.want("too long", post(strings.Repeat(" ", 2<<20+1)), 400, "MaxMessageLengthExceeded")
	sum := md5.Sum([]byte("<Delete>" + one + "</Delete>"))
	s.want("no bucket", s.do("POST", "/nobucket?delete", "<Delete>"+one+"</Delete>", "Content-Md5: "+base64.StdEncoding.EncodeToString(sum[:])), 404, "NoSuchBucket")
}

func TestOddKeys(t *testing.T) {
	s := newScene(t, servertest.Options{})
	keys := []string{"..", ".", "a/../b", "a/./b", "a//b", "/a", "//", "a.", "a..", "trailing/", "%41", "a+b", "a b", "a?b", "a#b", "a&b=c", "\x00", "a\x01b", "\xff\xfe",
		"日本", "é", strings.Repeat("k", 1024), "\\", "'\"<>", "*~", "\u0085", "\u2028", "?versionId=x"}
	for _, k := range keys {
		s.want("put "+k, s.do("PUT", path(k), "of "+k), 200, "")
	}
	for _, k := range keys {
		a := s.do("GET", path(k), "")
		if a.status != 200 || a.body != "of "+k {
			t.Errorf("%q: %d %q", k, a.status, a.body)
		}
	}
	listed := map[string]bool{}
	p := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), EncodingType: "url", MaxKeys: aws.Int32(5)})
	n := 0
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed[aws.ToString(o.Key)] = true
			n++
		}
	}
	if n != len(keys) || len(listed) != len(keys) {
		t.Errorf("%d keys listed, %d different, of %d", n, len(listed), len(keys))
	}
	s.want("1025 bytes", s.do("PUT", path(strings.Repeat("k", 1025)), "x"), 400, "KeyTooLongError")
	if out, err := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)}); err != nil || len(out.Contents) != len(keys) {
		t.Errorf("a listing without encoding is not readable: %v", err)
	}
	for _, k := range keys {
		s.want("delete "+k, s.do("DELETE", path(k), ""), 204, "")
	}
}

func TestUnknownLengthBody(t *testing.T) {
	s := newScene(t, servertest.Options{})
	req := s.request("PUT", path("k"), "")
	req.Body, req.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("a"), strings.NewReader("b"))), -1
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	s.sign(req, "", time.Now())
	s.want("chunked", s.send(req), 200, "")
	if got := s.get("k"); got != "ab" {
		t.Errorf("%q", got)
	}
}
