package checksum

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// MaxParts is the largest number of parts that a multipart object has.
const MaxParts = 10000

// ErrMalformed is given for a text that is no checksum of the algorithm.
var ErrMalformed = errors.New("checksum: malformed value")

// Sum is the value of a checksum. The zero Sum is no checksum.
type Sum struct {
	Algorithm Algorithm
	Value     []byte // big-endian, Algorithm.Size() bytes
	Parts     int    // the N of a COMPOSITE checksum, 0 for any other
}

// IsZero reports whether s holds no checksum.
func (s Sum) IsZero() bool { return s.Algorithm == "" }

// String gives the value as S3 writes it: base64, with "-N" for a COMPOSITE one.
func (s Sum) String() string {
	text := base64.StdEncoding.EncodeToString(s.Value)
	if s.Parts > 0 {
		text += "-" + strconv.Itoa(s.Parts)
	}
	return text
}

// Equal reports whether both hold the same checksum. Checksums are not secrets: the comparison is an ordinary one.
func (s Sum) Equal(o Sum) bool {
	return s.Algorithm == o.Algorithm && s.Parts == o.Parts && bytes.Equal(s.Value, o.Value)
}

// Decode reads the base64 of one value. The error is ErrMalformed.
func (a Algorithm) Decode(text string) (Sum, error) {
	size := a.Size()
	if size == 0 || len(text) != base64.StdEncoding.EncodedLen(size) {
		return Sum{}, ErrMalformed
	}
	v, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(v) != size {
		return Sum{}, ErrMalformed
	}
	return Sum{Algorithm: a, Value: v}, nil
}

// DecodeObject reads the checksum of a whole object, which may be a COMPOSITE one with "-N". The error is
// ErrMalformed.
func (a Algorithm) DecodeObject(text string) (Sum, error) {
	value, count, composite := strings.Cut(text, "-")
	s, err := a.Decode(value)
	if err != nil || !composite {
		return s, err
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > MaxParts || strconv.Itoa(n) != count || !a.Supports(Composite) {
		return Sum{}, ErrMalformed
	}
	s.Parts = n
	return s, nil
}
