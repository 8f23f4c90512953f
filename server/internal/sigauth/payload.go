package sigauth

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
)

// The values of x-amz-content-sha256 that are no hash.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Payload is how the body of one request is to be read. It must not be used from several goroutines at once.
type Payload struct {
	sum     []byte       // that the plain body must have, nil for any
	chunked bool         // the body is wrapped in aws-chunked framing
	signer  *chunkSigner // of the chunks, nil when they are not signed
	length  int64

	announced []string // names of the trailers that may come, lower case
	trailer   http.Header

	buffers *sync.Pool
}

// payload decides from x-amz-content-sha256. signer is nil for requests that are not signed with V4.
func (v *Verifier) payload(in *input, mode string, signer *chunkSigner) (*Payload, error) {
	p := &Payload{length: in.http.ContentLength, buffers: v.buffers}
	trailers := false
	switch mode {
	case "", unsignedPayload:
		return p, nil
	case streamingSigned, streamingSignedTrailer:
		if signer == nil {
			return nil, s3err.Newf(s3err.InvalidRequest, "x-amz-content-sha256 %s requires Signature Version 4", mode)
		}
		p.signer, trailers = signer, mode == streamingSignedTrailer
	case streamingTrailer:
		trailers = true
	default:
		return p.hashed(mode)
	}
	p.chunked = true
	var err error
	if p.length, err = decodedLength(in.http.Header); err != nil {
		return nil, err
	}
	if trailers {
		p.announced, err = announcedTrailers(in.http.Header)
	}
	return p, err
}

func (p *Payload) hashed(mode string) (*Payload, error) {
	if strings.HasPrefix(mode, "STREAMING-AWS4-ECDSA-") {
		return nil, s3err.Newf(s3err.NotImplemented, "x-amz-content-sha256 %s is not implemented", mode)
	}
	sum, err := hex.DecodeString(mode)
	if err != nil || len(sum) != sha256.Size {
		return nil, invalidArgument("x-amz-content-sha256", mode, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "+
			"STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "+
			"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
	}
	p.sum = sum
	return p, nil
}

func decodedLength(h http.Header) (int64, error) {
	text := h.Get("X-Amz-Decoded-Content-Length")
	if text == "" {
		return 0, s3err.New(s3err.MissingContentLength)
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, invalidArgument("x-amz-decoded-content-length", text, "x-amz-decoded-content-length is invalid")
	}
	return int64(n), nil
}

// announcedTrailers reads x-amz-trailer. S3 takes a checksum there, and nothing else.
func announcedTrailers(h http.Header) ([]string, error) {
	var names []string
	for _, list := range h.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		if _, ok := checksum.ParseHeader(name); !ok {
			return nil, s3err.Newf(s3err.InvalidRequest, "The value specified in the x-amz-trailer header is not supported")
		}
	}
	if len(names) > 1 {
		return nil, s3err.Newf(s3err.InvalidRequest, "Expecting a single x-amz-checksum- header")
	}
	return names, nil
}

// DecodedLength gives the number of bytes that Body yields: Content-Length, or x-amz-decoded-content-length for an
// aws-chunked body. It is -1 when the client did not say.
func (p *Payload) DecodedLength() int64 { return p.length }

// Chunked reports whether the body is wrapped in aws-chunked framing. "aws-chunked" in Content-Encoding is then no
// encoding of the object.
func (p *Payload) Chunked() bool { return p.chunked }

// Body gives the reader of the object's bytes; call it once. The reader gives io.EOF only after everything about the
// body has been verified: its length, its hash, the signature of each chunk, and the trailer. Any other error means
// that what was read must be thrown away. An *s3err.Error is the client's fault; others are those of r.Body.
func (p *Payload) Body(r *http.Request) (io.Reader, error) {
	body := io.Reader(http.NoBody)
	if r.Body != nil {
		body = r.Body
	}
	if p.chunked {
		br := p.buffers.Get().(*bufio.Reader)
		br.Reset(body)
		return &chunkReader{payload: p, br: br, signer: p.signer}, nil
	}
	if p.sum != nil {
		return &plainReader{src: body, hash: sha256.New(), want: p.sum}, nil
	}
	return &plainReader{src: body}, nil
}

// Trailer gives the trailers of an aws-chunked body, nil when there were none. It is complete once Body's reader has
// given io.EOF, and must not be called before.
func (p *Payload) Trailer() http.Header { return p.trailer }

// plainReader passes a body on, and compares its hash at the end.
type plainReader struct {
	src  io.Reader
	hash hash.Hash // nil when any body will do
	want []byte
	err  error
}

func (r *plainReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.src.Read(p)
	if r.hash != nil {
		r.hash.Write(p[:n])
		if err == io.EOF {
			if got := r.hash.Sum(nil); !hmac.Equal(got, r.want) {
				err = s3err.New(s3err.XAmzContentSHA256Mismatch).With("ClientComputedContentSHA256", hex.EncodeToString(r.want)).
					With("S3ComputedContentSHA256", hex.EncodeToString(got))
			}
		}
	}
	r.err = bodyError(err)
	return n, r.err
}
