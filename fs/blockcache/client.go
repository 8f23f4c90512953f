package blockcache

import (
	"context"
	"fmt"
	"io"
	"sync"

	"pail/s3client"
)

// Client returns a client whose Get of a known version (GetOptions.IfMatch) reads what is kept. All else is next's. The
// object that such a Get returns has the ETag and the size only.
func (c *Cache) Client(next s3client.Client) s3client.Client { return &client{next, c} }

type client struct {
	s3client.Client
	cache *Cache
}

// Has reports whether the beginning of a version is kept.
func (c *Cache) Has(key string, etag s3client.ETag) bool {
	name := newEntry(key, etag, 0).name
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.entries[name]
	return e != nil && e.records[0] != 0
}

// Get opens an object.
func (c *client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	if opt.IfMatch == "" {
		return c.Client.Get(ctx, key, opt)
	}
	e := c.cache.hold(key, opt.IfMatch, 0)
	if e == nil {
		return c.Client.Get(ctx, key, opt)
	}
	end := e.size
	if opt.Range.Len > 0 {
		end = min(opt.Range.Off+opt.Range.Len, e.size)
	}
	if opt.Range.Off < 0 || opt.Range.Off >= end || !c.cache.has(e, opt.Range.Off, end) {
		c.cache.release(e)
		return c.Client.Get(ctx, key, opt)
	}
	b := &kept{ctx: ctx, client: c, e: e, key: key, etag: opt.IfMatch, off: opt.Range.Off, end: end}
	return &s3client.Object{Info: s3client.ObjectInfo{Key: key, ETag: opt.IfMatch, Size: e.size}, Body: b}, nil
}

// kept reads a range of a version that is kept, and from the service what turns out to be damaged.
type kept struct {
	ctx      context.Context
	client   *client
	e        *entry
	key      string
	etag     s3client.ETag
	off, end int64
	buf      []byte // of the chunk that holds off
	rest     io.ReadCloser
	once     sync.Once
}

// chunks are buffers of one chunk.
var chunks = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

func (b *kept) Read(p []byte) (int, error) {
	switch {
	case b.rest != nil:
		return b.rest.Read(p)
	case b.off >= b.end:
		return 0, io.EOF
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	at := b.off - b.off%chunkSize
	if n := min(chunkSize, b.e.size-at); at == b.off && int64(len(p)) >= n && at+n <= b.end {
		if b.check(p[:n], at) { // no copy
			b.off += n
			return int(n), nil
		}
		return b.fallBack(p)
	}
	if b.buf == nil {
		b.buf = *chunks.Get().(*[]byte)
	}
	chunk := b.buf[:min(chunkSize, b.e.size-at)]
	if !b.check(chunk, at) {
		return b.fallBack(p)
	}
	n := copy(p, chunk[b.off-at:min(int64(len(chunk)), b.end-at)])
	b.off += int64(n)
	return n, nil
}

// check reads a whole chunk, and reports whether it is as it was written.
func (b *kept) check(chunk []byte, at int64) bool { return b.client.cache.check(b.e, chunk, at, b.end) }

// fallBack goes on with the service.
func (b *kept) fallBack(p []byte) (int, error) {
	rng := s3client.Range{Off: b.off, Len: b.end - b.off}
	o, err := b.client.Client.Get(b.ctx, b.key, s3client.GetOptions{Range: rng, IfMatch: b.etag})
	if err != nil {
		return 0, err
	}
	if o.Info.Size != b.e.size {
		return 0, fmt.Errorf("read %q: %w", b.key, s3client.ErrPrecondition)
	}
	b.rest = o.Body
	return b.rest.Read(p)
}

// Close ends the use of the version.
func (b *kept) Close() error {
	b.once.Do(func() {
		if b.buf != nil {
			chunks.Put(&b.buf)
		}
		b.client.cache.release(b.e)
	})
	if b.rest != nil {
		return b.rest.Close()
	}
	return nil
}
