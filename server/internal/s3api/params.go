package s3api

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"pail/server/internal/s3err"
)

const (
	maxKeys     = 1000   // of one page of any listing but ListBuckets, and
	maxMetaKeys = 3000   // of ListObjectsV2 with metadata
	maxBuckets  = 10_000 // of one page of ListBuckets
)

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// parseSize reads a decimal number of bytes.
func parseSize(v string) (int64, bool) {
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil && n >= 0 && v[0] != '+' && v[0] != '-'
}

// countArg reads a parameter such as max-keys: fallback when it is not given, at most limit.
func (r *request) countArg(name string, fallback, limit int) (int, error) {
	return count(name, r.arg(name), fallback, limit)
}

// count reads the value of a parameter or header that is a number.
func count(name, v string, fallback, limit int) (int, error) {
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, invalidArgument(name, v, "Provided "+name+" not an integer or within integer range")
	}
	if n < 0 {
		return 0, invalidArgument(name, v, "Argument "+name+" must be an integer between 0 and 2147483647")
	}
	return min(int(n), limit), nil
}

// partArg reads a part number that must be there.
func (r *request) partArg() (int, error) {
	v := r.arg("partNumber")
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxParts {
		return 0, invalidArgument("partNumber", v, "Part number must be an integer between 1 and 10000, inclusive")
	}
	return n, nil
}

// urlEncoding reads encoding-type.
func (r *request) urlEncoding() (bool, error) {
	switch v := r.arg("encoding-type"); v {
	case "":
		return false, nil
	case "url":
		return true, nil
	default:
		return false, invalidArgument("encoding-type", v, "Invalid Encoding Method specified in Request")
	}
}

// A token names a position of a listing so that clients cannot read anything into it: base64url of a version byte, a
// checksum of kind and position, and the position. The checksum finds mistakes; there is nothing secret in a position.
const (
	tokenVersion = 1
	tokenSumSize = 6
)

func makeToken(kind, position string) string {
	b := append([]byte{tokenVersion}, tokenSum(kind, position)...)
	return base64.RawURLEncoding.EncodeToString(append(b, position...))
}

func tokenSum(kind, position string) []byte {
	sum := sha256.Sum256([]byte("pail list token\x00" + kind + "\x00" + position))
	return sum[:tokenSumSize]
}

// tokenArg reads the position of a continuation token; given is false when there is none.
func (r *request) tokenArg(kind string) (position string, given bool, err error) {
	values, given := r.query["continuation-token"]
	if !given || values[0] == "" { // as AWS has it of other empty parameters
		return "", false, nil
	}
	position, ok := parseToken(kind, values[0])
	if !ok {
		return "", true, s3err.Newf(s3err.InvalidArgument, "The continuation token provided is incorrect").
			With("ArgumentName", "continuation-token")
	}
	return position, true, nil
}

func parseToken(kind, token string) (position string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 1+tokenSumSize || b[0] != tokenVersion {
		return "", false
	}
	position = string(b[1+tokenSumSize:])
	return position, string(b[1:1+tokenSumSize]) == string(tokenSum(kind, position))
}

// appendURLEncoded appends s as encoding-type=url has it: everything but letters, digits, "-._~" and "/" escaped.
func appendURLEncoded(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == '/' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', hex[c>>4], hex[c&15])
	}
	return dst
}

// key writes an element whose value is a key or a piece of one, URL-encoded when the client asked for that.
func (x *xmlBuf) key(name, value string, encode bool) {
	if !encode {
		x.text(name, value)
		return
	}
	x.open(name)
	x.b = appendURLEncoded(x.b, value)
	x.close(name)
}

// optionalKey is key unless value is empty.
func (x *xmlBuf) optionalKey(name, value string, encode bool) {
	if value != "" {
		x.key(name, value, encode)
	}
}
