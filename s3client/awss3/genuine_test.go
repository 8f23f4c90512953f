package awss3

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"pail/s3client"
)

// A login page of a network, or the default page of a proxy, answers everything with 200. Taken for S3's answer it would
// be a file that was never stored, or a file full of HTML.
func TestAnswersOfOthersAreNotTakenForS3s(t *testing.T) {
	c := newTestClient(t, newPlainStub(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<html>Please accept our terms</html>")
	}))
	ctx := t.Context()
	upload, err := c.ResumeUpload(ctx, "k", "id", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Put":  func() error { return put(ctx, c, "k", "content") },
		"Part": func() error { _, err := upload.Part(ctx, 1, strings.NewReader("content")); return err },
		"Head": func() error { _, err := c.Head(ctx, "k"); return err },
		"Get":  func() error { _, err := c.Get(ctx, "k", s3client.GetOptions{}); return err },
		"List": func() error { _, err := c.List(ctx, s3client.ListQuery{}); return err },
		"Copy": func() error { _, err := c.Copy(ctx, "k", "l", s3client.CopyOptions{}); return err },
	} {
		err := call()
		if !errors.Is(err, s3client.ErrUnavailable) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// A service or a cache in between that does not know If-Match sends whatever version it has.
func TestAnotherVersionIsNotTakenForTheOneAskedFor(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"new"`)
		_, _ = io.WriteString(w, "new content")
	})
	_, err := c.Get(t.Context(), "k", s3client.GetOptions{IfMatch: "old"})
	wantErr(t, err, s3client.ErrPrecondition)
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{IfMatch: "new"})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Body.Close(); err != nil {
		t.Error(err)
	}
}

// Without a length a file would look empty, and an append to it would throw the rest away.
func TestHeadWithoutLengthIsAnError(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Del("Content-Length") })
	if info, err := c.Head(t.Context(), "k"); err == nil {
		t.Errorf("took it for %+v", info)
	}
	c = newStub(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "0") })
	if info, err := c.Head(t.Context(), "k"); err != nil || info.Size != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

// AWS names the object in the message of a refusal. A file that is called checksum must not turn checksums off.
func TestRefusedKeysDoNotTurnChecksumsOff(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"denied": func(w http.ResponseWriter) {
			errorXML(w, 403, "AccessDenied", `User is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::bucket/dir/checksum.txt"`)
		},
		"precondition": func(w http.ResponseWriter) { errorXML(w, 412, "PreconditionFailed", "dir/checksum.txt has changed") },
		"page": func(w http.ResponseWriter) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "<html>/bucket/dir/checksum.txt is not on this server</html>")
		},
		"argument": func(w http.ResponseWriter) {
			errorXML(w, 400, "InvalidArgument", "Object name dir/checksum.txt is not allowed")
		},
	} {
		t.Run(name, func(t *testing.T) {
			sums, requests := 0, 0
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if r.Header.Get(checksumHeader) != "" {
					sums++
				}
				if strings.HasSuffix(r.URL.Path, "checksum.txt") {
					refuse(w)
				}
			})
			if err := put(t.Context(), c, "dir/checksum.txt", "x"); err == nil {
				t.Error("it was refused")
			}
			if err := put(t.Context(), c, "other", "x"); err != nil {
				t.Error(err)
			}
			if requests != 2 || sums != 2 {
				t.Errorf("%d of %d requests had a checksum", sums, requests)
			}
		})
	}
}
