package sse

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"pail/server/internal/meta"
)

// Scheme is who has the key.
type Scheme byte

// The schemes. NB: their numbers must not change.
const (
	None     Scheme = 0
	S3       Scheme = 1
	KMS      Scheme = 2
	Customer Scheme = 3
)

// DefaultKey is the name of the key of KMS that is used where none is named.
const DefaultKey = "aws/s3"

var errInfo = errors.New("sse: malformed description of an encryption")

// Info says how an object is encrypted.
type Info struct {
	Scheme    Scheme
	Key       string // name of the key of KMS
	Context   string // of KMS, as the client sent it
	BucketKey bool   // of KMS: a label, and nothing more here

	salt, mark []byte // of Customer
}

// Encode gives the bytes that go into an object's row, nil for None. NB: tags must not change.
func (i Info) Encode() []byte {
	var e meta.Encoder
	e.Uint(1, uint64(i.Scheme))
	e.String(2, i.Key)
	e.String(3, i.Context)
	if i.BucketKey {
		e.Uint(4, 1)
	}
	e.Blob(5, i.salt)
	e.Blob(6, i.mark)
	return e.Bytes()
}

// Decode reads what Encode wrote.
func Decode(p []byte) (i Info, err error) {
	d := meta.NewDecoder(p)
	scheme := uint64(0)
	for d.Next() {
		switch d.Tag() {
		case 1:
			scheme = d.Uint()
		case 2:
			i.Key = d.String()
		case 3:
			i.Context = d.String()
		case 4:
			i.BucketKey = d.Uint() != 0
		case 5:
			i.salt = slices.Clone(d.Blob())
		case 6:
			i.mark = slices.Clone(d.Blob())
		}
	}
	if d.Err() != nil || scheme > uint64(Customer) || scheme == 0 && len(p) > 0 ||
		scheme == uint64(Customer) && (len(i.salt) != markSize || len(i.mark) != markSize) {
		return Info{}, errInfo
	}
	i.Scheme = Scheme(scheme)
	return i, nil
}

const markSize = 16

// CustomerKey is a key that came with a request. It is never kept, and must not be logged.
type CustomerKey struct{ secret [32]byte }

// NewCustomerKey makes one of its bytes, of which there must be 32.
func NewCustomerKey(secret []byte) (*CustomerKey, bool) {
	if len(secret) != 32 {
		return nil, false
	}
	return &CustomerKey{[32]byte(secret)}, true
}

// MD5 is the key's digest as S3's headers have it.
func (k *CustomerKey) MD5() string {
	sum := md5.Sum(k.secret[:])
	return base64.StdEncoding.EncodeToString(sum[:])
}

// String keeps the key out of what is printed.
func (*CustomerKey) String() string { return "customer key" }

// ForCustomer describes an object that is encrypted with k.
func ForCustomer(k *CustomerKey) Info {
	salt := make([]byte, markSize)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return Info{Scheme: Customer, salt: salt, mark: k.markWith(salt)}
}

func (k *CustomerKey) markWith(salt []byte) []byte {
	h := hmac.New(sha256.New, k.secret[:])
	h.Write([]byte("pail customer key\x00"))
	h.Write(salt)
	return h.Sum(nil)[:markSize]
}

// fits reports whether the object was encrypted with k.
func (i *Info) fits(k *CustomerKey) bool { return hmac.Equal(i.mark, k.markWith(i.salt)) }
