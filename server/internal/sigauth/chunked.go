package sigauth

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"pail/server/internal/s3err"
)

const (
	// chunkBuffer is the size of the buffer before a chunked body. Reads into larger slices bypass it.
	chunkBuffer = 8 << 10

	maxChunkHeader = 1024 // bytes of the line before a chunk
	minChunk       = 8192 // bytes of a chunk that is not the last with data

	chunkSignature = "chunk-signature="
)

// chunkReader unwraps aws-chunked framing:
//
//	HEX-SIZE[;chunk-signature=HEX] CRLF data CRLF ... 0[;chunk-signature=HEX] CRLF [trailer lines] CRLF
//
// Data goes straight to the caller's slice and is hashed there; a chunk's signature is compared when its last byte has
// been read, before anything of the next one is given out.
type chunkReader struct {
	payload *Payload
	br      *bufio.Reader
	signer  *chunkSigner // nil for unsigned chunks

	chunks int64 // begun so far
	size   int64 // of the current chunk
	left   int64 // of it still to be read
	total  int64 // of all chunks begun
	err    error // sticky
}

// Read gives the next bytes of the object.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, c.finish(err)
		}
	}
	n, err := c.br.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.hash.Write(p[:n])
	}
	if err != nil {
		return n, c.finish(cutShort(err))
	}
	return n, nil
}

// finish keeps the error and gives the buffer back.
func (c *chunkReader) finish(err error) error {
	c.err = err
	c.br.Reset(nil)
	c.payload.buffers.Put(c.br)
	c.br = nil
	return err
}

// next ends the chunk before and begins another one with data. At the end of the body it gives io.EOF.
func (c *chunkReader) next() error {
	if c.chunks > 0 {
		if err := c.endChunk(); err != nil {
			return err
		}
	}
	line, err := c.readLine(maxChunkHeader)
	if err != nil {
		return cutShort(err)
	}
	size, signature, ok := parseChunkHeader(line)
	if !ok || c.signer != nil && len(signature) != signatureHex {
		return s3err.Newf(s3err.IncompleteBody, "The aws-chunked body has a malformed chunk header")
	}
	if c.signer != nil {
		c.signer.expect(signature)
	}
	if size == 0 {
		return c.endBody()
	}
	if c.chunks > 0 && c.size < minChunk {
		return s3err.New(s3err.InvalidChunkSizeError).With("Chunk", strconv.FormatInt(c.chunks, 10)).
			With("BadChunkSize", strconv.FormatInt(c.size, 10))
	}
	if size > c.payload.length-c.total {
		return wrongLength()
	}
	c.chunks++
	c.size, c.left = size, size
	c.total += size
	return nil
}

func (c *chunkReader) endChunk() error {
	line, err := c.readLine(2)
	if err != nil {
		return cutShort(err)
	}
	if len(line) != 0 {
		return s3err.Newf(s3err.IncompleteBody, "The aws-chunked body has a chunk that is longer than its header says")
	}
	if c.signer != nil {
		return c.signer.verifyChunk()
	}
	return nil
}

// endBody verifies what follows the last chunk.
func (c *chunkReader) endBody() error {
	if c.total != c.payload.length {
		return wrongLength()
	}
	if c.signer != nil {
		if err := c.signer.verifyChunk(); err != nil {
			return err
		}
	}
	if err := c.readTrailers(); err != nil {
		return err
	}
	return io.EOF
}

func wrongLength() *s3err.Error {
	return s3err.Newf(s3err.IncompleteBody,
		"You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header")
}

// cutShort makes the end of the body an error of the client.
func cutShort(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return bodyError(err)
}

// readLine gives the next line without its end, CRLF or LF. The line is good until the next read. At the end of the
// body it gives io.EOF, and io.ErrUnexpectedEOF within a line.
func (c *chunkReader) readLine(limit int) ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case errors.Is(err, bufio.ErrBufferFull), err == nil && len(line) > limit:
		return nil, s3err.Newf(s3err.IncompleteBody, "The aws-chunked body has a line that is too long")
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// parseChunkHeader reads "HEX-SIZE" and, of the extensions that may follow after ";", the signature.
func parseChunkHeader(line []byte) (size int64, signature []byte, ok bool) {
	digits, extensions, _ := bytes.Cut(line, []byte{';'})
	if len(digits) == 0 || len(digits) > 16 {
		return 0, nil, false
	}
	for _, d := range digits {
		v := unhex(d)
		if v < 0 || size > (1<<63-1)>>4 {
			return 0, nil, false
		}
		size = size<<4 | int64(v)
	}
	for len(extensions) > 0 {
		var e []byte
		e, extensions, _ = bytes.Cut(extensions, []byte{';'})
		if s, found := bytes.CutPrefix(e, []byte(chunkSignature)); found {
			signature = s
		}
	}
	return size, signature, true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
