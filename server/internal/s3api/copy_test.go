package s3api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/server/servertest"
)

func TestCopy(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("put", s.do("PUT", path("src/a b+c%"), "hello", "Content-Type: text/x", "X-Amz-Meta-One: 1"), 200, "")
	src := "X-Amz-Copy-Source: " + path("src/a b+c%")
	a := s.do("PUT", path("dst"), "", src)
	s.want("copy", a, 200, "")
	if a.element("LastModified") == "" || !strings.Contains(a.body, "<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag>") {
		t.Errorf("%s", a.body)
	}
	h := s.do("GET", path("dst"), "")
	if h.body != "hello" || h.header.Get("Content-Type") != "text/x" || h.header.Get("X-Amz-Meta-One") != "1" {
		t.Errorf("%q %v", h.body, h.header)
	}
	s.want("replace", s.do("PUT", path("dst"), "", src, "X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-Two: 2", "Content-Type: text/y"), 200, "")
	h = s.do("HEAD", path("dst"), "")
	if h.header.Get("X-Amz-Meta-One") != "" || h.header.Get("X-Amz-Meta-Two") != "2" || h.header.Get("Content-Type") != "text/y" {
		t.Errorf("%v", h.header)
	}
	etag := h.header.Get("Etag")
	s.want("source of a class", s.do("PUT", path("cold"), "x", "X-Amz-Storage-Class: STANDARD_IA"), 200, "")
	s.want("copy", s.do("PUT", path("warm"), "", "X-Amz-Copy-Source: bucket/cold"), 200, "")
	if class := s.do("HEAD", path("warm"), "").header.Get("X-Amz-Storage-Class"); class != "" {
		t.Errorf("a copy has its source's class %s", class)
	}
	self := "X-Amz-Copy-Source: bucket/dst"
	for _, c := range []struct {
		what    string
		headers []string
		status  int
		code    string
	}{
		{"onto itself", []string{self}, 400, "InvalidRequest"},
		{"onto itself, replacing", []string{self, "X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-Three: 3"}, 200, ""},
		{"onto itself, other class", []string{self, "X-Amz-Storage-Class: GLACIER_IR"}, 200, ""},
		{"bad directive", []string{src, "X-Amz-Metadata-Directive: MOVE"}, 400, "InvalidArgument"},
		{"no source", []string{"X-Amz-Copy-Source: bucket/none"}, 404, "NoSuchKey"},
		{"no source bucket", []string{"X-Amz-Copy-Source: nobucket/k"}, 404, "NoSuchBucket"},
		{"bad source", []string{"X-Amz-Copy-Source: bucket"}, 400, "InvalidArgument"},
		{"no version", []string{src + "?versionId="}, 400, "InvalidArgument"},
		{"source matches", []string{src, "X-Amz-Copy-Source-If-Match: " + etag}, 200, ""},
		{"source does not match", []string{src, `X-Amz-Copy-Source-If-Match: "x"`}, 412, "PreconditionFailed"},
		{"source matches none", []string{src, `X-Amz-Copy-Source-If-None-Match: "x"`}, 200, ""},
		{"source is the unwanted", []string{src, "X-Amz-Copy-Source-If-None-Match: " + etag}, 412, "PreconditionFailed"},
		{"source is older", []string{src, "X-Amz-Copy-Source-If-Modified-Since: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, 412, "PreconditionFailed"},
		{"source is newer", []string{src, "X-Amz-Copy-Source-If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT"}, 412, "PreconditionFailed"},
		{"destination exists", []string{src, "If-None-Match: *"}, 412, "PreconditionFailed"},
		{"destination matches", []string{src, "If-Match: " + etag}, 200, ""},
		{"destination does not match", []string{src, `If-Match: "x"`}, 412, "PreconditionFailed"},
		{"unknown algorithm", []string{src, "X-Amz-Checksum-Algorithm: MD4"}, 400, "InvalidRequest"},
		{"other algorithm", []string{src, "X-Amz-Checksum-Algorithm: SHA256"}, 200, ""},
	} {
		s.want(c.what, s.do("PUT", path("dst"), "", c.headers...), c.status, c.code)
	}
	missing := s.do("PUT", path("fresh"), "", src, "If-Match: "+etag)
	s.want("no destination", missing, 404, "NoSuchKey")
	if missing.element("Key") != "fresh" {
		t.Errorf("%s", missing.body)
	}
	if v := s.do("HEAD", path("dst"), "", "X-Amz-Checksum-Mode: ENABLED").header.Get("X-Amz-Checksum-Sha256"); v != "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" {
		t.Errorf("the copy's SHA256 is %q", v)
	}
	if got := s.get("dst"); got != "hello" {
		t.Errorf("%q", got)
	}
}

func TestRename(t *testing.T) {
	s := newScene(t, servertest.Options{})
	rename := func(dst, src string, headers ...string) answer {
		return s.do("PUT", path(dst)+"?renameObject", "", append(headers, "X-Amz-Rename-Source: "+src)...)
	}
	s.put("a b", "1")
	s.want("rename", rename("c", "a%20b"), 200, "")
	s.want("source is gone", s.do("HEAD", path("a b"), ""), 404, "")
	if s.get("c") != "1" {
		t.Error("the object did not arrive")
	}
	s.want("with a slash", rename("d", "/c"), 200, "")
	s.want("with the bucket", rename("c", "/bucket/d"), 200, "")
	s.want("no source", rename("x", "none"), 404, "NoSuchKey")
	s.want("no header", s.do("PUT", path("x")+"?renameObject", ""), 400, "InvalidArgument")
	s.put("e", "2")
	s.want("destination exists", rename("e", "c", "If-None-Match: *"), 412, "PreconditionFailed")
	s.want("source does not match", rename("e", "c", `X-Amz-Rename-Source-If-Match: "x"`), 412, "PreconditionFailed")
	s.want("over another", rename("e", "c"), 200, "")
	if s.get("e") != "1" {
		t.Error("the destination was not replaced")
	}
	for _, k := range []string{"dir/", "dir/1", "dir/sub/2", "dirt"} {
		s.put(k, k)
	}
	s.want("prefix", rename("new/", "dir/"), 200, "")
	for _, k := range []string{"1", "sub/2", ""} {
		if got := s.get("new/" + k); got != "dir/"+k {
			t.Errorf("%q", got)
		}
		s.want("old key", s.do("HEAD", path("dir/"+k), ""), 404, "")
	}
	s.want("no such prefix", rename("other/", "none/"), 404, "NoSuchKey")
	s.put("more/x", "x")
	s.want("over a prefix in use", rename("new/", "more/"), 412, "PreconditionFailed")
	s.want("prefix to key", rename("k", "new/"), 400, "InvalidRequest")
	s.want("into itself", rename("new/sub/x/", "new/"), 400, "InvalidRequest")
	if s.get("dirt") != "dirt" {
		t.Error("a neighbour moved too")
	}
}
