package checksum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

var (
	errType  = errors.New("checksum: the algorithm has no checksum of this type")
	errValue = errors.New("checksum: value of the wrong length")
)

// OfParts gives the COMPOSITE checksum over the values of the parts, in order. It fails when there are no parts, when
// a value has the wrong length, and for CRC64NVME, which has no such form.
func OfParts(a Algorithm, values [][]byte) (Sum, error) {
	if !a.Supports(Composite) {
		return Sum{}, fmt.Errorf("%w: %q %s", errType, a, Composite)
	}
	if len(values) == 0 {
		return Sum{}, errors.New("checksum: no parts")
	}
	h := a.New()
	for _, v := range values {
		if len(v) != a.Size() {
			return Sum{}, errValue
		}
		h.Write(v)
	}
	return Sum{Algorithm: a, Value: h.Sum(nil), Parts: len(values)}, nil
}

// Combiner builds the FULL_OBJECT checksum from those of consecutive pieces. It is cheap: the factor of one length is
// kept, as all parts but the last tend to be of one size. It must not be used from several goroutines at once.
type Combiner struct {
	algorithm Algorithm
	ring      ring
	crc       uint64

	length int64  // the length that factor belongs to, 0 for none yet
	factor uint64 // x^(8*length)
}

// NewCombiner starts with no bytes. It fails for the hashes, which do not combine.
func NewCombiner(a Algorithm) (*Combiner, error) {
	c := &Combiner{algorithm: a}
	switch a {
	case CRC32:
		c.ring = ring{poly: crc32.IEEE, bits: 32}
	case CRC32C:
		c.ring = ring{poly: crc32.Castagnoli, bits: 32}
	case CRC64NVME:
		c.ring = ring{poly: crc64nvme.NVME, bits: 64}
	default:
		return nil, fmt.Errorf("%w: %q %s", errType, a, FullObject)
	}
	return c, nil
}

// Add appends a piece of length bytes (0 or more) whose checksum is value.
func (c *Combiner) Add(value []byte, length int64) error {
	if len(value) != c.algorithm.Size() || length < 0 {
		return errValue
	}
	if length == 0 {
		return nil
	}
	if length != c.length {
		c.length, c.factor = length, c.ring.power8(uint64(length))
	}
	c.crc = c.ring.mul(c.factor, c.crc) ^ decode(value)
	return nil
}

// Replace takes other bytes for a piece that was added, of the same length, with after bytes behind it.
func (c *Combiner) Replace(was, is []byte, after int64) error {
	if size := c.algorithm.Size(); len(was) != size || len(is) != size || after < 0 {
		return errValue
	}
	c.crc ^= c.ring.mul(c.ring.power8(uint64(after)), decode(was)^decode(is))
	return nil
}

// Sum gives the checksum of all pieces added so far.
func (c *Combiner) Sum() Sum {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], c.crc)
	return Sum{Algorithm: c.algorithm, Value: append([]byte(nil), b[8-c.algorithm.Size():]...)}
}

func decode(value []byte) uint64 {
	if len(value) == 4 {
		return uint64(binary.BigEndian.Uint32(value))
	}
	return binary.BigEndian.Uint64(value)
}

// ring is the polynomials over GF(2) modulo one of degree bits. They are written reflected, as CRCs are: the
// coefficient of x^0 is the bit bits-1. (Mark Adler describes the method in zlib's crc32.c.)
type ring struct {
	poly uint64
	bits uint
}

// mul gives a*b.
func (r ring) mul(a, b uint64) uint64 {
	var product uint64
	for m := uint64(1) << (r.bits - 1); m != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
		}
		b = b>>1 ^ r.poly&-(b&1)
	}
	return product
}

// power8 gives x^(8n).
func (r ring) power8(n uint64) uint64 {
	result := uint64(1) << (r.bits - 1)
	for square := uint64(1) << (r.bits - 1 - 8); n != 0; n >>= 1 {
		if n&1 != 0 {
			result = r.mul(result, square)
		}
		square = r.mul(square, square)
	}
	return result
}
