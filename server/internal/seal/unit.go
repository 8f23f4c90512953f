package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
)

const (
	// Overhead is how much longer a chunk gets, in bytes.
	Overhead = 16
	// ChunkSize is the number of bytes that are encrypted together.
	ChunkSize = sealedChunk - Overhead

	sealedChunk = 128 << 10 // blob.ChunkSize
)

// ErrOpen means that bytes are not what was sealed under that key.
var ErrOpen = errors.New("seal: encrypted bytes are damaged, or their key is another")

// ID is that of a unit.
type ID = [16]byte

// Cipher seals and opens the chunks of one unit. It is safe for concurrent use.
type Cipher struct {
	aead cipher.AEAD
	id   ID
}

func newCipher(key [32]byte, id ID) *Cipher { return &Cipher{aeadOf(key), id} }

func aeadOf(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key's length is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the block's length is right
	}
	return aead
}

func nonce(i int64, last bool) []byte {
	n := make([]byte, 12)
	if last {
		n[0] = 1
	}
	binary.BigEndian.PutUint64(n[4:], uint64(i))
	return n
}

// seal encrypts chunk i in place; p has room for Overhead more.
func (c *Cipher) seal(p []byte, i int64, last bool) []byte {
	return c.aead.Seal(p[:0], nonce(i, last), p, c.id[:])
}

// open decrypts chunk i to dst, which it may begin in place of.
func (c *Cipher) open(dst, p []byte, i int64, last bool) ([]byte, error) {
	out, err := c.aead.Open(dst[:0], nonce(i, last), p, c.id[:])
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// SealedSize gives the length of a unit of n bytes.
func SealedSize(n int64) int64 { return n + Overhead*((n+ChunkSize-1)/ChunkSize) }

// PlainSize gives the length of what a unit of that length holds. No unit has a length that is not ok.
func PlainSize(sealed int64) (n int64, ok bool) {
	n = sealed - Overhead*((sealed+sealedChunk-1)/sealedChunk)
	return n, sealed >= 0 && n >= 0 && SealedSize(n) == sealed
}

// SealAll encrypts the first n bytes of p in place as a unit, and gives the unit. p has room for SealedSize(n).
func (c *Cipher) SealAll(p []byte, n int) []byte {
	chunks := (n + ChunkSize - 1) / ChunkSize
	for i := chunks - 1; i >= 0; i-- { // from the end, where there is room
		from := p[i*ChunkSize : min((i+1)*ChunkSize, n)]
		at := i * sealedChunk
		to := p[at : at+len(from)]
		copy(to, from)
		c.seal(to, int64(i), i == chunks-1)
	}
	return p[:SealedSize(int64(n))]
}

// OpenAll decrypts a unit into new memory.
func (c *Cipher) OpenAll(sealed []byte) ([]byte, error) {
	n, ok := PlainSize(int64(len(sealed)))
	if !ok {
		return nil, ErrOpen
	}
	out := make([]byte, 0, n)
	for i := int64(0); len(sealed) > 0; i++ {
		chunk := sealed[:min(sealedChunk, len(sealed))]
		sealed = sealed[len(chunk):]
		plain, err := c.open(out[len(out):], chunk, i, len(sealed) == 0)
		if err != nil {
			return nil, err
		}
		out = out[:len(out)+len(plain)]
	}
	return out, nil
}
