package awss3

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"

	"pail/s3client"
)

// getBody is the body of a GET. It fails, with an *s3client.Error, when the connection breaks, when the body is
// shorter than announced, and when the checksum is wrong.
type getBody struct {
	ctx    context.Context
	c      *Client
	r      *request
	resp   *http.Response
	left   int64     // bytes to come; < 0: not announced
	verify *verifier // nil: there is nothing to verify against
	err    error     // sticks
}

func (b *getBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.resp.Body.Read(p)
	if b.verify != nil {
		b.verify.sum.Write(p[:n])
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err == nil && b.left != 0 {
		return n, nil
	}
	// With the last byte the verdict is due: a reader that knows the size will not ask again.
	b.err = b.conclude(err)
	if b.err == io.EOF && n > 0 {
		return n, nil
	}
	return n, b.err
}

// conclude returns io.EOF for a body that is complete and right.
func (b *getBody) conclude(err error) error {
	if err != nil && err != io.EOF {
		return b.c.transportError(b.ctx, b.r, err, nil)
	}
	if b.left > 0 {
		return b.c.transportError(b.ctx, b.r, io.ErrUnexpectedEOF, nil)
	}
	if b.verify != nil && !b.verify.ok() {
		e := b.c.newError(b.r, s3client.ErrIntegrity)
		e.Status, e.RequestID = b.resp.StatusCode, requestID(b.resp.Header)
		e.Message = fmt.Sprintf("the content does not have the checksum %s", b.verify.header)
		return e
	}
	return io.EOF
}

// Close ends the request. A connection with little left on it is kept.
func (b *getBody) Close() error {
	if b.left >= 0 && b.left <= 64<<10 && b.ctx.Err() == nil {
		finish(b.resp)
		return nil
	}
	return b.resp.Body.Close()
}

// verifier compares content with the checksum of a whole object.
type verifier struct {
	header string
	sum    hash.Hash
	want   []byte
}

// newVerifier takes the first checksum that covers the whole object, nil if there is none: those of a multipart
// upload may be checksums of checksums ("COMPOSITE", or with a "-N").
func newVerifier(h http.Header) *verifier {
	if t := first(h, "X-Amz-Checksum-Type"); t != "" && t != "FULL_OBJECT" {
		return nil
	}
	for _, kind := range []struct {
		header string
		hash   func() hash.Hash
	}{
		{checksumHeader, func() hash.Hash { return crc64nvme.New() }},
		{"X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
		{"X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }},
		{"X-Amz-Checksum-Sha256", sha256.New},
		{"X-Amz-Checksum-Sha1", sha1.New},
	} {
		value := first(h, kind.header)
		if value == "" || strings.Contains(value, "-") {
			continue
		}
		sum := kind.hash()
		want, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(want) != sum.Size() {
			continue
		}
		return &verifier{header: strings.ToLower(kind.header), sum: sum, want: want}
	}
	return nil
}

func (v *verifier) ok() bool { return bytes.Equal(v.sum.Sum(nil), v.want) }
