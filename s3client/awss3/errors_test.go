package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/s3client"
)

func TestErrorsMapToSentinels(t *testing.T) {
	tests := []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", s3client.ErrNotFound}, {404, "NoSuchBucket", s3client.ErrNoBucket}, {404, "NoSuchUpload", s3client.ErrNotFound},
		{404, "", s3client.ErrNotFound}, {403, "AccessDenied", s3client.ErrAccess}, {403, "SignatureDoesNotMatch", s3client.ErrCredentials},
		{400, "ExpiredToken", s3client.ErrCredentials}, {403, "", s3client.ErrAccess}, {412, "PreconditionFailed", s3client.ErrPrecondition},
		{409, "ConditionalRequestConflict", s3client.ErrConflict}, {503, "SlowDown", s3client.ErrThrottled}, {429, "", s3client.ErrThrottled},
		{503, "", s3client.ErrUnavailable}, {500, "InternalError", s3client.ErrUnavailable}, {400, "RequestTimeout", s3client.ErrUnavailable},
		{416, "InvalidRange", s3client.ErrRange}, {400, "EntityTooLarge", s3client.ErrTooLarge}, {400, "MetadataTooLarge", s3client.ErrTooLarge},
		{501, "NotImplemented", s3client.ErrUnsupported}, {400, "BadDigest", s3client.ErrIntegrity}, {507, "", s3client.ErrNoSpace},
		{400, "InvalidArgument", s3client.ErrInvalid}, {301, "PermanentRedirect", s3client.ErrRedirect}, {418, "", s3client.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %s", test.status, test.code), func(t *testing.T) {
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if test.code == "" {
					w.WriteHeader(test.status)
					return
				}
				errorXML(w, test.status, test.code, "because &lt;of&gt; this")
			}, func(o *Options) { o.Region = "eu-west-1" })
			_, err := c.Get(t.Context(), "k", s3client.GetOptions{})
			e := wantErr(t, err, test.want)
			if e.Status != test.status || e.Code != test.code || e.Op != s3client.OpGet || e.Key != "k" || e.Bucket != "bucket" {
				t.Errorf("error is %#v", e)
			}
			if test.code != "" && (e.RequestID != "REQ2" || e.Message != "because <of> this") {
				t.Errorf("error is %#v", e)
			}
		})
	}
}

func TestForeignErrorPageBecomesABoundedMessage(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "<html>\n<h1>Bad \x01 gateway</h1>"+strings.Repeat("x", 1<<20))
	})
	e := wantErr(t, put(t.Context(), c, "k", "x"), s3client.ErrUnavailable)
	if !strings.HasPrefix(e.Message, "<html> <h1>Bad   gateway") || len(e.Message) > 200 || e.RetryAfter != 7*time.Second {
		t.Errorf("error is %#v", e)
	}
}

func TestErrorBodyWithStatus200(t *testing.T) {
	const body = "\n   <?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>m</Message></Error>"
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) })
	_, err := c.Copy(t.Context(), "d", "s", s3client.CopyOptions{})
	wantErr(t, err, s3client.ErrUnavailable)
	u, err := c.ResumeUpload(t.Context(), "k", "id", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Complete(t.Context(), []s3client.Part{{N: 1, ETag: "e"}}, nil)
	wantErr(t, err, s3client.ErrUnavailable)
	_, err = u.CopyPart(t.Context(), 1, "s", s3client.Range{Len: 5}, "")
	wantErr(t, err, s3client.ErrUnavailable)
	wantErr(t, c.Delete(t.Context(), "a", "b"), s3client.ErrUnavailable)
}

func TestTruncatedAnswersAreUnavailable(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<CopyObjectResult><ETag>x") })
	_, err := c.Copy(t.Context(), "d", "s", s3client.CopyOptions{})
	wantErr(t, err, s3client.ErrUnavailable)
	_, err = c.List(t.Context(), s3client.ListQuery{})
	wantErr(t, err, s3client.ErrUnavailable)
}

func TestNoConnectionIsUnavailable(t *testing.T) {
	c := newTestClient(t, "http://127.0.0.1:1", func(o *Options) { o.HTTP.Proxy = "" })
	_, err := c.Head(t.Context(), "k")
	e := wantErr(t, err, s3client.ErrUnavailable)
	if e.Status != 0 {
		t.Errorf("error is %#v", e)
	}
}

func TestTimeoutIsNotTheCallersDeadline(t *testing.T) {
	block := make(chan struct{})
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { <-block }, func(o *Options) { o.HTTP.ReadWriteTimeout = 50 * time.Millisecond })
	defer close(block)
	_, err := c.Head(t.Context(), "k")
	wantErr(t, err, s3client.ErrUnavailable)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v matches context.DeadlineExceeded", err)
	}
}

func TestContextEndsARequest(t *testing.T) {
	block := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { cancel(); <-block })
	defer close(block)
	_, err := c.Head(ctx, "k")
	wantErr(t, err, context.Canceled)
}

func TestBodyThatFailsIsTheCallersError(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	broken := errors.New("disk is broken")
	for _, passes := range []int{0, 1} {
		_, err := c.Put(t.Context(), "k", &failingBody{ReadSeeker: strings.NewReader("0123456789"), passes: passes, err: broken}, s3client.PutOptions{})
		wantErr(t, err, broken)
	}
}

// failingBody fails to be read after it was read to its end passes times.
type failingBody struct {
	io.ReadSeeker
	passes int
	err    error
}

func (b *failingBody) Read(p []byte) (int, error) {
	if b.passes == 0 {
		return 0, b.err
	}
	n, err := b.ReadSeeker.Read(p)
	if err == io.EOF {
		b.passes--
	}
	return n, err
}

func FuzzErrorBody(f *testing.F) {
	f.Add([]byte("<Error><Code>NoSuchKey</Code><Message>m</Message><Region>eu</Region></Error>"))
	f.Add([]byte("<Error/>"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var e s3client.Error
		readErrorBody(&e, body)
		e.Err = classify(e.Code, 400)
		_ = e.Error()
	})
}
