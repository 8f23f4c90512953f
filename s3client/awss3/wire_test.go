package awss3

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/crc64nvme"

	"pail/s3client"
)

var oddKeys = []string{
	"a b+c%/é\x01~*'()//./..", "/lead", "//", "./a", "../..", "?q=1&x#f", "per%20cent", "\xff\xfe not utf-8", "tab\tnl\n", `back\slash"<&>`,
	"日本語", "=,$!;:@", "*", "[x]{y}|^`",
}

func TestEveryKeyIsSentAndSignedAlike(t *testing.T) {
	var got atomic.Pointer[string]
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		key := keyOf(t, r)
		got.Store(&key)
	})
	for _, key := range oddKeys {
		if err := put(t.Context(), c, key, "x"); err != nil {
			t.Errorf("Put %q: %v", key, err)
		}
		if *got.Load() != key {
			t.Errorf("sent %q, arrived %q", key, *got.Load())
		}
	}
}

func TestVirtualHostKeysAreSentAndSignedAlike(t *testing.T) {
	var uri, host atomic.Pointer[string]
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { uri.Store(&r.RequestURI); host.Store(&r.Host) })
	tgt := *c.target.Load()
	tgt.prefix, tgt.escaped = "", ""
	c.target.Store(&tgt)
	for key, want := range map[string]string{"//x": "///x", "/": "//", "a b": "/a%20b", "./..": "/./.."} {
		if _, err := c.Head(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if got := *uri.Load(); got != want {
			t.Errorf("key %q is sent as %q, want %q", key, got, want)
		}
	}
}

func TestCopySourceAndRenameSource(t *testing.T) {
	var got http.Header
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.WriteString(w, `<CopyObjectResult><ETag>&quot;e&quot;</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified></CopyObjectResult>`)
	})
	info, err := c.Copy(t.Context(), "dst", "a b+c%/é?", s3client.CopyOptions{SrcIfMatch: "s", IfMatch: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if info.ETag != "e" || info.LastModified.Unix() != 1767323045 {
		t.Errorf("Copy returned %+v", info)
	}
	for name, want := range map[string]string{"X-Amz-Copy-Source": "/bucket/a%20b%2Bc%25/%C3%A9%3F", "X-Amz-Copy-Source-If-Match": `"s"`, "If-Match": `"d"`} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if err := c.Rename(t.Context(), "dst", "/a b", s3client.RenameOptions{IfNoneMatch: true}); err != nil {
		t.Fatal(err)
	}
	if got.Get("X-Amz-Rename-Source") != "%2Fa%20b" || got.Get("If-None-Match") != "*" {
		t.Errorf("headers are %v", got)
	}
}

func TestBodyIsSentWithItsSums(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	sum, md := sha256.Sum256([]byte(content)), md5.Sum([]byte(content))
	h := crc64nvme.New()
	h.Write([]byte(content))
	crc := base64.StdEncoding.EncodeToString(h.Sum(nil))
	tests := []struct {
		name                 string
		change               func(*Options)
		payload, crc, md5sum string
	}{
		{"default over http", func(*Options) {}, hex.EncodeToString(sum[:]), crc, ""},
		{"unsigned", func(o *Options) { o.UnsignedPayload = true }, unsignedPayload, crc, ""},
		{"md5", func(o *Options) { o.ContentMD5 = true }, hex.EncodeToString(sum[:]), crc, base64.StdEncoding.EncodeToString(md[:])},
		{"no checksum", func(o *Options) { o.NoChecksum = true }, hex.EncodeToString(sum[:]), "", ""},
		{"version 2", func(o *Options) { o.SigV2 = true }, "", crc, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if err != nil || string(got) != content {
					t.Errorf("body has %d bytes, error %v", len(got), err)
				}
				for name, want := range map[string]string{"X-Amz-Content-Sha256": test.payload, checksumHeader: test.crc, "Content-Md5": test.md5sum} {
					if r.Header.Get(name) != want {
						t.Errorf("%s is %q, want %q", name, r.Header.Get(name), want)
					}
				}
			}, test.change)
			if err := put(t.Context(), c, "k", content); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLargeBodyOverHTTPReliesOnItsChecksum(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Amz-Content-Sha256") != unsignedPayload || !strings.Contains(r.Header.Get("Authorization"), "x-amz-checksum-crc64nvme") {
			t.Errorf("headers are %v", r.Header)
		}
	})
	if err := put(t.Context(), c, "k", strings.Repeat("x", maxHashedBody+1)); err != nil {
		t.Error(err)
	}
}

func TestChecksumsStopForAServiceThatRefusesThem(t *testing.T) {
	var requests atomic.Int32
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get(checksumHeader) != "" {
			errorXML(w, 400, "InvalidArgument", "Invalid checksum provided.")
		} else if string(body) != "content" {
			t.Errorf("body is %q", body)
		}
	})
	for range 2 {
		if err := put(t.Context(), c, "k", "content"); err != nil {
			t.Fatal(err)
		}
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3: the refusal, its repetition, and one more", n)
	}
}

func TestWrongChecksumIsNoRefusal(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		errorXML(w, 400, "BadDigest", "The CRC64NVME you specified did not match the calculated checksum.")
	})
	wantErr(t, put(t.Context(), c, "k", "x"), s3client.ErrIntegrity)
	if c.checksumsOff.Load() {
		t.Error("checksums are off")
	}
}

