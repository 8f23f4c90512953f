package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"pail/s3client"
)

// Client tries again what may pass. It is safe for concurrent use if the client below is.
type Client struct {
	next s3client.Client
	opt  Options
}

var (
	_ s3client.Client       = (*Client)(nil)
	_ s3client.UploadLister = (*Client)(nil)
	_ s3client.Leaser       = (*Client)(nil)
)

// New decorates next.
func New(next s3client.Client, opt Options) *Client {
	return &Client{next: next, opt: opt.withDefaults()}
}

// call is one call of a Client's method.
type call struct {
	try func() error
	// resolve, if not nil, is asked about a refusal that may be the echo of our own earlier attempt. It returns nil
	// if it is, and err otherwise. began is when the call did.
	resolve func(err error, began time.Time) error
	body    io.ReadSeeker // nil: none
}

// run makes attempts until one succeeds or nothing more is to be gained.
func (c *Client) run(ctx context.Context, k call) error {
	start, err := c.position(k.body)
	if err != nil {
		return err
	}
	began := c.opt.Clock.Now()
	unanswered, refused := false, false
	for n := 1; ; n++ {
		if n > 1 && k.body != nil {
			if _, err := k.body.Seek(start, io.SeekStart); err != nil {
				return c.bodyError(err)
			}
		}
		err := k.try()
		if err == nil {
			return nil
		}
		if unanswered && k.resolve != nil && isEcho(err) {
			return k.resolve(err, began)
		}
		if !passing(err) && (refused || !errors.Is(err, s3client.ErrCredentials)) {
			return err
		}
		unanswered = unanswered || errors.Is(err, s3client.ErrUnavailable)
		refused = refused || errors.Is(err, s3client.ErrCredentials)
		if err := c.pause(ctx, err, n, began); err != nil {
			return err
		}
	}
}

func (c *Client) position(body io.ReadSeeker) (int64, error) {
	if body == nil {
		return 0, nil
	}
	pos, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, c.bodyError(err)
	}
	return pos, nil
}

func (c *Client) bodyError(err error) error {
	return &s3client.Error{Op: "Seek", Bucket: c.next.Bucket(), Err: fmt.Errorf("the body to send: %w", err)}
}

// isEcho tells the refusals that a repeated request may get because it was done before.
func isEcho(err error) bool {
	return errors.Is(err, s3client.ErrPrecondition) || errors.Is(err, s3client.ErrNotFound) && !errors.Is(err, s3client.ErrNoBucket)
}

// passing tells the errors that may be gone the next time.
func passing(err error) bool {
	return s3client.IsAny(err, s3client.ErrUnavailable, s3client.ErrThrottled, s3client.ErrIntegrity, s3client.ErrConflict) &&
		!s3client.IsAny(err, context.Canceled, context.DeadlineExceeded)
}

// pause waits after attempt n failed with err. It returns err when there is to be no further attempt, and the
// context's error when that ended.
func (c *Client) pause(ctx context.Context, err error, n int, began time.Time) error {
	wait := c.opt.wait(n)
	var e *s3client.Error
	if errors.As(err, &e) {
		wait = max(wait, e.RetryAfter)
	}
	if n >= c.opt.Attempts || c.opt.Clock.Now().Add(wait).Sub(began) > c.opt.Deadline {
		return err
	}
	c.opt.Log.LogAttrs(ctx, slog.LevelDebug, "s3: trying again", slog.Int("attempt", n+1), slog.Duration("wait", wait), slog.Any("error", err))
	if ended := c.opt.Clock.Sleep(ctx, wait); ended != nil {
		return ctxError(err, ended)
	}
	return nil
}

// ctxError is the error of an operation that the context ended during a wait. The last failure names it; that of several keys
// each of them, as those that it does not name are taken to be done (see s3client.NotRemoved).
func ctxError(last, ended error) error {
	if list, ok := last.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, one := range list.Unwrap() {
			errs = append(errs, ctxError(one, ended))
		}
		return errors.Join(errs...)
	}
	var e *s3client.Error
	if !errors.As(last, &e) {
		return &s3client.Error{Err: ended}
	}
	return &s3client.Error{Op: e.Op, Bucket: e.Bucket, Key: e.Key, Err: ended}
}

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.next.Bucket() }

