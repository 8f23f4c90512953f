package awss3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pail/s3client"
)

// Benchmarks run against a handler in the same process: allocations and times include the server's side of net/http.

func newBench(b *testing.B, serve http.HandlerFunc) *Client {
	c := newTestClient(b, newPlainStub(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Etag"] = []string{`"0123456789abcdef0123456789abcdef"`}
		if r.Method == http.MethodHead {
			w.Header()["Content-Length"] = []string{"0"}
		}
		serve(w, r)
	}))
	b.ReportAllocs()
	return c
}

func BenchmarkHead(b *testing.B) {
	c := newBench(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Amz-Meta-Mode"] = []string{"33188"}
	})
	for b.Loop() {
		if _, err := c.Head(b.Context(), "dir/file"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet4K(b *testing.B) {
	data := make([]byte, 4096)
	c := newBench(b, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(data) })
	buf := make([]byte, 8192)
	for b.Loop() {
		o, err := c.Get(b.Context(), "dir/file", s3client.GetOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.ReadFull(o.Body, buf); n != 4096 {
			b.Fatal(n, err)
		}
		if err := o.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut4K(b *testing.B) {
	data := make([]byte, 4096)
	c := newBench(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	opt := s3client.PutOptions{Meta: s3client.Meta{"mode": "33188", "uid": "0", "gid": "0", "mtime": "1700000000"}}
	for b.Loop() {
		body := io.NewSectionReader(bytes.NewReader(data), 0, 4096) // as a mount sends them: not an io.WriterTo
		if _, err := c.Put(b.Context(), "dir/file", body, opt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseList1000(b *testing.B) {
	body := benchListing()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if page, err := parseList(body, false); err != nil || len(page.Objects) != 1000 {
			b.Fatal(err)
		}
	}
}

func benchListing() []byte {
	var s strings.Builder
	s.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>`)
	for i := range 1000 {
		fmt.Fprintf(&s, "<Contents><Key>some/directory/file-%06d.txt</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>"+
			"<ETag>&quot;0123456789abcdef0123456789%06d&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", i, i, i)
	}
	s.WriteString("<IsTruncated>false</IsTruncated></ListBucketResult>")
	return []byte(s.String())
}
