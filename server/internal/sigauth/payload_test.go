package sigauth

import (
	"bytes"
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
		{streamingTrailer, []string{length, "1", trailer, "x-amz-checksum-xxhash64"}, s3err.NotImplemented},
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

// chunkedBy signs a body in chunks of the sizes given.
func chunkedBy(s *chunkSigner, data []byte, sizes ...int) []byte {
	var list []chunk
	for _, n := range append(sizes, 0) {
		c := chunk{data: data[:n]}
		data = data[n:]
		s.hash.Write(c.data)
		_ = s.verifyChunk() // fails, and leaves the right signature in prev
		c.signature = string(s.prev[:])
		list = append(list, c)
	}
	return chunks(list...)
}

// signedStream makes a body with signed chunks, and what reads it.
func signedStream(t testing.TB, data []byte, sizes ...int) (*Payload, []byte) {
	t.Helper()
	make := func() *chunkSigner {
		c := claimV4{scope: scope{exampleKey, "20130524", "us-east-1"}, time: exampleTime(), payloadHash: streamingSigned,
			signature: strings.Repeat("0", signatureHex)}
		return newChunkSigner(deriveKey(exampleSecret, "20130524", "us-east-1"), c)
	}
	p := &Payload{chunked: true, signer: make(), length: int64(len(data)), buffers: verifierAt(exampleTime()).buffers}
	return p, chunkedBy(make(), data, sizes...)
}

func decode(t testing.TB, p *Payload, src io.Reader, size int) ([]byte, error) {
	t.Helper()
	body, err := p.Body(&http.Request{Body: io.NopCloser(src)})
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	buf := make([]byte, size)
	for {
		n, err := body.Read(buf)
		out = append(out, buf[:n]...)
		if err == io.EOF {
			if n, again := body.Read(buf); n != 0 || again != io.EOF {
				t.Errorf("read after the end: %d, %v", n, again)
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7 >> 3)
	}
	return p
}

func TestSignedChunksOfManySizes(t *testing.T) {
	data := pattern(200_000)
	for _, sizes := range [][]int{{}, {1}, {8192}, {8192, 1}, {8192, 8192}, {65536, 65536, 1024}, {200_000}, {100_000, 9000, 91_000}} {
		total := 0
		for _, n := range sizes {
			total += n
		}
		for _, buf := range []int{1, 100, 8192, 1 << 20} {
			p, body := signedStream(t, data[:total], sizes...)
			got, err := decode(t, p, bytes.NewReader(body), buf)
			if err != nil || !bytes.Equal(got, data[:total]) {
				t.Errorf("%v with reads of %d: %d bytes, %v", sizes, buf, len(got), err)
			}
		}
	}
}

// No byte of a signed stream can be changed, and it can be cut nowhere, without an error.
func TestSignedStreamCannotBeTampered(t *testing.T) {
	data := pattern(8200)
	_, body := signedStream(t, data, 8192, 8)
	interesting := func(i int) bool { return i < 100 || i > 8180 || i%512 == 0 }
	for i := range body {
		if !interesting(i) {
			continue
		}
		spoilt := bytes.Clone(body)
		spoilt[i] ^= 1
		p, _ := signedStream(t, data, 8192, 8)
		got, err := decode(t, p, bytes.NewReader(spoilt), 1<<16)
		// Only the case of a hex digit, an empty line at the end, or CR as a part of a line's end carry no meaning.
		if err == nil && !bytes.Equal(got, data) {
			t.Errorf("byte %d changed from %q: other data without an error", i, body[i])
		}
		var e *s3err.Error
		if err != nil && (!errors.As(err, &e) || e.Status >= 500) {
			t.Errorf("byte %d: %v", i, err)
		}
		p, _ = signedStream(t, data, 8192, 8)
		if got, err := decode(t, p, bytes.NewReader(body[:i]), 1<<16); err == nil && i < len(body)-2 {
			t.Errorf("cut at %d of %d: %d bytes without an error", i, len(body), len(got))
		}
	}
}

func unsignedStream(length int64, announced ...string) *Payload {
	return &Payload{chunked: true, length: length, announced: announced, buffers: New(Options{}).buffers}
}

func TestBadFraming(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	long := strings.Repeat("a", 5000)
	for _, c := range []struct {
		name, body string
		length     int64
		announced  []string
		code       s3err.Code
	}{
		{"good", "3\r\nabc\r\n0\r\n\r\n", 3, nil, ""},
		{"good in upper case with zeros", "000C\r\nabcdefghijkl\r\n00\r\n\r\n", 12, nil, ""},
		{"good with LF alone", "3\nabc\n0\n\n", 3, nil, ""},
		{"good with an extension", "3;foo=bar\r\nabc\r\n0;foo\r\n\r\n", 3, nil, ""},
		{"good trailer", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", 3, []string{crc}, ""},
		{"good trailer as minio-go writes it", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\n\r\n\r\n", 3, []string{crc}, ""},
		{"empty", "", 0, nil, s3err.IncompleteBody},
		{"no last chunk", "3\r\nabc\r\n", 3, nil, s3err.IncompleteBody},
		{"cut in the data", "3\r\nab", 3, nil, s3err.IncompleteBody},
		{"cut in the header", "3", 3, nil, s3err.IncompleteBody},
		{"no size", "\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"size with a sign", "+3\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"negative size", "-3\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"size with a space", "3 \r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"no digit", "g\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"size beyond 63 bits", "8000000000000000\r\nabc", 3, nil, s3err.IncompleteBody},
		{"size of 17 digits", "00000000000000003\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"huge size", "7fffffffffffffff\r\nabc", 3, nil, s3err.IncompleteBody},
		{"long header", "3;" + long + "\r\nabc\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"endless header", strings.Repeat("0", 100_000), 3, nil, s3err.IncompleteBody},
		{"data longer than the chunk", "3\r\nabcd\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"data much longer than the chunk", "3\r\n" + long + long + "\r\n0\r\n\r\n", 3, nil, s3err.IncompleteBody},
		{"fewer bytes than declared", "3\r\nabc\r\n0\r\n\r\n", 4, nil, s3err.IncompleteBody},
		{"more bytes than declared", "3\r\nabc\r\n0\r\n\r\n", 2, nil, s3err.IncompleteBody},
		{"small chunk before another", "3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n", 6, nil, s3err.InvalidChunkSizeError},
		{"trailer not announced", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", 3, nil, s3err.MalformedTrailerError},
		{"other trailer announced", "3\r\nabc\r\n0\r\nx-amz-checksum-sha1:NSRBwg==\r\n\r\n", 3, []string{crc}, s3err.MalformedTrailerError},
		{"announced trailer missing", "3\r\nabc\r\n0\r\n\r\n", 3, []string{crc}, s3err.MalformedTrailerError},
		{"trailer twice", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", 3, []string{crc}, s3err.MalformedTrailerError},
		{"trailer without a value", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:\r\n\r\n", 3, []string{crc}, s3err.MalformedTrailerError},
		{"trailer without a colon", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", 3, []string{crc}, s3err.MalformedTrailerError},
		{"trailer cut short", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRB", 3, []string{crc}, s3err.IncompleteBody},
		{"long trailer", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:" + long + "\r\n\r\n", 3, []string{crc}, s3err.IncompleteBody},
		{"endless empty lines", "3\r\nabc\r\n0\r\n" + strings.Repeat("\r\n", 10_000), 3, nil, s3err.IncompleteBody},
		{"something after the end", "3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 3, nil, s3err.MalformedTrailerError},
		{"signature where none is due", "3\r\nabc\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n", 3, nil, s3err.MalformedTrailerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decode(t, unsignedStream(c.length, c.announced...), strings.NewReader(c.body), 64)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || int64(len(got)) != c.length {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestBadSignedTrailer(t *testing.T) {
	const (
		sum = "x-amz-checksum-crc32c:sOO8/Q==\r\n"
		sig = "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
	)
	for name, c := range map[string]struct {
		trailer string
		code    s3err.Code
	}{
		"no signature":            {sum, s3err.MalformedTrailerError},
		"no trailer":              {sig, s3err.MalformedTrailerError},
		"nothing":                 {"", s3err.MalformedTrailerError},
		"other value":             {strings.Replace(sum, "sOO", "tOO", 1) + sig, s3err.SignatureDoesNotMatch},
		"other signature":         {sum + strings.Replace(sig, "d81f", "d82f", 1), s3err.SignatureDoesNotMatch},
		"short signature":         {sum + sig[:40] + "\r\n", s3err.MalformedTrailerError},
		"signature twice":         {sum + sig + sig, s3err.MalformedTrailerError},
		"trailer after signature": {sig + sum, s3err.MalformedTrailerError},
	} {
		t.Run(name, func(t *testing.T) {
			body := chunks(exampleTrailerChunks()...)
			body = append(body[:len(body)-2], c.trailer+"\r\n"...)
			r := parse(t, exampleTrailerHead, httpChunked(body))
			_, p, err := verifierAt(exampleTime()).Authenticate(r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = readBody(t, p, r)
			wantCode(t, err, c.code)
		})
	}
}

// countingReader tells how the source was read.
type countingReader struct {
	r     io.Reader
	reads int
}

func (c *countingReader) Read(p []byte) (int, error) {
	c.reads++
	return c.r.Read(p)
}

func TestLargeChunksAreReadInLargePieces(t *testing.T) {
	const size = 8 << 20
	data := pattern(size)
	p, body := signedStream(t, data, size)
	src := &countingReader{r: bytes.NewReader(body)}
	got, err := decode(t, p, src, 1<<20)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatal(len(got), err)
	}
	if src.reads > 30 {
		t.Errorf("%d reads for %d bytes", src.reads, size)
	}
}

func TestChunksDoNotAllocate(t *testing.T) {
	data := pattern(1 << 20)
	sizes := make([]int, 16)
	for i := range sizes {
		sizes[i] = 1 << 16
	}
	p, body := signedStream(t, data, sizes...)
	seed := p.signer.prev
	buf := make([]byte, 1<<16)
	allocs := testing.AllocsPerRun(5, func() {
		p.signer.prev = seed
		p.signer.hash.Reset()
		b, _ := p.Body(&http.Request{Body: io.NopCloser(bytes.NewReader(body))})
		for {
			if _, err := b.Read(buf); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations for 16 chunks", allocs)
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
