package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// Algorithm is one of S3's checksum algorithms, or "" for none.
type Algorithm string

// The algorithms by the names that S3's headers and XML use.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
	SHA512    Algorithm = "SHA512"
	MD5       Algorithm = "MD5"
	XXHASH64  Algorithm = "XXHASH64"
	XXHASH3   Algorithm = "XXHASH3"
	XXHASH128 Algorithm = "XXHASH128"
)

// The types of a multipart object's checksum, as the header x-amz-checksum-type names them.
const (
	Composite  = "COMPOSITE"
	FullObject = "FULL_OBJECT"
)

// HeaderPrefix begins the name of the header or trailer that carries a checksum.
const HeaderPrefix = "x-amz-checksum-"

var algorithms = []Algorithm{CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128}

// Algorithms gives all algorithms.
func Algorithms() []Algorithm { return slices.Clone(algorithms) }

// Parse finds the algorithm of that name. Letters may be of either case.
func Parse(name string) (Algorithm, bool) {
	for _, a := range algorithms {
		if strings.EqualFold(name, string(a)) {
			return a, true
		}
	}
	return "", false
}

// ParseHeader finds the algorithm whose value the header or trailer of that name carries.
func ParseHeader(name string) (Algorithm, bool) {
	if len(name) <= len(HeaderPrefix) || !strings.EqualFold(name[:len(HeaderPrefix)], HeaderPrefix) {
		return "", false
	}
	return Parse(name[len(HeaderPrefix):])
}

// Header gives the name of the header that carries the value, in lower case: "x-amz-checksum-crc32c".
func (a Algorithm) Header() string { return HeaderPrefix + strings.ToLower(string(a)) }

// New gives a fresh hash whose Sum is the value of a Sum, or nil when a is none of S3's algorithms.
func (a Algorithm) New() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case CRC64NVME:
		return crc64nvme.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New()
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh128{xxh3.New()}
	}
	return nil
}

// xxh128 is the wider sum of the hash of XXHASH3.
type xxh128 struct{ *xxh3.Hasher }

func (h xxh128) Size() int { return 16 }

func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128().Bytes()
	return append(b, sum[:]...)
}

// Size gives the length of a value in bytes, 0 when a is none of S3's algorithms.
func (a Algorithm) Size() int {
	switch a {
	case CRC32, CRC32C:
		return crc32.Size
	case CRC64NVME:
		return crc64nvme.Size
	case SHA1:
		return sha1.Size
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	case MD5, XXHASH128:
		return 16
	case XXHASH64, XXHASH3:
		return 8
	}
	return 0
}

// Supports reports whether a multipart upload may have a checksum of that type.
func (a Algorithm) Supports(checksumType string) bool {
	switch checksumType {
	case Composite:
		return a.Size() > 0 && a != CRC64NVME
	case FullObject:
		return a == CRC32 || a == CRC32C || a == CRC64NVME
	}
	return false
}

// DefaultType gives the type of a multipart upload that names only the algorithm.
func (a Algorithm) DefaultType() string {
	if a == CRC64NVME {
		return FullObject
	}
	return Composite
}
