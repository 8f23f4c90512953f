package awss3

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pail/s3client"
)

// conditionalService has objects and uploads of one part, and heeds conditions as far as it is told to.
type conditionalService struct {
	ignorePut, ignoreComplete, ignoreCopy bool
	noQuotes                              bool // an ETag in quotes is never the right one

	mu      sync.Mutex
	objects map[string]string // ETags
	uploads int
}

func (s *conditionalService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	etag := fmt.Sprintf(`"%x"`, md5.Sum(body))
	q, source := r.URL.Query(), r.Header.Get("X-Amz-Copy-Source")
	switch {
	case r.Method == "DELETE" && q.Has("uploadId"):
		s.uploads--
	case r.Method == "DELETE":
		delete(s.objects, r.URL.Path)
	case r.Method == "POST" && q.Has("delete"):
		for key := range s.objects {
			if strings.Contains(string(body), "<Key>"+strings.TrimPrefix(key, "/bucket/")+"</Key>") {
				delete(s.objects, key)
			}
		}
		_, _ = io.WriteString(w, "<DeleteResult></DeleteResult>")
	case r.Method == "POST" && q.Has("uploads"):
		s.uploads++
		_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == "POST" && !s.ignoreComplete && !s.meets(r):
		errorXML(w, 412, "PreconditionFailed", "")
	case r.Method == "POST":
		s.uploads--
		s.objects[r.URL.Path] = etag
		_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>")
	case source != "":
		name, _ := url.PathUnescape(source)
		if want := r.Header.Get("X-Amz-Copy-Source-If-Match"); want != "" && !s.ignoreCopy && want != s.objects[name] {
			errorXML(w, 412, "PreconditionFailed", "")
			return
		}
		root := "CopyObjectResult"
		if q.Has("partNumber") {
			root = "CopyPartResult"
		} else {
			s.objects[r.URL.Path] = s.objects[name]
		}
		_, _ = fmt.Fprintf(w, "<%s><ETag>%s</ETag></%s>", root, s.objects[name], root)
	case r.Method == "PUT" && q.Has("partNumber"):
		w.Header().Set("ETag", etag)
	case r.Method == "PUT" && !s.ignorePut && !s.meets(r):
		errorXML(w, 412, "PreconditionFailed", "")
	case r.Method == "PUT":
		s.objects[r.URL.Path] = etag
		w.Header().Set("ETag", etag)
	case r.Method == "HEAD":
		w.Header().Set("ETag", s.objects[r.URL.Path])
	}
}

// meets reports whether the conditions of a request are met.
func (s *conditionalService) meets(r *http.Request) bool {
	etag, exists := s.objects[r.URL.Path]
	if want := r.Header.Get("If-Match"); want != "" && (want != etag || s.noQuotes) {
		return false
	}
	return r.Header.Get("If-None-Match") == "" || !exists
}

// TestCopyFromIgnoredVersion copies inside a service that takes whatever version of the source is there.
func TestCopyFromIgnoredVersion(t *testing.T) {
	s := &conditionalService{ignorePut: true, ignoreCopy: true, objects: map[string]string{}}
	c := newStub(t, s.ServeHTTP)
	if _, err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, err := c.Put(t.Context(), "k", strings.NewReader("old"), s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	up, err := c.NewUpload(t.Context(), "dst", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := up.CopyPart(t.Context(), 1, "k", s3client.Range{Len: 3}, old.ETag); err != nil {
		t.Error(err)
	}
	if _, err := c.Copy(t.Context(), "dst", "k", s3client.CopyOptions{SrcIfMatch: old.ETag}); err != nil {
		t.Error(err)
	}
	if _, err := c.Put(t.Context(), "k", strings.NewReader("new"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = up.CopyPart(t.Context(), 1, "k", s3client.Range{Len: 3}, old.ETag)
	wantErr(t, err, s3client.ErrPrecondition)
	_, err = c.Copy(t.Context(), "dst", "k", s3client.CopyOptions{SrcIfMatch: old.ETag})
	wantErr(t, err, s3client.ErrPrecondition)
	_, err = up.CopyPart(t.Context(), 1, "100%41", s3client.Range{Len: 3}, "")
	wantErr(t, err, s3client.ErrUnsupported)
}

// TestCompleteWithoutETag completes an upload on a service that does not tell the object's ETag.
func TestCompleteWithoutETag(t *testing.T) {
	s := &conditionalService{objects: map[string]string{}}
	c := newStub(t, s.ServeHTTP)
	up, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	part, err := up.Part(t.Context(), 1, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := up.Complete(t.Context(), []s3client.Part{part}, nil)
	first := md5.Sum([]byte("x"))
	if want := fmt.Sprintf("%x-1", md5.Sum(first[:])); err != nil || string(info.ETag) != want {
		t.Errorf("ETag %s, %v; want %s", info.ETag, err, want)
	}
	if got := multipartETag([]s3client.Part{{ETag: "stub"}}); got != "" {
		t.Errorf("ETag %s of a part whose ETag is no MD5", got)
	}
}
