package sigauth

import (
	"crypto/md5"
	"net/http"
	"testing"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
)

func md5Of(p []byte) []byte {
	sum := md5.Sum(p)
	return sum[:]
}

func sumOf(a checksum.Algorithm, p []byte) checksum.Sum {
	if a == "" {
		return checksum.Sum{}
	}
	h := a.New()
	h.Write(p)
	return checksum.Sum{Algorithm: a, Value: h.Sum(nil)}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// Values of "123456789".
const (
	body9   = "123456789"
	md5of9  = "JfnnlDI7RTiF9RgfG2JNCw=="
	crc9    = "y/Q5Jg=="
	crc9bad = "z/Q5Jg=="
	sha9    = "98O8HYCOBHMq32eZZczDTKeuNEE="
)

func TestExpectHeaders(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	const sdk = "x-amz-sdk-checksum-algorithm"
	for _, c := range []struct {
		name      string
		h         http.Header
		announced []string
		trailer   http.Header
		code      s3err.Code // of NewExpect
		verify    s3err.Code // of Verify
		message   string
	}{
		{name: "nothing", h: header()},
		{name: "good MD5", h: header("Content-MD5", md5of9)},
		{name: "wrong MD5", h: header("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), verify: s3err.BadDigest},
		{name: "empty MD5", h: header("Content-MD5", ""), code: s3err.InvalidDigest},
		{name: "short MD5", h: header("Content-MD5", "AAAA"), code: s3err.InvalidDigest},
		{name: "hex MD5", h: header("Content-MD5", "25f9e794323b453885f5181f1b624d0b"), code: s3err.InvalidDigest},
		{name: "two MD5", h: header("Content-MD5", md5of9, "Content-MD5", md5of9), code: s3err.InvalidDigest},
		{name: "good checksum", h: header(crc, crc9)},
		{name: "good checksum and MD5", h: header(crc, crc9, "Content-MD5", md5of9)},
		{name: "wrong checksum", h: header(crc, crc9bad), verify: s3err.BadDigest, message: "The CRC32 you specified did not match the calculated checksum."},
		{name: "malformed checksum", h: header(crc, "y/Q5Jh=="), code: s3err.InvalidRequest, message: "Value for x-amz-checksum-crc32 header is invalid."},
		{name: "empty checksum", h: header(crc, ""), code: s3err.InvalidRequest},
		{name: "two algorithms", h: header(crc, crc9, "x-amz-checksum-sha1", sha9), code: s3err.InvalidRequest,
			message: "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
		{name: "twice", h: header(crc, crc9, crc, crc9), code: s3err.InvalidRequest},
		{name: "unknown algorithm", h: header("x-amz-checksum-xxhash32", crc9), code: s3err.InvalidRequest},
		{name: "other x-amz-checksum headers", h: header("x-amz-checksum-type", "COMPOSITE", "x-amz-checksum-mode", "ENABLED", "x-amz-checksum-algorithm", "SHA1")},
		{name: "sdk agrees", h: header(crc, crc9, sdk, "crc32")},
		{name: "sdk differs", h: header(crc, crc9, sdk, "SHA1"), code: s3err.InvalidRequest, message: "Value for x-amz-sdk-checksum-algorithm header is invalid."},
		{name: "sdk unknown", h: header(crc, crc9, sdk, "MD6"), code: s3err.InvalidRequest},
		{name: "sdk alone", h: header(sdk, "CRC32"), code: s3err.InvalidRequest},
		{name: "good trailer", h: header("x-amz-trailer", crc, sdk, "CRC32"), announced: []string{crc}, trailer: header(crc, crc9)},
		{name: "wrong trailer", h: header("x-amz-trailer", crc), announced: []string{crc}, trailer: header(crc, crc9bad), verify: s3err.BadDigest},
		{name: "malformed trailer", h: header("x-amz-trailer", crc), announced: []string{crc}, trailer: header(crc, "x"), verify: s3err.InvalidRequest,
			message: "Value for x-amz-checksum-crc32 trailing header is invalid."},
		{name: "missing trailer", h: header("x-amz-trailer", crc), announced: []string{crc}, verify: s3err.MalformedTrailerError},
		{name: "trailer and header", h: header("x-amz-trailer", crc, "x-amz-checksum-sha1", sha9), announced: []string{crc}, code: s3err.InvalidRequest},
		{name: "trailer of a plain body", h: header("x-amz-trailer", crc), code: s3err.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := NewExpect(c.h, &Payload{announced: c.announced, trailer: c.trailer})
			code := c.code
			if err == nil {
				code = c.verify
				err = e.Verify(md5Of([]byte(body9)), sumOf(e.Algorithm(), []byte(body9)))
			} else if c.code == "" {
				t.Fatal(err)
			}
			if code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := wantCode(t, err, code); c.message != "" && got.Message != c.message {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestExpectNeedsTheRightAlgorithm(t *testing.T) {
	e, err := NewExpect(header("x-amz-checksum-crc32", crc9), &Payload{})
	if err != nil || e.Algorithm() != checksum.CRC32 || e.MD5() {
		t.Fatal(e, err)
	}
	wantCode(t, e.Verify(nil, checksum.Sum{}), s3err.BadDigest)
	wantCode(t, e.Verify(nil, checksum.Sum{Algorithm: checksum.CRC32C, Value: sumOf(checksum.CRC32, []byte(body9)).Value}), s3err.BadDigest)
}
