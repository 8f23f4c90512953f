// Package limit decorates a Client with an upper limit of concurrent requests.
//
// Reads (Get, until its body is closed), Heads and all other requests have a limit each. A body that is being sent may be
// reading from an object at the same time; with one limit for both, enough such uploads would wait for each other for ever.
// Heads cost so little that many at once do no harm, and they come by the thousand. Put it below package retry, so that a
// call that waits to be repeated holds no slot. A caller must not need a second open Get to make progress with a first one.
package limit

import (
	"context"
	"io"
	"sync"

	"pail/s3client"
)

// Client limits concurrent requests. It is safe for concurrent use if the client below is.
type Client struct {
	next                 s3client.Client
	reads, heads, others chan struct{} // hold one token for each request in progress
}

var (
	_ s3client.Client       = (*Client)(nil)
	_ s3client.UploadLister = (*Client)(nil)
	_ s3client.Leaser       = (*Client)(nil)
)

// New decorates next so that at most n reads, heads Heads and n other requests are in progress; less than 1 means 1.
func New(next s3client.Client, n, heads int) *Client {
	n = max(n, 1)
	return &Client{next: next, reads: make(chan struct{}, n), heads: make(chan struct{}, max(heads, 1)), others: make(chan struct{}, n)}
}

// enter takes a slot; the caller leaves it.
func (c *Client) enter(ctx context.Context, slots chan struct{}, op, key string) error {
	err := ctx.Err()
	if err == nil {
		select {
		case slots <- struct{}{}:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return &s3client.Error{Op: op, Bucket: c.next.Bucket(), Key: key, Err: err}
}

// do runs call within a slot of others.
func (c *Client) do(ctx context.Context, op, key string, call func() error) error {
	return c.within(ctx, c.others, op, key, call)
}

func (c *Client) within(ctx context.Context, slots chan struct{}, op, key string, call func() error) error {
	if err := c.enter(ctx, slots, op, key); err != nil {
		return err
	}
	defer func() { <-slots }()
	return call()
}

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.next.Bucket() }

// Probe asks what the service can do.
func (c *Client) Probe(ctx context.Context) (caps s3client.Capabilities, err error) {
	err = c.do(ctx, s3client.OpProbe, "", func() (err error) { caps, err = c.next.Probe(ctx); return err })
	return caps, err
}

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (info s3client.ObjectInfo, err error) {
	err = c.within(ctx, c.heads, s3client.OpHead, key, func() (err error) { info, err = c.next.Head(ctx, key); return err })
	return info, err
}

// Get opens an object; the request counts until its body is closed.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	if err := c.enter(ctx, c.reads, s3client.OpGet, key); err != nil {
		return nil, err
	}
	object, err := c.next.Get(ctx, key, opt)
	if err != nil {
		<-c.reads
		return nil, err
	}
	return &s3client.Object{Info: object.Info, Body: &body{ReadCloser: object.Body, slots: c.reads}}, nil
}

type body struct {
	io.ReadCloser
	slots chan struct{}
	once  sync.Once
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { <-b.slots })
	return err
}

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpPut, key, func() (err error) { info, err = c.next.Put(ctx, key, r, opt); return err })
	return info, err
}

// Patch makes a new version of an object.
func (c *Client) Patch(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PatchOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpPatch, key, func() (err error) { info, err = c.next.Patch(ctx, key, r, opt); return err })
	return info, err
}

// Copy copies an object inside the service.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (info s3client.ObjectInfo, err error) {
	err = c.do(ctx, s3client.OpCopy, dst, func() (err error) { info, err = c.next.Copy(ctx, dst, src, opt); return err })
	return info, err
}

// Rename moves an object or a prefix.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	return c.do(ctx, s3client.OpRename, dst, func() error { return c.next.Rename(ctx, dst, src, opt) })
}

// Delete removes keys.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

// DeleteVersions removes keys that have certain versions.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	op, key := s3client.OpDeleteMany, ""
	if len(list) == 1 {
		op, key = s3client.OpDelete, list[0].Key
	}
	return c.do(ctx, op, key, func() error { return s3client.DeleteVersions(ctx, c.next, list...) })
}

// DeleteDirectory removes an empty directory.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	return c.do(ctx, s3client.OpDeleteDir, key, func() error { return c.next.DeleteDirectory(ctx, key) })
}

// List returns one page.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (page s3client.ListPage, err error) {
	err = c.do(ctx, s3client.OpList, "", func() (err error) { page, err = c.next.List(ctx, q); return err })
	return page, err
}

// ListUploads returns one page of unfinished uploads.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (page s3client.UploadsPage, err error) {
	err = c.do(ctx, s3client.OpListUploads, "", func() (err error) { page, err = s3client.ListUploads(ctx, c.next, q); return err })
	return page, err
}

// NewUpload starts a multipart upload.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (u s3client.Upload, err error) {
	err = c.do(ctx, s3client.OpNewUpload, key, func() (err error) { u, err = c.next.NewUpload(ctx, key, opt); return err })
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, key: key}, nil
}

// ResumeUpload returns a handle on an upload.
func (c *Client) ResumeUpload(ctx context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	u, err := c.next.ResumeUpload(ctx, key, id, opt)
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, key: key}, nil
}

// JoinLeases opens a stream of leases, which takes no slot, as it lasts; nor do the few requests of its holder, which
// others may wait for.
func (c *Client) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	return s3client.JoinLeases(ctx, c.next)
}
