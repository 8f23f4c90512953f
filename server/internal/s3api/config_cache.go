package s3api

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"

	"pail/server/internal/store"
)

// maxCachedConfigs bounds the parsed configurations that are kept.
const maxCachedConfigs = 4096

// configCache keeps parsed configurations, and the knowledge that there is none: what decides about every request must
// not be parsed for every request. An entry is good as long as no configuration of any bucket has changed since.
type configCache struct {
	store *store.Store
	lru   *lru.Cache[configKey, cachedConfig]
}

type configKey struct {
	bucket string
	kind   store.ConfigKind
}

type cachedConfig struct {
	generation uint64
	value      any // nil: there is none
}

func newConfigCache(s *store.Store) *configCache {
	c, _ := lru.New[configKey, cachedConfig](maxCachedConfigs) // fails for sizes below 1 only
	return &configCache{store: s, lru: c}
}

// configOf gives the parsed document of that kind, nil when the bucket has none or is not there.
func configOf[T any](ctx context.Context, c *configCache, bucket string, kind store.ConfigKind, parse func([]byte) (*T, error)) (*T, error) {
	key := configKey{bucket, kind}
	generation, err := c.store.ConfigGeneration(ctx) // before the document is read: a change after that is not missed
	if err != nil {
		return nil, err
	}
	if hit, ok := c.lru.Get(key); ok && hit.generation == generation {
		value, _ := hit.value.(*T)
		return value, nil
	}
	document, err := c.store.BucketConfig(ctx, bucket, kind)
	if errors.Is(err, store.ErrNoSuchBucket) {
		return nil, nil // names that clients make up do not displace real ones
	}
	if errors.Is(err, store.ErrNoSuchConfig) {
		c.lru.Add(key, cachedConfig{generation: generation})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value, err := parse(document)
	if err != nil {
		return nil, err
	}
	c.lru.Add(key, cachedConfig{generation, value})
	return value, nil
}