// Probe asks what the service can do.
func (c *Client) Probe(ctx context.Context) (caps s3client.Capabilities, err error) {
	err = c.run(ctx, call{try: func() (err error) { caps, err = c.next.Probe(ctx); return err }})
	return caps, err
}

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (info s3client.ObjectInfo, err error) {
	err = c.run(ctx, call{try: func() (err error) { info, err = c.next.Head(ctx, key); return err }})
	return info, err
}

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	k := call{body: body, try: func() (err error) { info, err = c.next.Put(ctx, key, body, opt); return err }}
	if opt.IfMatch != "" || opt.IfNoneMatch {
		start, err := c.position(body)
		if err != nil {
			return info, err
		}
		k.resolve = func(err error, began time.Time) error {
			ours, head := c.sent(ctx, key, sentObject{meta: opt.Meta, exclusive: opt.IfNoneMatch, began: began, content: content{body, start}})
			if !ours {
				return err
			}
			info = head
			return nil
		}
	}
	err = c.run(ctx, k)
	return info, err
}

// Patch makes a new version of an object.
func (c *Client) Patch(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PatchOptions) (info s3client.ObjectInfo, err error) {
	start, err := c.position(body)
	if err != nil {
		return info, err
	}
	err = c.run(ctx, call{
		body: body,
		try:  func() (err error) { info, err = c.next.Patch(ctx, key, body, opt); return err },
		resolve: func(err error, began time.Time) error {
			ours, head := c.patched(ctx, key, opt, content{body, start}, began)
			if !ours {
				return err
			}
			info = head
			return nil
		},
	})
	return info, err
}

// Copy copies an object inside the service.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (info s3client.ObjectInfo, err error) {
	k := call{try: func() (err error) { info, err = c.next.Copy(ctx, dst, src, opt); return err }}
	if opt.IfMatch != "" || opt.IfNoneMatch || opt.SrcIfMatch != "" {
		k.resolve = func(err error, began time.Time) error {
			ours, head := c.copied(ctx, dst, src, opt, began)
			if !ours {
				return err
			}
			info = head
			return nil
		}
	}
	err = c.run(ctx, k)
	return info, err
}

// Rename moves an object or a prefix.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	return c.run(ctx, call{
		try: func() error { return c.next.Rename(ctx, dst, src, opt) },
		resolve: func(err error, _ time.Time) error {
			if c.renamed(ctx, dst, src, opt) {
				return nil
			}
			return err
		},
	})
}

// Delete removes keys.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

// DeleteVersions removes keys that have certain versions. What the service has removed is not removed again with what it has
// not: by then it may be another client's. Only the first attempt may take whatever the keys have (Version.Any): those after
// it may come minutes later.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	now := list
	return c.run(ctx, call{try: func() error {
		err := s3client.DeleteVersions(ctx, c.next, now...)
		left := s3client.NotRemoved(err, s3client.KeysOf(now))
		now = slices.DeleteFunc(slices.Clone(list), func(v s3client.Version) bool { return left[v.Key] == nil })
		for i := range now {
			now[i].Any = nil
		}
		return err
	}})
}

// DeleteDirectory removes an empty directory. That it is gone after an attempt without an answer is what was asked for.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	return c.run(ctx, call{
		try: func() error { return c.next.DeleteDirectory(ctx, key) },
		resolve: func(err error, _ time.Time) error {
			if errors.Is(err, s3client.ErrNotFound) {
				return nil
			}
			return err
		},
	})
}

// List returns one page.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (page s3client.ListPage, err error) {
	err = c.run(ctx, call{try: func() (err error) { page, err = c.next.List(ctx, q); return err }})
	return page, err
}

// ListUploads returns one page of unfinished uploads.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (page s3client.UploadsPage, err error) {
	err = c.run(ctx, call{try: func() (err error) { page, err = s3client.ListUploads(ctx, c.next, q); return err }})
	return page, err
}

// JoinLeases opens a stream of leases, once: a holder that cannot have one does without.
func (c *Client) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	return s3client.JoinLeases(ctx, c.next)
}
