package s3api

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// readInput is what GET and HEAD tell the store.
func readInput(r *request) store.ReadInput {
	return store.ReadInput{VersionID: r.arg("versionId")}
}

// reading is a GET or HEAD of an object.
type reading struct {
	in       store.ReadInput
	rng      string // the Range header
	part     int    // partNumber, 0 for none
	checksum bool   // x-amz-checksum-mode: ENABLED
}

func (r *request) reading() (reading, error) {
	g := reading{in: readInput(r), rng: r.header("Range"), checksum: strings.EqualFold(r.header("X-Amz-Checksum-Mode"), "ENABLED")}
	g.in.Cond, g.in.Permit = r.readConditions(), r.permit
	var err error
	if g.in.Customer, err = r.customerKey(customerPrefix); err != nil {
		return g, err
	}
	if err := r.checkOverrides(); err != nil {
		return g, err
	}
	if _, ok := r.query["partNumber"]; !ok {
		return g, nil
	}
	if g.part, err = r.partArg(); err != nil {
		return g, err
	}
	if g.rng != "" {
		return g, s3err.Newf(s3err.InvalidRequest, "Cannot specify both Range header and partNumber query parameter")
	}
	g.in.PartNumber = g.part
	return g, nil
}

func getObject(r *request) error {
	g, err := r.reading()
	if err != nil {
		return r.refused(err)
	}
	obj, err := r.api.store.GetObject(r.http.Context(), r.bucket, r.key, g.in)
	if err != nil {
		return r.readError(g, err)
	}
	defer obj.Close()
	if err := r.readKey(&obj.Object, g.in.Customer); err != nil {
		return err
	}
	s, err := r.span(g, &obj.Object)
	if err != nil {
		return err
	}
	r.setObjectHeaders(g, s, &obj.Object)
	r.w.WriteHeader(s.status)
	return r.copyOut(obj, s)
}

// copyOut sends the span in pieces, so that a client that stops reading is noticed.
func (r *request) copyOut(obj *store.ObjectReader, s span) error {
	rc := http.NewResponseController(r.w)
	for off, left := s.off, s.length; left > 0; {
		_ = rc.SetWriteDeadline(time.Now().Add(answerIdle))
		n, err := obj.CopyRange(r.w, off, min(left, answerChunk))
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		off, left = off+n, left-n
	}
	_ = rc.SetWriteDeadline(time.Time{})
	return nil
}

func headObject(r *request) error {
	g, err := r.reading()
	if err != nil {
		return r.refused(err)
	}
	obj, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, g.in)
	if err != nil {
		return r.readError(g, err)
	}
	if err := r.readKey(&obj, g.in.Customer); err != nil {
		return err
	}
	s, err := r.span(g, &obj)
	if err != nil {
		return err
	}
	r.setObjectHeaders(g, s, &obj)
	r.w.WriteHeader(s.status)
	return nil
}

// readError adds to NotModified what a cache needs of the object, by asking for it without conditions.
func (r *request) readError(g reading, err error) error {
	err = r.refused(err)
	e, _ := From(err)
	if e.Code != s3err.NotModified {
		return err
	}
	g.in.Cond = store.Conditions{}
	if o, herr := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, g.in); herr == nil {
		setValidators(r.w.Header(), &o)
		set(r.w.Header(), "Cache-Control", o.Attrs.CacheControl)
		set(r.w.Header(), "Expires", o.Attrs.Expires)
	}
	return err
}

func setValidators(h http.Header, o *store.Object) {
	h["Etag"] = []string{`"` + o.ETag + `"`}
	h.Set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat))
	set(h, "X-Amz-Version-Id", o.VersionID)
}

// setObjectHeaders writes the headers of an object's answer.
func (r *request) setObjectHeaders(g reading, s span, o *store.Object) {
	h := r.w.Header()
	setAttrs(h, &o.Attrs)
	setValidators(h, o)
	r.size, r.sized = o.Size, true
	r.setProtected(h, o)
	r.setEncryption(o.Encryption)
	if archived(o) {
		h.Set("X-Amz-Restore", restored)
	}
	if g.in.VersionID == "" {
		r.expiration(o)
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", itoa64(s.length))
	if s.status == http.StatusPartialContent {
		b := make([]byte, 0, 64)
		b = strconv.AppendInt(append(b, "bytes "...), s.off, 10)
		b = strconv.AppendInt(append(b, '-'), s.off+s.length-1, 10)
		b = strconv.AppendInt(append(b, '/'), o.Size, 10)
		h.Set("Content-Range", string(b))
	}
	if g.part > 0 && o.PartCount > 0 {
		h.Set("X-Amz-Mp-Parts-Count", itoa(o.PartCount))
	}
	if g.checksum && (s.length == o.Size || g.part > 0) {
		setChecksum(h, g.part, o)
	}
	r.overrideHeaders(h)
}

// setProtected writes what an object has beside its bytes, as far as the identity may know it.
func (r *request) setProtected(h http.Header, o *store.Object) {
	may := func(action string) bool {
		version := r.arg("versionId")
		return r.access.ordinary(r) || r.require(question{action: versioned(action, version), bucket: r.bucket, key: r.key, version: version}) == nil
	}
	if o.Retention.Mode != store.LockNone && may("s3:GetObjectRetention") {
		h.Set("X-Amz-Object-Lock-Mode", string(o.Retention.Mode))
		h.Set("X-Amz-Object-Lock-Retain-Until-Date", lockTime(o.Retention.Until))
	}
	if o.LegalHold != store.HoldNone && may("s3:GetObjectLegalHold") {
		h.Set("X-Amz-Object-Lock-Legal-Hold", string(o.LegalHold))
	}
	if n := len(o.Attrs.Tags); n > 0 && may("s3:GetObjectTagging") {
		h.Set("X-Amz-Tagging-Count", itoa(n))
	}
}

// setChecksum shows the checksum of the whole object, or of the part that is answered. A client would hold a range's
// bytes against it, so an answer with a range has none.
func setChecksum(h http.Header, part int, o *store.Object) {
	sum := o.Checksum
	if part > 0 && o.PartCount > 0 {
		sum = o.Parts[part-1].Checksum
	}
	if sum.IsZero() {
		return
	}
	h.Set(sum.Algorithm.Header(), sum.String())
	h.Set("X-Amz-Checksum-Type", o.ChecksumType)
}

// overrides are the parameters by which a signed GET or HEAD sets headers of its answer.
var overrides = map[string]string{
	"response-content-type":        "Content-Type",
	"response-content-language":    "Content-Language",
	"response-expires":             "Expires",
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
}

func (r *request) checkOverrides() error {
	if !r.identity.Anonymous {
		return nil
	}
	for name := range r.query {
		if overrides[name] != "" {
			return s3err.Newf(s3err.InvalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
		}
	}
	return nil
}

func (r *request) overrideHeaders(h http.Header) {
	for name, values := range r.query {
		if header := overrides[name]; header != "" && values[0] != "" {
			h.Set(header, values[0])
		}
	}
}