func TestOptionsBecomeHeaders(t *testing.T) {
	var got http.Header
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header }, func(o *Options) {
		o.ACL, o.StorageClass, o.RequesterPays, o.UserAgent = "public-read", "STANDARD_IA", true, "agent/1"
		o.Encryption = Encryption{CustomerKeys: [][]byte{[]byte(strings.Repeat("k", 32))}}
		o.Headers = func(op, key string) http.Header { return http.Header{"X-Extra": {op + " " + key}} }
	})
	if err := put(t.Context(), c, "k", "x"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Amz-Acl": "public-read", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Request-Payer": "requester", "User-Agent": "agent/1",
		"X-Extra": "PutObject k", "X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if _, err := c.Head(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if got.Get("X-Amz-Server-Side-Encryption-Customer-Key") == "" || got.Get("X-Amz-Acl") != "" {
		t.Errorf("headers of Head are %v", got)
	}
}

func TestReadingTriesEachCustomerKey(t *testing.T) {
	keys := [][]byte{[]byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))}
	second := base64.StdEncoding.EncodeToString(keys[1])
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Key") != second {
			w.WriteHeader(403)
		}
	}, func(o *Options) { o.Encryption.CustomerKeys = keys })
	if _, err := c.Head(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

func TestDeleteManyEscapesAndReportsEachKey(t *testing.T) {
	var bodies, singles []string
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			singles = append(singles, keyOf(t, r))
			w.WriteHeader(204)
			return
		}
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		sum := md5.Sum(body)
		if r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) {
			t.Error("Content-MD5 is wrong")
		}
		_, _ = io.WriteString(w, `<DeleteResult xmlns="x"><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>`+
			`<Error><Key>c</Key><Code>NoSuchKey</Code></Error></DeleteResult>`)
	})
	err := c.Delete(t.Context(), "a<&>\"", "b", "c", "odd\x01", "\xff")
	if e := wantErr(t, err, s3client.ErrAccess); e.Key != "b" || e.Message != "no" || e.Op != s3client.OpDeleteMany {
		t.Errorf("error is %#v", e)
	}
	if len(bodies) != 1 || !strings.Contains(bodies[0], "<Key>a&lt;&amp;&gt;&#34;</Key>") {
		t.Errorf("bodies are %q", bodies)
	}
	if fmt.Sprintf("%q", singles) != `["odd\x01" "\xff"]` {
		t.Errorf("removed one by one are %q", singles)
	}
}

func TestUploadSendsChecksumsAndSize(t *testing.T) {
	var complete string
	var header http.Header
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
			if r.Header.Get("X-Amz-Checksum-Algorithm") != "CRC64NVME" || r.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
				t.Errorf("headers are %v", r.Header)
			}
			_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>id/+&amp;=</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPut:
			if r.URL.Query().Get("uploadId") != "id/+&=" || r.URL.Query().Get("partNumber") != "1" {
				t.Errorf("query is %q", r.URL.RawQuery)
			}
			w.Header().Set("Etag", `"p"`)
		default:
			complete, header = string(body), r.Header
			_, _ = io.WriteString(w, "  \n \n<?xml version='1.0'?><CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>")
		}
	})
	u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Part(t.Context(), 1, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := u.Complete(t.Context(), []s3client.Part{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info.ETag != "e-1" || info.Size != 7 {
		t.Errorf("Complete returned %+v", info)
	}
	if want := "<ChecksumCRC64NVME>" + p.Checksum + "</ChecksumCRC64NVME>"; p.Checksum == "" || !strings.Contains(complete, want) {
		t.Errorf("part is %+v, body %q", p, complete)
	}
	if header.Get("If-None-Match") != "*" || header.Get("X-Amz-Mp-Object-Size") != "7" || header.Get(checksumHeader) != "" {
		t.Errorf("headers are %v", header)
	}
}

// A service that does not know conditions of removals removes all the same.
func TestRemovalOnConditionThatIsNotImplemented(t *testing.T) {
	for status, code := range map[int]string{501: "NotImplemented", 400: "MalformedXML"} {
		removalWithoutConditions(t, status, code)
	}
}

func removalWithoutConditions(t *testing.T, status int, code string) {
	var requests []string
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		conditional := r.Header.Get("If-Match") != "" || strings.Contains(string(body), "<ETag>")
		requests = append(requests, fmt.Sprint(r.Method, " ", conditional))
		switch {
		case conditional:
			errorXML(w, status, code, "a header or an element that is not known")
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			fmt.Fprint(w, "<DeleteResult></DeleteResult>")
		}
	})
	one, two := s3client.Version{Key: "a", ETag: "x"}, s3client.Version{Key: "b"}
	anything := s3client.Version{Key: "c", ETag: "x", Any: func() bool { return true }}
	for _, list := range [][]s3client.Version{{one}, {one, two}, {anything}, {anything, two}} {
		if err := c.DeleteVersions(t.Context(), list...); err != nil {
			t.Errorf("%s, %d keys: %v", code, len(list), err)
		}
	}
	if got := strings.Join(requests, ", "); got != "DELETE true, DELETE false, POST true, POST false, DELETE false, POST false" {
		t.Errorf("requests are %s", got)
	}
}
