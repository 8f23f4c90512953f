package lease

import (
	"context"
	"io"

	"pail/s3client"
)

// Client is what those send their requests through who rely on a Keeper: a change to which no answer comes has ended the
// leases that it falls under when the caller hears of it. Each method is written out, so that one that the interfaces are
// given some day cannot get past it. It is safe for concurrent use if the client below is.
type Client struct {
	next   s3client.Client
	keeper *Keeper
}

var (
	_ s3client.Client         = (*Client)(nil)
	_ s3client.UploadLister   = (*Client)(nil)
	_ s3client.VersionDeleter = (*Client)(nil)
	_ s3client.Leaser         = (*Client)(nil)
)

// Client decorates next. What repeats requests is below: an attempt that fails is not the end of a change.
func (k *Keeper) Client(next s3client.Client) *Client { return &Client{next, k} }

// told is for what was said of a change of keys, and passes it on.
func (c *Client) told(err error, keys ...string) error {
	if isUnknown(err) {
		for _, key := range keys {
			c.keeper.forfeit(key)
		}
	}
	return err
}

// isUnknown reports whether an error leaves it open what was done, or will be yet.
func isUnknown(err error) bool {
	return s3client.IsAny(err, s3client.ErrUnavailable, context.Canceled, context.DeadlineExceeded)
}

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.next.Bucket() }

// Probe asks what the service can do.
func (c *Client) Probe(ctx context.Context) (s3client.Capabilities, error) { return c.next.Probe(ctx) }

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	return c.next.Head(ctx, key)
}

// Get opens an object.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	return c.next.Get(ctx, key, opt)
}

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := c.next.Put(ctx, key, body, opt)
	return info, c.told(err, key)
}

// Patch makes a new version of an object.
func (c *Client) Patch(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PatchOptions) (s3client.ObjectInfo, error) {
	info, err := c.next.Patch(ctx, key, body, opt)
	return info, c.told(err, key)
}

// Copy copies an object inside the service.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	info, err := c.next.Copy(ctx, dst, src, opt)
	return info, c.told(err, dst)
}

// Rename moves an object or a prefix.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	return c.told(c.next.Rename(ctx, dst, src, opt), dst, src)
}

// Delete removes keys.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.toldOfEach(c.next.Delete(ctx, keys...), keys)
}

// DeleteVersions removes keys that have certain versions.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	return c.toldOfEach(s3client.DeleteVersions(ctx, c.next, list...), s3client.KeysOf(list))
}

// toldOfEach is told for keys of which some may have been removed for certain.
func (c *Client) toldOfEach(err error, keys []string) error {
	for key, err := range s3client.NotRemoved(err, keys) {
		_ = c.told(err, key)
	}
	return err
}

// DeleteDirectory removes an empty directory.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	return c.told(c.next.DeleteDirectory(ctx, key), key)
}

// List returns one page.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	return c.next.List(ctx, q)
}

// ListUploads returns one page of unfinished uploads.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (s3client.UploadsPage, error) {
	return s3client.ListUploads(ctx, c.next, q)
}

// JoinLeases opens a stream of leases.
func (c *Client) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	return s3client.JoinLeases(ctx, c.next)
}

// NewUpload starts a multipart upload. Nothing is under the key before its end.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	u, err := c.next.NewUpload(ctx, key, opt)
	return c.upload(u, key, err)
}

// ResumeUpload returns a handle on an upload.
func (c *Client) ResumeUpload(ctx context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	u, err := c.next.ResumeUpload(ctx, key, id, opt)
	return c.upload(u, key, err)
}

func (c *Client) upload(u s3client.Upload, key string, err error) (s3client.Upload, error) {
	if err != nil {
		return nil, err
	}
	return &upload{u, c, key}, nil
}

// upload is an upload whose end is a change of a key. That of one that is aborted is none.
type upload struct {
	next s3client.Upload
	c    *Client
	key  string
}

func (u *upload) ID() string { return u.next.ID() }

func (u *upload) Part(ctx context.Context, n int, body io.ReadSeeker) (s3client.Part, error) {
	return u.next.Part(ctx, n, body)
}

func (u *upload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	return u.next.CopyPart(ctx, n, src, r, ifMatch)
}

func (u *upload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := u.next.Complete(ctx, parts, as)
	return info, u.c.told(err, u.key)
}

func (u *upload) Abort(ctx context.Context) error { return u.next.Abort(ctx) }
