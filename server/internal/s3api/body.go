package s3api

import (
	"crypto/md5"
	"hash"
	"io"
	"net/http"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
	"pail/server/internal/sigauth"
	"pail/server/internal/store"
)

const (
	maxPutSize = store.MaxPutSize
	maxXMLBody = 1 << 20 // of a request's XML, but for lists of keys and parts
)

// upload is a body of object data, not read yet.
type upload struct {
	body      io.Reader
	size      int64              // -1 when the client did not say
	expected  checksum.Algorithm // what the client gives a checksum in, "" for none
	algorithm checksum.Algorithm // what the store computes and keeps
	verify    func(store.Computed) error
	md5       bool         // verify needs the MD5
	seen      checksum.Sum // in expected, of a verified body, where the store computes another
}

// upload prepares the body of PutObject or UploadPart. An object that comes without a checksum gets CRC64NVME, as at
// AWS; it costs next to nothing.
func (r *request) upload(limit int64) (*upload, error) {
	hr := r.http
	if hr.Header.Get("Content-Length") == "" && len(hr.TransferEncoding) == 0 && hr.ContentLength <= 0 {
		return nil, s3err.New(s3err.MissingContentLength)
	}
	size := r.payload.DecodedLength()
	if size > limit {
		return nil, s3err.New(s3err.EntityTooLarge).With("ProposedSize", itoa64(size)).With("MaxSizeAllowed", itoa64(limit))
	}
	expect, err := sigauth.NewExpect(hr.Header, r.payload)
	if err != nil {
		return nil, err
	}
	up := &upload{size: size, expected: expect.Algorithm(), algorithm: expect.Algorithm(), md5: expect.MD5()}
	if up.algorithm == "" {
		up.algorithm = store.DefaultAlgorithm
	}
	up.verify = func(c store.Computed) error { return expect.Verify(c.MD5, c.Sum) }
	up.body, err = r.payload.Body(hr)
	return up, err
}

// keep lets the store compute another checksum than the client expects, which is computed here then.
func (up *upload) keep(a checksum.Algorithm) {
	up.algorithm = a
	if up.expected == "" || up.expected == a {
		return
	}
	h, verify := up.expected.New(), up.verify
	up.body = io.TeeReader(up.body, h)
	up.verify = func(c store.Computed) error {
		c.Sum = checksum.Sum{Algorithm: up.expected, Value: h.Sum(nil)}
		up.seen = c.Sum
		return verify(c)
	}
}

// given is the checksum that a client is told of what it sent: in the algorithm it used, if it used any.
func (up *upload) given(kept checksum.Sum) checksum.Sum {
	if !up.seen.IsZero() {
		return up.seen
	}
	return kept
}

// readBody reads the body of a control request, and holds it against the digests the client gave for it.
func (r *request) readBody(limit int64) ([]byte, error) { return r.readVerified(limit, r.http.Header) }

// readControl is readBody for requests whose x-amz-checksum-* headers are not about the body.
func (r *request) readControl(limit int64) ([]byte, error) {
	return r.readVerified(limit, http.Header{"Content-Md5": r.http.Header["Content-Md5"]})
}

func (r *request) readVerified(limit int64, digests http.Header) ([]byte, error) {
	if r.payload.DecodedLength() > limit {
		return nil, tooLong(limit)
	}
	expect, err := sigauth.NewExpect(digests, r.payload)
	if err != nil {
		return nil, err
	}
	src, err := r.payload.Body(r.http)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, tooLong(limit)
	}
	digest := md5.Sum(body)
	sum := checksum.Sum{Algorithm: expect.Algorithm()}
	if h := newHash(sum.Algorithm); h != nil {
		h.Write(body)
		sum.Value = h.Sum(nil)
	}
	return body, expect.Verify(digest[:], sum)
}

func newHash(a checksum.Algorithm) hash.Hash {
	if a == "" {
		return nil
	}
	return a.New()
}

func tooLong(limit int64) error {
	return s3err.New(s3err.MaxMessageLengthExceeded).With("MaxMessageLengthBytes", itoa64(limit))
}

// requireDigest refuses a request whose body no digest protects.
func (r *request) requireDigest() error {
	expect, err := sigauth.NewExpect(r.http.Header, r.payload)
	if err != nil {
		return err
	}
	if expect.Algorithm() == "" && !expect.MD5() {
		return s3err.Newf(s3err.InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	return nil
}
