package memclient

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"pail/s3client"
)

// Options of a fake; the zero value is a plain S3 bucket named "bucket".
type Options struct {
	Bucket       string                // "" means "bucket"
	Capabilities s3client.Capabilities // Full() for everything
	Now          func() time.Time      // nil means time.Now
	MinPartSize  int64                 // 0 means s3client.MinPartSize
	MaxCopySize  int64                 // 0 means s3client.MaxCopySize
}

// Full returns all capabilities: what pail's own server offers.
func Full() s3client.Capabilities {
	return s3client.Capabilities{ConditionalPut: true, RenameObject: true, RenamePrefix: true, ListMetadata: true, CompleteMetadata: true, Patch: true, DeleteDirectory: true}
}

// Client is one client of a fake bucket. It is safe for concurrent use.
type Client struct {
	b      *bucket
	counts struct {
		sync.Mutex
		ops map[string]int
	}
}

var (
	_ s3client.Client       = (*Client)(nil)
	_ s3client.UploadLister = (*Client)(nil)
)

type bucket struct {
	name        string
	now         func() time.Time
	minPartSize int64
	maxCopySize int64

	mu struct {
		sync.Mutex
		caps    s3client.Capabilities
		keys    []string // of objects, ascending
		objects map[string]*object
		uploads map[string]*upload
		serial  int // of upload ids
	}
}

// object is immutable once it stands in the bucket.
type object struct {
	info s3client.ObjectInfo
	data []byte
}

// New returns a client of a new, empty bucket.
func New(opt Options) *Client {
	b := &bucket{name: opt.Bucket, now: opt.Now, minPartSize: opt.MinPartSize, maxCopySize: opt.MaxCopySize}
	if b.name == "" {
		b.name = "bucket"
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.minPartSize == 0 {
		b.minPartSize = s3client.MinPartSize
	}
	if b.maxCopySize == 0 {
		b.maxCopySize = s3client.MaxCopySize
	}
	b.mu.caps = opt.Capabilities
	b.mu.objects = map[string]*object{}
	b.mu.uploads = map[string]*upload{}
	return newClient(b)
}

func newClient(b *bucket) *Client {
	c := &Client{b: b}
	c.counts.ops = map[string]int{}
	return c
}

// Another returns a second client of the same bucket, with its own counters.
func (c *Client) Another() *Client { return newClient(c.b) }

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.b.name }

// SetCapabilities changes what the service offers, for all its clients.
func (c *Client) SetCapabilities(caps s3client.Capabilities) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.mu.caps = caps
}

// Probe returns the capabilities.
func (c *Client) Probe(ctx context.Context) (s3client.Capabilities, error) {
	if err := c.begin(ctx, s3client.OpProbe, ""); err != nil {
		return s3client.Capabilities{}, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.b.mu.caps, nil
}

// Counts returns how many requests of each operation this client made since New or ResetCounts, by the names that
// package s3client lists (OpHead, OpGet, ...).
func (c *Client) Counts() map[string]int {
	c.counts.Lock()
	defer c.counts.Unlock()
	return maps.Clone(c.counts.ops)
}

// Requests returns the sum of Counts.
func (c *Client) Requests() int {
	sum := 0
	for _, n := range c.Counts() {
		sum += n
	}
	return sum
}

// ResetCounts sets all counters to zero.
func (c *Client) ResetCounts() {
	c.counts.Lock()
	defer c.counts.Unlock()
	clear(c.counts.ops)
}

// Keys returns the keys of all objects in ascending order, without counting a request.
func (c *Client) Keys() []string {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return slices.Clone(c.b.mu.keys)
}

// Uploads returns the ids of the multipart uploads in progress, without counting a request.
func (c *Client) Uploads() []string {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return slices.Sorted(maps.Keys(c.b.mu.uploads))
}

// begin counts a request and refuses what no service would look at.
func (c *Client) begin(ctx context.Context, op, key string) error {
	if err := ctx.Err(); err != nil {
		return c.fail(op, key, "", 0, err)
	}
	c.counts.Lock()
	c.counts.ops[op]++
	c.counts.Unlock()
	if len(key) > s3client.MaxKeyLength {
		return c.fail(op, key, "KeyTooLongError", 400, s3client.ErrTooLarge)
	}
	return nil
}

// beginObject is begin for an operation that needs a key.
func (c *Client) beginObject(ctx context.Context, op, key string) error {
	if key == "" && ctx.Err() == nil {
		return c.fail(op, key, "InvalidRequest", 400, s3client.ErrInvalid)
	}
	return c.begin(ctx, op, key)
}

func (c *Client) fail(op, key, code string, status int, err error) *s3client.Error {
	return &s3client.Error{Op: op, Bucket: c.b.name, Key: key, Code: code, Status: status, Err: err}
}

func (b *bucket) setLocked(key string, o *object) {
	if _, ok := b.mu.objects[key]; !ok {
		i, _ := slices.BinarySearch(b.mu.keys, key)
		b.mu.keys = slices.Insert(b.mu.keys, i, key)
	}
	b.mu.objects[key] = o
}

func (b *bucket) removeLocked(key string) {
	if _, ok := b.mu.objects[key]; !ok {
		return
	}
	i, _ := slices.BinarySearch(b.mu.keys, key)
	b.mu.keys = slices.Delete(b.mu.keys, i, i+1)
	delete(b.mu.objects, key)
}

// modifiedLocked is when an object is written that is written now. XML tells milliseconds, headers whole seconds.
func (b *bucket) modifiedLocked() time.Time { return b.now().UTC().Truncate(time.Millisecond) }
