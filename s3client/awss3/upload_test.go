package awss3

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pail/s3client"
)

// forgetful is a service with one upload, which may ignore what its completion says of the metadata.
type forgetful struct {
	old      bool   // ignores it
	replaced bool   // another client replaces the object at once
	meta     string // of the object, in x-amz-meta-a
	etag     string
	requests []string
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	said := r.Header.Get("X-Amz-Meta-A")
	request := r.Method
	switch {
	case r.URL.Query().Has("uploads"):
		request = "begin"
		f.meta = said
		fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPost:
		request = "complete"
		if f.etag = "made"; !f.old {
			f.meta = said
			w.Header().Set("X-Amz-Metadata-Directive", "REPLACE")
		}
		fmt.Fprint(w, "<CompleteMultipartUploadResult><ETag>made</ETag></CompleteMultipartUploadResult>")
		if f.replaced {
			f.meta, f.etag = "another", "another"
		}
	case r.Header.Get("X-Amz-Copy-Source") != "":
		request = "copy"
		if r.Header.Get("X-Amz-Copy-Source-If-Match") != `"`+f.etag+`"` || r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
			errorXML(w, 412, "PreconditionFailed", "")
			break
		}
		f.meta, f.etag = said, "copied"
		fmt.Fprint(w, "<CopyObjectResult><ETag>copied</ETag></CopyObjectResult>")
	case r.Method == http.MethodHead:
		w.Header().Set("X-Amz-Meta-A", f.meta)
		w.Header().Set("Etag", `"`+f.etag+`"`)
	}
	f.requests = append(f.requests, request)
}

// A service that does not say that it has taken the metadata of a completion, as a server of an older version that has taken
// over, is looked at, and given it with a copy; not what another client has put there meanwhile.
func TestCompletionWhoseMetadataIsIgnored(t *testing.T) {
	for _, test := range []struct {
		name       string
		f          forgetful
		as         string
		requests   string
		etag, meta string
	}{
		{"taken", forgetful{}, "new", "begin complete", "made", "new"},
		{"ignored", forgetful{old: true}, "new", "begin complete HEAD copy", "copied", "new"},
		{"the same", forgetful{old: true}, "begun", "begin complete HEAD", "made", "begun"},
		{"replaced", forgetful{old: true, replaced: true}, "new", "begin complete HEAD", "made", "another"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := test.f
			c := newStub(t, f.ServeHTTP)
			up, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{Meta: s3client.Meta{"a": "begun"}})
			if err != nil {
				t.Fatal(err)
			}
			as := s3client.PutOptions{Meta: s3client.Meta{"a": test.as}, IfNoneMatch: true}
			info, err := up.Complete(t.Context(), []s3client.Part{{N: 1, ETag: "p", Size: 5}}, &as)
			if err != nil || string(info.ETag) != test.etag || info.Size != 5 {
				t.Errorf("the answer is %+v, %v", info, err)
			}
			if got := strings.Join(f.requests, " "); got != test.requests || f.meta != test.meta {
				t.Errorf("requests are %q, the metadata is %q", got, f.meta)
			}
		})
	}
}
