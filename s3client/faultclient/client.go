package faultclient

import (
	"context"
	"errors"
	"io"
	"sync"

	"pail/s3client"
)

// Client does what its rules say and leaves the rest to the client below. It is safe for concurrent use if that is.
type Client struct {
	next s3client.Client
	mu   struct {
		sync.Mutex
		rules []*Rule
	}
}

var (
	_ s3client.Client       = (*Client)(nil)
	_ s3client.UploadLister = (*Client)(nil)
	_ s3client.Leaser       = (*Client)(nil)
)

// New decorates next. Without rules nothing changes.
func New(next s3client.Client) *Client { return &Client{next: next} }

// Add puts a fault into use. Of several that fit a call, the first one added is taken.
func (c *Client) Add(f Fault) *Rule {
	r := &Rule{fault: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.rules = append(c.mu.rules, r)
	return r
}

// Clear removes all rules.
func (c *Client) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.rules = nil
}

func (c *Client) match(op string, keys []string) Action {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.mu.rules {
		if r.hit(op, keys) {
			return r.fault.Do
		}
	}
	return Action{}
}

// do runs a call under the rules. body is what the call sends, if it sends something.
func (c *Client) do(ctx context.Context, op string, keys []string, body io.Reader, call func() error) error {
	return c.act(ctx, c.match(op, keys), op, keys, body, call)
}

func (c *Client) act(ctx context.Context, a Action, op string, keys []string, body io.Reader, call func() error) error {
	switch a.kind {
	case fail:
		return c.failure(op, keys, a.err)
	case cut:
		if body != nil {
			_, _ = io.CopyN(io.Discard, body, a.n) // a body that is shorter was sent whole, and lost
		}
		return c.failure(op, keys, a.err)
	case lose:
		if err := call(); err != nil {
			return err
		}
		return c.failure(op, keys, a.err)
	case hang:
		<-ctx.Done()
		return c.failure(op, keys, ctx.Err())
	case delay:
		select {
		case <-a.until:
		case <-ctx.Done():
			return c.failure(op, keys, ctx.Err())
		}
	}
	return call()
}

// failure makes err an error of this operation; an *s3client.Error keeps what it says about the answer.
func (c *Client) failure(op string, keys []string, err error) error {
	var e s3client.Error
	var given *s3client.Error
	if errors.As(err, &given) {
		e = *given
	} else {
		e.Err = err
	}
	e.Op, e.Bucket = op, c.next.Bucket()
	if len(keys) == 1 {
		e.Key = keys[0]
	}
	return &e
}

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.next.Bucket() }

// Probe asks what the service can do.
func (c *Client) Probe(ctx context.Context) (caps s3client.Capabilities, err error) {
	err = c.do(ctx, s3client.OpProbe, nil, nil, func() (err error) { caps, err = c.next.Probe(ctx); return err })
	return caps, err
}

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpHead, []string{key}, nil, func() (err error) { info, err = c.next.Head(ctx, key); return err })
	return info, err
}

// Get opens an object.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	keys := []string{key}
	a := c.match(s3client.OpGet, keys)
	onBody := a.kind == cut || a.kind == truncate || a.kind == corrupt
	var object *s3client.Object
	call := func() (err error) { object, err = c.next.Get(ctx, key, opt); return err }
	var err error
	if onBody {
		err = call()
	} else {
		err = c.act(ctx, a, s3client.OpGet, keys, nil, call)
	}
	if err != nil {
		if object != nil {
			_ = object.Body.Close() // the answer is lost
		}
		return nil, err
	}
	if onBody {
		object.Body = &faultyBody{ReadCloser: object.Body, a: a, failure: c.failure(s3client.OpGet, keys, a.err)}
	}
	return object, nil
}

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpPut, []string{key}, body, func() (err error) { info, err = c.next.Put(ctx, key, body, opt); return err })
	return info, err
}

// Patch makes a new version of an object.
func (c *Client) Patch(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PatchOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpPatch, []string{key}, body, func() (err error) { info, err = c.next.Patch(ctx, key, body, opt); return err })
	return info, err
}

// Copy copies an object inside the service.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpCopy, []string{dst}, nil, func() (err error) { info, err = c.next.Copy(ctx, dst, src, opt); return err })
	return info, err
}

// Rename moves an object or a prefix.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	return c.do(ctx, s3client.OpRename, []string{dst}, nil, func() error { return c.next.Rename(ctx, dst, src, opt) })
}

// Delete removes keys.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

// DeleteVersions removes keys that have certain versions.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	op := s3client.OpDeleteMany
	if len(list) == 1 {
		op = s3client.OpDelete
	}
	return c.do(ctx, op, s3client.KeysOf(list), nil, func() error { return s3client.DeleteVersions(ctx, c.next, list...) })
}

// DeleteDirectory removes an empty directory.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	return c.do(ctx, s3client.OpDeleteDir, []string{key}, nil, func() error { return c.next.DeleteDirectory(ctx, key) })
}

// JoinLeases opens a stream of leases, which no rule is about.
func (c *Client) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	return s3client.JoinLeases(ctx, c.next)
}

// List returns one page. The key that rules see is the prefix.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (page s3client.ListPage, err error) {
	err = c.do(ctx, s3client.OpList, []string{q.Prefix}, nil, func() (err error) { page, err = c.next.List(ctx, q); return err })
	return page, err
}
