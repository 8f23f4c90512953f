package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"pail/cmd/internal/opt"
	"pail/fs/blockcache"
	"pail/fs/readahead"
	"pail/s3client"
)

// dataCache is the cache of data on disk, nil without one.
type dataCache struct{ *blockcache.Cache }

// openCache opens the cache of the bucket below use_cache. Another mount of the bucket may have it; then this one goes on
// without.
func openCache(m *opt.Mount, log *slog.Logger) (dataCache, error) {
	if m.CacheDir == "" || m.Fake {
		return dataCache{}, nil
	}
	c, err := blockcache.Open(blockcache.Options{
		Dir:             filepath.Join(m.CacheDir, cacheName(m)),
		KeepFree:        m.KeepFreeBytes,
		KeepFreePercent: m.KeepFreePercent,
		MaxBytes:        m.CacheSize,
		Log:             log,
	})
	switch {
	case errors.Is(err, blockcache.ErrBusy):
		log.Warn("this mount has no cache on disk", "error", err)
		return dataCache{}, nil
	case err != nil:
		return dataCache{}, fmt.Errorf("use_cache %s cannot be used: %w", m.CacheDir, err)
	}
	return dataCache{c}, nil
}

// cacheName tells buckets of one name on different services apart.
func cacheName(m *opt.Mount) string {
	sum := sha256.Sum256([]byte(m.Endpoint + m.ServicePath))
	return m.Bucket + "-" + hex.EncodeToString(sum[:4])
}

// reads makes what is read come from the cache, and go into it.
func (c dataCache) reads(o readahead.Options) readahead.Options {
	if c.Cache != nil {
		o.Keeper = c.Cache
	}
	return o
}

// has reports whether the beginning of a version is in the cache.
func (c dataCache) has(key string, etag s3client.ETag) bool {
	return c.Cache != nil && c.Has(key, etag)
}

// lend lends files of versions that are wholly in the cache.
func (c dataCache) lend(key string, etag s3client.ETag, size int64) (f *os.File, giveBack func(), ok bool) {
	if c.Cache == nil {
		return nil, nil, false
	}
	return c.Lend(key, etag, size)
}

// dir returns where the cache is, "" without one.
func (c dataCache) dir() string {
	if c.Cache == nil {
		return ""
	}
	return c.Dir()
}

func (c dataCache) close() error {
	if c.Cache == nil {
		return nil
	}
	return c.Close()
}
