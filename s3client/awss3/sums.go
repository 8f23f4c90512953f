package awss3

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/minio/crc64nvme"

	"pail/s3client"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	// maxHashedBody is up to what size a body is hashed for the signature over plain http: 128 KiB take 75 us.
	maxHashedBody = 128 << 10

	checksumHeader = "X-Amz-Checksum-Crc64nvme"
)

// body is what a request sends, and its sums as far as they were asked for.
type body struct {
	r     io.ReadSeeker // nil: nothing
	start int64         // position of its first byte
	size  int64

	payload  string // value of x-amz-content-sha256
	checksum string // base64 CRC64NVME, "" if not computed
	md5      string // base64, "" if not computed
}

// newBody measures r from its current position. A nil r is an empty body.
func newBody(r io.ReadSeeker) (*body, error) {
	b := &body{r: r, payload: emptySHA256}
	if r == nil {
		return b, nil
	}
	var err error
	if b.start, err = r.Seek(0, io.SeekCurrent); err != nil {
		return nil, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if b.size = end - b.start; b.size < 0 {
		return nil, errors.New("the body's position is behind its end")
	}
	return b, b.rewind()
}

func (b *body) rewind() error {
	if b.r == nil {
		return nil
	}
	_, err := b.r.Seek(b.start, io.SeekStart)
	return err
}

// sumKinds are the sums to compute of a body.
type sumKinds struct{ crc, md5, sha256 bool }

func (c *Client) sumsFor(r *request) sumKinds {
	plain := c.target.Load().scheme == "http"
	k := sumKinds{crc: !c.checksumsOff.Load() && !r.noSums, md5: c.opt.ContentMD5 || r.needMD5}
	switch {
	case c.opt.UnsignedPayload || c.opt.SigV2:
	case c.opt.SignedPayload:
		k.sha256 = true
	case plain:
		k.sha256 = r.body.size <= maxHashedBody || !k.crc
	}
	return k
}

// sum computes them in one pass, unless the body knows them, and rewinds.
func (b *body) sum(k sumKinds) error {
	b.checksum, b.md5, b.payload = "", "", unsignedPayload
	if b.checksum = b.known(k); b.checksum != "" {
		return nil
	}
	var hashes []io.Writer
	var crc, md, sha hash.Hash
	if k.crc {
		crc = crc64nvme.New()
		hashes = append(hashes, crc)
	}
	if k.md5 {
		md = md5.New()
		hashes = append(hashes, md)
	}
	if k.sha256 && b.size > 0 {
		sha = sha256.New()
		hashes = append(hashes, sha)
	}
	if err := b.feed(hashes); err != nil {
		return err
	}
	if crc != nil {
		b.checksum = base64.StdEncoding.EncodeToString(crc.Sum(nil))
	}
	if md != nil {
		b.md5 = base64.StdEncoding.EncodeToString(md.Sum(nil))
	}
	switch {
	case b.size == 0:
		b.payload = emptySHA256
	case sha != nil:
		b.payload = hex.EncodeToString(sha.Sum(nil))
	}
	return nil
}

// known returns the checksum if the body has it, and nothing else is asked for.
func (b *body) known(k sumKinds) string {
	summed, ok := b.r.(s3client.Summed)
	if !ok || b.start != 0 || b.size == 0 || k != (sumKinds{crc: true}) {
		return ""
	}
	return summed.Checksum()
}

// feed writes the body into hashes. Bodies in memory (io.WriterTo) are not copied.
func (b *body) feed(hashes []io.Writer) error {
	if b.size == 0 || len(hashes) == 0 {
		return nil
	}
	w := hashes[0]
	if len(hashes) > 1 {
		w = io.MultiWriter(hashes...)
	}
	buf := bodyBuffers.Get().(*[maxWrite]byte)
	defer bodyBuffers.Put(buf)
	n, err := io.CopyBuffer(w, b.r, buf[:])
	if err != nil {
		return err
	}
	if n != b.size {
		return io.ErrUnexpectedEOF
	}
	return b.rewind()
}

// refusesChecksums tells an answer that objects to checksum headers from one that found a wrong sum, and from one whose
// message names an object that is called so.
func refusesChecksums(e *s3client.Error) bool {
	if e.Err != s3client.ErrInvalid && e.Err != s3client.ErrUnsupported {
		return false
	}
	text := e.Code + " " + e.Message
	for _, name := range []string{e.Key, escapePath(e.Key), path.Base(e.Key), e.Bucket} {
		if saysChecksum(name) {
			text = strings.ReplaceAll(text, name, "")
		}
	}
	return saysChecksum(text)
}

func saysChecksum(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "checksum") || strings.Contains(text, "crc64")
}
