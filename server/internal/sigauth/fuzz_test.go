package sigauth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"pail/server/internal/s3err"
)

func FuzzAuthorizationHeader(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 "+exampleScope+", SignedHeaders=host;x-amz-date, Signature=00", "20130524T000000Z", "/b/k?x", "v")
	f.Add("AWS "+exampleKey+":"+base64.StdEncoding.EncodeToString([]byte("x")), v2Date, "/", "")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=,Signature=", "", "*", "\x00")
	v := verifierAt(exampleTime(), "h")
	f.Fuzz(func(t *testing.T, auth, date, target, value string) {
		r := &http.Request{Method: "GET", Host: "b.h", RequestURI: target, URL: &url.URL{}, Header: http.Header{
			"Authorization": {auth}, "X-Amz-Date": {date}, "X-Amz-Meta-X": {value, value}, "X-Amz-Content-Sha256": {unsignedPayload}}}
		id, p, err := v.Authenticate(r)
		checkOutcome(t, id, p, err, auth == "")
	})
}

func FuzzPresignedQuery(f *testing.F) {
	f.Add(presignedTarget, "")
	f.Add("/b/k?AWSAccessKeyId="+exampleKey+"&Expires=9999999999&Signature=x%3D", "x")
	f.Add("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature", "")
	f.Add("/?%", "")
	v := verifierAt(exampleTime())
	f.Fuzz(func(t *testing.T, target, hash string) {
		r := &http.Request{Method: "GET", Host: "examplebucket.s3.amazonaws.com", RequestURI: target, URL: &url.URL{}, Header: http.Header{}}
		if hash != "" {
			r.Header.Set("X-Amz-Content-Sha256", hash)
		}
		id, p, err := v.Authenticate(r)
		checkOutcome(t, id, p, err, true)
	})
}

// checkOutcome holds for every request that was not signed with the secret, and for the one good seed.
func checkOutcome(t *testing.T, id Identity, p *Payload, err error, mayBeAnonymous bool) {
	t.Helper()
	if err != nil {
		e, ok := err.(*s3err.Error)
		if !ok || e.Status < 400 || e.Status >= 500 && e.Code != s3err.NotImplemented || p != nil || id != (Identity{}) {
			t.Fatalf("%v (%T)", err, err)
		}
		return
	}
	if p == nil || id.Anonymous != (id.AccessKey == "") || id.Anonymous && !mayBeAnonymous {
		t.Fatalf("%+v", id)
	}
}

func FuzzChunksSplitAnywhere(f *testing.F) {
	f.Add([]byte("hello"), 3, uint16(0))
	f.Add(pattern(20_000), 100, uint16(9000))
	f.Fuzz(func(t *testing.T, data []byte, read int, first uint16) {
		sizes := []int{len(data)}
		if n := int(first); n >= minChunk && n < len(data) {
			sizes = []int{n, len(data) - n}
		}
		if len(data) == 0 {
			sizes = nil
		}
		p, body := signedStream(t, data, sizes...)
		read = max(1, min(1<<16, read))
		got, err := decode(t, p, &splitReader{body, read}, read)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(data), err)
		}
	})
}

// splitReader gives at most n bytes at a time.
type splitReader struct {
	p []byte
	n int
}

func (s *splitReader) Read(p []byte) (int, error) {
	if len(s.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.p[:min(s.n, len(s.p))])
	s.p = s.p[n:]
	return n, nil
}

func FuzzChunkDecoder(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), int64(3), "", false)
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"), int64(3), "x-amz-checksum-crc32", false)
	f.Add(exampleChunkedBody()[:100], int64(66560), "", true)
	f.Add([]byte("7fffffffffffffff\r\n"), int64(1<<62), "", false)
	f.Fuzz(func(t *testing.T, body []byte, length int64, announced string, signed bool) {
		p := unsignedStream(max(0, length))
		if announced != "" {
			p.announced = []string{announced}
		}
		if signed {
			s, _ := signedStream(t, nil)
			p.signer = s.signer
		}
		got, err := decode(t, p, bytes.NewReader(body), 1000)
		if len(got) > len(body) {
			t.Fatalf("%d bytes out of %d", len(got), len(body))
		}
		if err == nil {
			if int64(len(got)) != p.length {
				t.Fatalf("%d bytes, %d were declared", len(got), p.length)
			}
			return
		}
		var e *s3err.Error
		if !errors.As(err, &e) || e.Status < 400 || e.Status >= 500 {
			t.Fatalf("%v (%T)", err, err)
		}
	})
}
