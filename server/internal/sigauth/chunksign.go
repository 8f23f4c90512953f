package sigauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"pail/server/internal/s3err"
)

// signatureHex is the length of a V4 signature as text.
const signatureHex = 2 * sha256.Size

// chunkSigner makes the chain of chunk signatures. Each one covers the one before, and the first the request's own.
type chunkSigner struct {
	accessKey string
	mac       hash.Hash // keyed with the signing key
	hash      hash.Hash // of the current chunk
	scope     string    // time and credential scope, with the line ends
	prev      [signatureHex]byte
	want      [signatureHex]byte
	sum       [sha256.Size]byte
	buf       []byte // string to sign
}

// newChunkSigner begins the chain at the request's signature. It is nil for requests whose body is not chunked.
func newChunkSigner(key [sha256.Size]byte, c claimV4) *chunkSigner {
	if c.payloadHash != streamingSigned && c.payloadHash != streamingSignedTrailer {
		return nil
	}
	s := &chunkSigner{
		accessKey: c.scope.accessKey,
		mac:       hmac.New(sha256.New, key[:]),
		hash:      sha256.New(),
		scope:     c.time.Format(isoBasic) + "\n" + c.scope.String() + "\n",
	}
	copy(s.prev[:], c.signature)
	return s
}

// expect sets the signature that the chunk now beginning must have. It has signatureHex bytes.
func (s *chunkSigner) expect(signature []byte) { copy(s.want[:], signature) }

// verifyChunk compares the signature of the chunk that was hashed, and begins the next one.
func (s *chunkSigner) verifyChunk() error {
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	s.begin("AWS4-HMAC-SHA256-PAYLOAD\n")
	s.buf = append(append(s.buf, emptyHash...), '\n')
	s.buf = hex.AppendEncode(s.buf, s.hash.Sum(s.sum[:0]))
	s.hash.Reset()
	return s.compare()
}

// verifyTrailer compares the signature of the trailer lines.
func (s *chunkSigner) verifyTrailer(canonical []byte, signature string) error {
	s.expect([]byte(signature))
	s.begin("AWS4-HMAC-SHA256-TRAILER\n")
	sum := sha256.Sum256(canonical)
	s.buf = hex.AppendEncode(s.buf, sum[:])
	return s.compare()
}

func (s *chunkSigner) begin(algorithm string) {
	s.buf = append(append(s.buf[:0], algorithm...), s.scope...)
	s.buf = append(append(s.buf, s.prev[:]...), '\n')
}

func (s *chunkSigner) compare() error {
	s.mac.Reset()
	s.mac.Write(s.buf)
	hex.Encode(s.prev[:], s.mac.Sum(s.sum[:0]))
	if hmac.Equal(s.prev[:], s.want[:]) {
		return nil
	}
	return s3err.New(s3err.SignatureDoesNotMatch).With("AWSAccessKeyId", s.accessKey).
		With("StringToSign", string(s.buf)).With("SignatureProvided", string(s.want[:]))
}
