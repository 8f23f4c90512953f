package s3api

import (
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"pail/server/internal/checksum"
	"pail/server/internal/postform"
	"pail/server/internal/s3err"
	"pail/server/internal/sigauth"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// postObject is an upload by a browser's form. Its fields stand for the headers of a PutObject, so that both mean the
// same by the same name; the form's policy, if it has one, is what is signed.
func postObject(r *request) error {
	form, err := postform.Read(r.header("Content-Type"), r.http.Body)
	if err != nil {
		return err
	}
	up, err := r.acceptForm(form)
	if err != nil {
		return err
	}
	o, err := r.put(func() (*upload, error) { return up, nil })
	if err != nil {
		return err
	}
	return r.formStored(form, &o)
}

// acceptForm decides everything that can be decided before the file.
func (r *request) acceptForm(form *postform.Form) (*upload, error) {
	field := func(name string) string { return form.Fields[name] }
	var err error
	if r.identity, err = r.api.verifier.AuthenticatePost(field); err != nil {
		return nil, err
	}
	if r.key = field("key"); r.key == "" {
		return nil, s3err.Newf(s3err.InvalidArgument, "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.").
			With("ArgumentName", "key").With("ArgumentValue", "")
	}
	r.payload = new(sigauth.Payload)
	low, high := int64(0), int64(-1)
	if document := field("policy"); document != "" {
		p, err := postform.ParsePolicy(document)
		if err != nil {
			return nil, err
		}
		if err := p.Check(form.Fields, r.bucket, r.api.now()); err != nil {
			return nil, err
		}
		low, high = p.SizeRange()
	}
	if err := checkKey(r.key); err != nil {
		return nil, err
	}
	if err := r.formHeaders(form); err != nil {
		return nil, err
	}
	if err := authorize(r); err != nil {
		return nil, err
	}
	r.charge()
	if err := r.checkHeaders(); err != nil {
		return nil, err
	}
	return r.formUpload(form, low, high)
}

// formFields are the fields that mean what the header of that name means. Others may begin with x-amz-.
var formFields = []string{"cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "content-md5",
	"expires"}

// formSigns are fields that only sign.
var formSigns = []string{"x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date", "x-amz-security-token"}

// formHeaders puts the fields in place of the request's headers, of which only those about the client remain.
func (r *request) formHeaders(form *postform.Form) error {
	h := http.Header{}
	for _, name := range []string{"User-Agent", "Referer", "Origin", "Expect", "X-Amz-Expected-Bucket-Owner"} {
		if v := r.http.Header[name]; v != nil {
			h[name] = v
		}
	}
	for name, value := range form.Fields {
		switch {
		case name == "acl":
			h.Set("X-Amz-Acl", value)
		case slices.Contains(formFields, name), strings.HasPrefix(name, "x-amz-") && !slices.Contains(formSigns, name):
			if !headerName(name) || strings.ContainsAny(value, "\r\n\x00") {
				return invalidArgument(name, value, "Invalid Argument")
			}
			h[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
		}
	}
	// A copy or an append is another operation, which a form cannot ask for.
	for _, name := range []string{"X-Amz-Copy-Source", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer"} {
		h.Del(name)
	}
	if document := form.Fields["tagging"]; document != "" {
		var d taggingDoc
		if err := parseXML([]byte(document), &d); err != nil {
			return err
		}
		set, err := d.set()
		if err != nil {
			return err
		}
		if err := set.Check(tags.MaxObjectTags); err != nil {
			return err
		}
		h.Set("X-Amz-Tagging", set.Encode())
	}
	r.http.Header = h // of this server's own copy of the request
	return nil
}

// headerName reports whether a field's name can be a header's.
func headerName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// formUpload makes the body of the file; its size is not known before its end.
func (r *request) formUpload(form *postform.Form, low, high int64) (*upload, error) {
	if high < 0 || high > maxPutSize {
		high = maxPutSize
	}
	expect, err := sigauth.NewExpect(r.http.Header, r.payload)
	if err != nil {
		return nil, err
	}
	up := &upload{size: -1, expected: expect.Algorithm(), algorithm: expect.Algorithm(), md5: expect.MD5(), body: &bounded{r: form.File, max: high}}
	if up.algorithm == "" {
		up.algorithm = checksum.CRC64NVME
	}
	up.verify = func(c store.Computed) error {
		if c.Size < low {
			return s3err.New(s3err.EntityTooSmall).With("ProposedSize", itoa64(c.Size)).With("MinSizeAllowed", itoa64(low))
		}
		return expect.Verify(c.MD5, c.Sum)
	}
	return up, nil
}

// bounded fails with EntityTooLarge where a file is longer than it may be.
type bounded struct {
	r      io.Reader
	n, max int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > b.max {
		return 0, s3err.New(s3err.EntityTooLarge).With("ProposedSize", itoa64(b.n)).With("MaxSizeAllowed", itoa64(b.max))
	}
	return n, err
}

// formStored answers as the form asked for: a redirect, or one of three statuses.
func (r *request) formStored(form *postform.Form, o *store.Object) error {
	location := r.objectURL()
	r.w.Header().Set("Location", location)
	r.putHeaders(o)
	target := form.Fields["success_action_redirect"]
	if target == "" {
		target = form.Fields["redirect"]
	}
	if u, err := url.Parse(target); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "bucket=" + r.bucket + "&key=" + escapeAll(r.key) + "&etag=%22" + o.ETag + "%22"
		r.w.Header().Set("Location", u.String())
		return r.empty(http.StatusSeeOther)
	}
	switch form.Fields["success_action_status"] {
	case "200":
		return r.empty(http.StatusOK)
	case "201":
		x := r.doc()
		x.b = append(x.b, xmlHeader...)
		x.open("PostResponse")
		x.text("Location", location)
		x.text("Bucket", r.bucket)
		x.text("Key", r.key)
		x.etag(o.ETag)
		x.close("PostResponse")
		return r.send(http.StatusCreated, x)
	}
	return r.empty(http.StatusNoContent)
}

// objectURL is the URL of the key in the bucket that the form was sent to. The key's slashes are escaped in it, as AWS does.
func (r *request) objectURL() string {
	return strings.TrimSuffix(r.location(), "/") + "/" + escapeAll(r.key)
}

// escapeAll escapes all that is not unreserved in a URL (RFC 3986).
func escapeAll(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
