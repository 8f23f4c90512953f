package load

import (
	"crypto/md5"
	"math/rand/v2"
)

// Content of an object, made anew whenever it is needed.
type Content struct{ Seed, Size int }

// Gone is the content of a key that holds nothing.
var Gone = Content{Seed: -1}

// Bytes gives the content itself.
func (c Content) Bytes() []byte { return RandomBytes(uint64(c.Seed), c.Size) }

// is reports whether that is what reading c gives.
func (c Content) is(got []byte, err error) bool {
	if c == Gone {
		return err != nil
	}
	return err == nil && len(got) == c.Size && md5.Sum(got) == md5.Sum(c.Bytes())
}

// RandomBytes gives n bytes that depend on the seed only.
func RandomBytes(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}
