package sigauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// cachedKeys bounds the cache of signing keys: one is in use for each access key, region and day.
const cachedKeys = 1024

// keyCache keeps derived V4 signing keys, which cost four HMACs each. The secret is part of the lookup, so that a
// changed secret never meets an old key.
type keyCache struct {
	lru *lru.Cache[keyID, *signingKey]
}

// signingKey is a derived key with the hashes that were keyed with it, as keying takes most of the time of a signature.
type signingKey struct {
	raw  [sha256.Size]byte
	macs sync.Pool // of *mac
}

// mac is a keyed hash with the room for what it makes.
type mac struct {
	hash.Hash
	sum [sha256.Size]byte
	hex [signatureHex]byte
}

func newSigningKey(raw [sha256.Size]byte) *signingKey {
	k := &signingKey{raw: raw}
	k.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, k.raw[:])} }
	return k
}

// matches compares, in constant time, a signature in hex with that of toSign.
func (k *signingKey) matches(signature string, toSign []byte) bool {
	m := k.macs.Get().(*mac)
	defer k.macs.Put(m)
	m.Reset()
	m.Write(toSign)
	hex.Encode(m.hex[:], m.Sum(m.sum[:0]))
	return hmac.Equal([]byte(signature), m.hex[:])
}

type keyID struct {
	secret, date, region string
}

func newKeyCache() *keyCache {
	c, err := lru.New[keyID, *signingKey](cachedKeys)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &keyCache{c}
}

func (k *keyCache) get(secret string, s scope) *signingKey {
	id := keyID{secret, s.date, s.region}
	if key, ok := k.lru.Get(id); ok {
		return key
	}
	key := newSigningKey(deriveKey(secret, s.date, s.region))
	k.lru.Add(id, key)
	return key
}

func deriveKey(secret, date, region string) (key [sha256.Size]byte) {
	step := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, terminator} {
		h := hmac.New(sha256.New, step)
		h.Write([]byte(part))
		step = h.Sum(nil)
	}
	return [sha256.Size]byte(step)
}
