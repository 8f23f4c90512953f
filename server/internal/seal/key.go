package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

var (
	// ErrNoKey means that the key which a label names is not there.
	ErrNoKey = errors.New("seal: the key is not there")
	// ErrWrongKey means that the key is not the one that the label was made with, or the context is another.
	ErrWrongKey = errors.New("seal: the key does not fit")
)

// Keys makes and opens labels.
type Keys interface {
	// Wrap makes a data key for a new unit, and its label.
	Wrap(ID) (*Cipher, []byte, error)
	// Unwrap gives the cipher of a unit. The error is ErrNoKey or ErrWrongKey, or ErrOpen for what is no label.
	Unwrap(ID, []byte) (*Cipher, error)
}

// Key is one key that wraps data keys. It is safe for concurrent use.
type Key struct {
	kind    Kind
	name    string
	secret  [32]byte
	context []byte
}

// NewKey makes a Key. Name has 255 bytes at most. A context, which may be empty, is bound to what is sealed: a label that was
// made with another one does not open.
func NewKey(kind Kind, name string, secret [32]byte, context string) *Key {
	k := &Key{kind: kind, name: name, secret: secret}
	if context != "" {
		sum := sha256.Sum256([]byte(context))
		k.context = sum[:]
	}
	return k
}

// Wrap implements Keys.
func (k *Key) Wrap(id ID) (*Cipher, []byte, error) {
	var random [saltSize + 32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	c, label := k.wrap(id, random)
	return c, label, nil
}

// wrap makes a label of a random salt and data key.
func (k *Key) wrap(id ID, random [saltSize + 32]byte) (*Cipher, []byte) {
	label := head(k.kind, k.name, k.context)
	bound := boundTo(id, label)
	salt, data := random[:saltSize], [32]byte(random[saltSize:])
	label = append(label, salt...)
	label = aeadOf(k.wrapping(salt)).Seal(label, nonce(0, false), data[:], bound)
	return newCipher(data, id), label
}

// Unwrap implements Keys.
func (k *Key) Unwrap(id ID, label []byte) (*Cipher, error) {
	l, err := ParseLabel(label)
	if err != nil {
		return nil, ErrOpen
	}
	if l.Kind != k.kind || l.Name != k.name || subtle.ConstantTimeCompare(l.context, k.context) != 1 {
		return nil, ErrWrongKey
	}
	return k.Open(id, l)
}

// Open gives the cipher of a unit whose label names this very key, whatever the context.
func (k *Key) Open(id ID, l Label) (*Cipher, error) {
	data, err := aeadOf(k.wrapping(l.salt)).Open(nil, nonce(0, false), l.wrapped, boundTo(id, l.bound))
	if err != nil {
		return nil, ErrWrongKey
	}
	return newCipher([32]byte(data), id), nil
}

func boundTo(id ID, head []byte) []byte { return append(id[:], head...) }

// wrapping derives the key that wraps one data key.
func (k *Key) wrapping(salt []byte) [32]byte {
	b, err := hkdf.Key(sha256.New, k.secret[:], salt, "pail data key", 32)
	if err != nil {
		panic(err) // the length is right
	}
	return [32]byte(b)
}
