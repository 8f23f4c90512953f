package sigauth

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"pail/server/internal/s3err"
)

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
	signer := func() *chunkSigner {
		c := claimV4{scope: scope{exampleKey, "20130524", "us-east-1"}, time: exampleTime(), payloadHash: streamingSigned,
			signature: strings.Repeat("0", signatureHex)}
		return newChunkSigner(deriveKey(exampleSecret, "20130524", "us-east-1"), c)
	}
	p := &Payload{chunked: true, signer: signer(), length: int64(len(data)), buffers: verifierAt(exampleTime()).buffers}
	return p, chunkedBy(signer(), data, sizes...)
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
