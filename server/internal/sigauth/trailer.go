package sigauth

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"pail/server/internal/s3err"
)

const (
	maxTrailers      = 4096 // bytes of all trailer lines
	trailerSignature = "x-amz-trailer-signature"
)

// readTrailers reads to the end of the body. Lines end in CRLF or LF, and empty ones may stand anywhere or be missing:
// minio-go puts one before the signature, others put one after the last chunk, and some leave out the last. They carry
// nothing: a body that was cut short is told by its length.
func (c *chunkReader) readTrailers() error {
	var canonical []byte
	var signature string
	for left := maxTrailers; ; {
		line, err := c.readLine(left)
		if err == io.EOF {
			break
		}
		if err != nil {
			return cutShort(err)
		}
		left -= len(line) + 1
		if len(line) == 0 {
			continue
		}
		name, value, ok := splitTrailer(line)
		if !ok || signature != "" {
			return s3err.New(s3err.MalformedTrailerError)
		}
		if name == trailerSignature && c.signer != nil {
			signature = value
			continue
		}
		if err := c.payload.addTrailer(name, value); err != nil {
			return err
		}
		canonical = append(append(append(append(canonical, name...), ':'), value...), '\n')
	}
	return c.checkTrailers(canonical, signature)
}

func (c *chunkReader) checkTrailers(canonical []byte, signature string) error {
	if len(c.payload.trailer) != len(c.payload.announced) {
		return s3err.New(s3err.MalformedTrailerError)
	}
	if c.signer == nil || canonical == nil && signature == "" {
		return nil
	}
	if len(signature) != signatureHex {
		return s3err.New(s3err.MalformedTrailerError)
	}
	return c.signer.verifyTrailer(canonical, signature)
}

func splitTrailer(line []byte) (name, value string, ok bool) {
	n, v, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return "", "", false
	}
	return strings.ToLower(string(bytes.TrimSpace(n))), string(bytes.TrimSpace(v)), true
}

// addTrailer keeps one trailer, if it was announced and has not come before.
func (p *Payload) addTrailer(name, value string) error {
	if !slices.Contains(p.announced, name) || p.trailer.Get(name) != "" || value == "" {
		return s3err.New(s3err.MalformedTrailerError).Wrap(errors.New("trailer " + name))
	}
	if p.trailer == nil {
		p.trailer = http.Header{}
	}
	p.trailer.Set(name, value)
	return nil
}
