package sigauth

import (
	"crypto/hmac"
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// cachedKeys bounds the cache of signing keys: one is in use for each access key, region and day.
const cachedKeys = 1024

// keyCache keeps derived V4 signing keys, which cost four HMACs each. The secret is part of the lookup, so that a
// changed secret never meets an old key.
type keyCache struct {
	lru *lru.Cache[keyID, [sha256.Size]byte]
}

type keyID struct {
	secret, date, region string
}

func newKeyCache() *keyCache {
	c, err := lru.New[keyID, [sha256.Size]byte](cachedKeys)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &keyCache{c}
}

func (k *keyCache) get(secret string, s scope) [sha256.Size]byte {
	id := keyID{secret, s.date, s.region}
	if key, ok := k.lru.Get(id); ok {
		return key
	}
	key := deriveKey(secret, s.date, s.region)
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
