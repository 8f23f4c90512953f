package awss3_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/retry"
	"pail/server/servertest"
)

// withoutExtension is a server of an older version: it does not announce opaque-etags, nor know them.
func withoutExtension(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["X-Pail-Etags"] != nil {
			t.Errorf("%s %s asks for what is not announced", r.Method, r.RequestURI)
		}
		next.ServeHTTP(&hides{ResponseWriter: w}, r)
	})
}

type hides struct {
	http.ResponseWriter
	begun bool
}

func (h *hides) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *hides) WriteHeader(status int) {
	if list := h.Header().Get("X-Pail-Extensions"); list != "" && !h.begun {
		h.Header().Set("X-Pail-Extensions", strings.ReplaceAll(list, "opaque-etags, ", ""))
	}
	h.begun = true
	h.ResponseWriter.WriteHeader(status)
}

// MD5 is spared where the service says that it can do without, and the client does not want it.
func TestETagsOfParts(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*awss3.Options)
		old    bool
		md5    bool
	}{
		"pail":          {func(*awss3.Options) {}, false, false},
		"signature 2":   {func(o *awss3.Options) { o.SigV2 = true }, false, false},
		"with MD5":      {func(o *awss3.Options) { o.ContentMD5 = true }, false, true},
		"no checksums":  {func(o *awss3.Options) { o.NoChecksum = true }, false, true},
		"older version": {func(*awss3.Options) {}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := servertest.Options{}
			if test.old {
				server.Wrap = func(next http.Handler) http.Handler { return withoutExtension(t, next) }
			}
			srv := servertest.New(t, server)
			opt := awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")}
			test.change(&opt)
			c := newClient(t, opt)
			if caps, err := c.Probe(t.Context()); err != nil || !caps.Patch {
				t.Fatalf("%+v, %v", caps, err)
			}
			u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			part, err := u.Part(t.Context(), 1, strings.NewReader("content"))
			if err != nil {
				t.Fatal(err)
			}
			if is := string(part.ETag) == fmt.Sprintf("%x", md5.Sum([]byte("content"))); is != test.md5 {
				t.Errorf("the ETag is %s", part.ETag)
			}
			info, err := u.Complete(t.Context(), []s3client.Part{part}, nil)
			if err != nil || !strings.HasSuffix(string(info.ETag), "-1") {
				t.Fatalf("%+v, %v", info, err)
			}
			o, err := c.Get(t.Context(), "k", s3client.GetOptions{IfMatch: info.ETag})
			if err != nil {
				t.Fatal(err)
			}
			defer o.Body.Close()
			if got, err := io.ReadAll(o.Body); err != nil || string(got) != "content" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// loses does each request of a multipart upload, and breaks the connection in place of the first answer. A part is done once
// more when its second answer was given, as if the first attempt had come late.
type loses struct {
	next http.Handler
	mu   struct {
		sync.Mutex
		tries map[string]int
	}
}

func (l *loses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.RawQuery, "uploadId=") {
		l.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	again := r.Clone(r.Context())
	r.Body, again.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	l.mu.Lock()
	l.mu.tries[r.Method+r.URL.RawQuery]++
	first := l.mu.tries[r.Method+r.URL.RawQuery] == 1
	l.mu.Unlock()
	if first {
		l.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	l.next.ServeHTTP(w, r)
	if r.Method == http.MethodPut {
		l.next.ServeHTTP(httptest.NewRecorder(), again)
	}
}

// A part that is sent again, as its answer was lost, has the ETag that it had; a completion that is, finds its object.
func TestLostAnswersOfAnUpload(t *testing.T) {
	l := &loses{}
	l.mu.tries = map[string]int{}
	srv := servertest.New(t, servertest.Options{Wrap: func(next http.Handler) http.Handler { l.next = next; return l }})
	plain := newClient(t, awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")})
	c := retry.New(plain, retry.Options{Attempts: 3, Base: time.Millisecond, Max: time.Millisecond})
	if _, err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{IfNoneMatch: true, Meta: s3client.Meta{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	var parts []s3client.Part
	content := strings.Repeat("0123456789abcdef", s3client.MinPartSize/16)
	for n, text := range []string{content, "tail"} {
		part, err := u.Part(t.Context(), n+1, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if string(part.ETag) == fmt.Sprintf("%x", md5.Sum([]byte(text))) {
			t.Error("the ETag is an MD5")
		}
		parts = append(parts, part)
	}
	info, err := u.Complete(t.Context(), parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	for what, n := range l.mu.tries {
		if n != 2 {
			t.Errorf("%s was tried %d times", what, n)
		}
	}
	l.mu.Unlock()
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{IfMatch: info.ETag})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if got, err := io.ReadAll(o.Body); err != nil || string(got) != content+"tail" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
