package sigauth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"pail/server/internal/s3err"
)

// put makes an authenticated PUT whose x-amz-content-sha256 is mode.
func put(t testing.TB, mode string, more ...string) (*http.Request, *Payload, error) {
	t.Helper()
	r := newRequest(t, http.MethodPut, "http://h/b/k")
	for i := 0; i < len(more); i += 2 {
		r.Header.Add(more[i], more[i+1])
	}
	r = sign(t, r, exampleKey, exampleSecret, "", mode, exampleTime())
	_, p, err := verifierAt(exampleTime()).Authenticate(r)
	return r, p, err
}

func TestPayloadModes(t *testing.T) {
	const length = "X-Amz-Decoded-Content-Length"
	const trailer = "X-Amz-Trailer"
	for _, c := range []struct {
		mode string
		more []string
		code s3err.Code
	}{
		{mode: unsignedPayload},
		{mode: emptySHA256},
		{mode: strings.ToUpper(emptySHA256)},
		{mode: streamingSigned, more: []string{length, "0"}},
		{mode: streamingTrailer, more: []string{length, "9223372036854775807", trailer, "x-amz-checksum-crc32"}},
		{mode: streamingTrailer, more: []string{length, "1", trailer, " X-Amz-Checksum-SHA256 ,"}},
		{mode: streamingTrailer, more: []string{length, "1"}},
		{"", nil, s3err.InvalidRequest},
		{"UNSIGNED", nil, s3err.InvalidArgument},
		{emptySHA256[:62], nil, s3err.InvalidArgument},
		{emptySHA256 + "00", nil, s3err.InvalidArgument},
		{strings.Repeat("g", 64), nil, s3err.InvalidArgument},
		{"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", nil, s3err.NotImplemented},
		{streamingSigned, nil, s3err.MissingContentLength},
		{streamingSigned, []string{length, "-1"}, s3err.InvalidArgument},
		{streamingSigned, []string{length, "+1"}, s3err.InvalidArgument},
		{streamingSigned, []string{length, "9223372036854775808"}, s3err.InvalidArgument},
		{streamingTrailer, []string{length, "1", trailer, "content-md5"}, s3err.InvalidRequest},
		{streamingTrailer, []string{length, "1", trailer, "x-amz-checksum-xxhash32"}, s3err.InvalidRequest},
		{streamingTrailer, []string{length, "1", trailer, "x-amz-checksum-crc32,x-amz-checksum-sha1"}, s3err.InvalidRequest},
		{streamingTrailer, []string{length, "1", trailer, "x-amz-checksum-crc32", trailer, "x-amz-checksum-crc32"}, s3err.InvalidRequest},
	} {
		_, p, err := put(t, c.mode, c.more...)
		if c.code != "" {
			wantCode(t, err, c.code)
		} else if err != nil || p == nil {
			t.Errorf("%s %q: %v", c.mode, c.more, err)
		}
	}
}

func TestPlainBodyIsComparedWithItsHash(t *testing.T) {
	sum := sha256.Sum256([]byte("hello"))
	mode := hex.EncodeToString(sum[:])
	for body, good := range map[string]bool{"hello": true, "hellp": false, "": false, "hello!": false} {
		r, p, err := put(t, mode)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(iotest.DataErrReader(strings.NewReader(body)))
		got, err := readBody(t, p, r)
		if good && (err != nil || string(got) != body) {
			t.Errorf("%q: %q, %v", body, got, err)
		} else if !good {
			e := wantCode(t, err, s3err.XAmzContentSHA256Mismatch)
			if e.Field("ClientComputedContentSHA256") != mode || len(e.Field("S3ComputedContentSHA256")) != 64 {
				t.Errorf("fields %v", e.Fields)
			}
		}
	}
}

func TestErrorsOfTheBody(t *testing.T) {
	boom := errors.New("boom")
	for _, mode := range []string{unsignedPayload, emptySHA256, streamingTrailer} {
		for cause, code := range map[error]s3err.Code{io.ErrUnexpectedEOF: s3err.IncompleteBody, boom: ""} {
			r, p, err := put(t, mode, "X-Amz-Decoded-Content-Length", "10")
			if err != nil {
				t.Fatal(err)
			}
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("a\r\n012"), iotest.ErrReader(cause)))
			body, _ := p.Body(r)
			_, err = io.ReadAll(body)
			if !errors.Is(err, cause) {
				t.Errorf("%s: %v does not hold %v", mode, err, cause)
			}
			if code != "" {
				wantCode(t, err, code)
			}
			if n, again := body.Read(make([]byte, 1)); n != 0 || !errors.Is(again, cause) {
				t.Errorf("%s: read after the error: %d, %v", mode, n, again)
			}
		}
	}
}

func TestNoBodyAtAll(t *testing.T) {
	r, p, err := put(t, emptySHA256)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = nil
	if got, err := readBody(t, p, r); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}
