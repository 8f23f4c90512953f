package store

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pail/server/internal/meta"
)

// manifestMemory bounds the decoded manifests that are kept, in bytes: some twelve of the largest, of 10,000 parts. One
// that takes less than smallManifest is decoded faster than it is worth.
const (
	manifestMemory = 16 << 20
	smallManifest  = 16 << 10
)

// manifestCache keeps decoded manifests: reading an object of 10,000 parts in many ranges must not decode all of them each
// time. An entry is never stale: a manifest never changes, and no ID is used again; that an object's row names it is seen
// in the same view. It is safe for concurrent use.
type manifestCache struct {
	limit int64

	mu    sync.Mutex
	lru   *simplelru.LRU[meta.ID, *manifest]
	bytes int64
}

func newManifestCache(limit int64) *manifestCache {
	c := &manifestCache{limit: limit}
	c.lru, _ = simplelru.NewLRU(1<<20, func(_ meta.ID, m *manifest) { c.bytes -= m.memory() }) // fails for sizes below 1 only
	return c
}

// load is loadManifest. Whoever gets the manifest must not change it.
func (c *manifestCache) load(r meta.Reader, row *objectRow) (*manifest, error) {
	c.mu.Lock()
	m, ok := c.lru.Get(row.body.id)
	c.mu.Unlock()
	if ok {
		return m, m.fits(row)
	}
	m, err := loadManifest(r, row)
	if err != nil || m.memory() < smallManifest {
		return m, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lru.Contains(row.body.id) {
		c.lru.Add(row.body.id, m)
		c.bytes += m.memory()
	}
	for c.bytes > c.limit {
		c.lru.RemoveOldest()
	}
	return m, nil
}

// memory is about what the manifest takes.
func (m *manifest) memory() int64 {
	const extentBytes, partBytes, rest = 32 + 8, 40 + 32, 512
	return rest + extentBytes*int64(cap(m.extents)) + partBytes*int64(cap(m.parts))
}
