package sigauth

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
)

const headerSDKAlgorithm = "X-Amz-Sdk-Checksum-Algorithm"

// Expect is what the client said its body hashes to: Content-MD5, and one checksum in a header or in the trailer.
type Expect struct {
	md5       []byte // nil for none
	algorithm checksum.Algorithm
	sum       []byte // nil when the trailer brings it
	payload   *Payload
}

// NewExpect reads the headers. p is the request's Payload, whose trailer may bring the checksum. The error is an
// *s3err.Error: InvalidDigest for a malformed Content-MD5, InvalidRequest for checksums that are malformed, of two
// algorithms, of one that S3 does not know, or not those announced.
func NewExpect(h http.Header, p *Payload) (*Expect, error) {
	e := &Expect{payload: p}
	if err := e.readMD5(h); err != nil {
		return nil, err
	}
	if err := e.readHeader(h); err != nil {
		return nil, err
	}
	if err := e.readTrailerName(h); err != nil {
		return nil, err
	}
	return e, e.checkSDK(h)
}

// Algorithm is what must be computed over the body beside the MD5, or "" for nothing.
func (e *Expect) Algorithm() checksum.Algorithm { return e.algorithm }

// MD5 reports whether the client gave a Content-MD5.
func (e *Expect) MD5() bool { return e.md5 != nil }

// Verify compares what was computed over the whole body, after its reader gave io.EOF: md5 is needed when MD5 reports
// true, sum when Algorithm is not "". The error is BadDigest, or InvalidRequest for a malformed trailer.
func (e *Expect) Verify(md5 []byte, sum checksum.Sum) error {
	if e.md5 != nil && !bytes.Equal(e.md5, md5) {
		return s3err.New(s3err.BadDigest).With("ExpectedDigest", hex.EncodeToString(e.md5)).
			With("CalculatedDigest", base64.StdEncoding.EncodeToString(md5))
	}
	if e.algorithm == "" {
		return nil
	}
	want, err := e.want()
	if err != nil {
		return err
	}
	if sum.Algorithm != e.algorithm || !bytes.Equal(want, sum.Value) {
		return s3err.Newf(s3err.BadDigest, "The %s you specified did not match the calculated checksum.", e.algorithm)
	}
	return nil
}

func (e *Expect) want() ([]byte, error) {
	if e.sum != nil {
		return e.sum, nil
	}
	name := e.algorithm.Header()
	value := e.payload.Trailer().Get(name)
	if value == "" {
		return nil, s3err.New(s3err.MalformedTrailerError)
	}
	s, err := e.algorithm.Decode(value)
	if err != nil {
		return nil, s3err.Newf(s3err.InvalidRequest, "Value for %s trailing header is invalid.", name)
	}
	return s.Value, nil
}

func (e *Expect) readMD5(h http.Header) error {
	values := h["Content-Md5"]
	if len(values) == 0 {
		return nil
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil || len(sum) != md5.Size || len(values) > 1 {
		return s3err.New(s3err.InvalidDigest).With("Content-MD5", values[0])
	}
	e.md5 = sum
	return nil
}

func (e *Expect) readHeader(h http.Header) error {
	for name, values := range h {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, checksum.HeaderPrefix) || notAValue(lower) {
			continue
		}
		a, ok := checksum.ParseHeader(lower)
		if !ok {
			return s3err.Newf(s3err.InvalidRequest, "The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		if e.algorithm != "" || len(values) != 1 {
			return s3err.Newf(s3err.InvalidRequest,
				"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		s, err := a.Decode(values[0])
		if err != nil {
			return s3err.Newf(s3err.InvalidRequest, "Value for %s header is invalid.", lower)
		}
		e.algorithm, e.sum = a, s.Value
	}
	return nil
}

// notAValue tells the headers that speak of checksums from those that hold one.
func notAValue(lower string) bool {
	switch lower[len(checksum.HeaderPrefix):] {
	case "algorithm", "mode", "type":
		return true
	}
	return false
}

func (e *Expect) readTrailerName(h http.Header) error {
	if len(e.payload.announced) == 0 {
		if h.Get("X-Amz-Trailer") != "" {
			return s3err.Newf(s3err.InvalidRequest, "The x-amz-trailer header needs an aws-chunked body with a trailer")
		}
		return nil
	}
	if e.algorithm != "" {
		return s3err.Newf(s3err.InvalidRequest, "Expecting a single x-amz-checksum- header")
	}
	e.algorithm, _ = checksum.ParseHeader(e.payload.announced[0]) // checked when the Payload was made
	return nil
}

func (e *Expect) checkSDK(h http.Header) error {
	name := h.Get(headerSDKAlgorithm)
	if name == "" {
		return nil
	}
	a, ok := checksum.Parse(name)
	if !ok || e.algorithm != "" && a != e.algorithm {
		return s3err.Newf(s3err.InvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	if e.algorithm == "" {
		return s3err.Newf(s3err.InvalidRequest, "x-amz-sdk-checksum-algorithm specified, but no corresponding "+
			"x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	return nil
}
