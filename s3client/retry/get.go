package retry

import (
	"context"
	"errors"
	"io"

	"pail/s3client"
)

// Get opens an object. A failure while reading is repaired out of the reader's sight.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	var object *s3client.Object
	err := c.run(ctx, call{try: func() (err error) { object, err = c.next.Get(ctx, key, opt); return err }})
	if err != nil {
		return nil, err
	}
	b := &body{ctx: ctx, c: c, key: key, etag: object.Info.ETag, off: opt.Range.Off, end: object.Info.Size, cur: object.Body}
	if n := opt.Range.Len; n > 0 {
		b.end = min(b.end, opt.Range.Off+n)
	}
	return &s3client.Object{Info: object.Info, Body: b}, nil
}

// body reads one version of an object through as many requests as it takes.
type body struct {
	ctx  context.Context
	c    *Client
	key  string
	etag s3client.ETag

	off, end int64 // what is still to come
	cur      io.ReadCloser
	failures int // since the last byte
	err      error
}

func (b *body) Read(p []byte) (int, error) {
	for b.err == nil {
		n, err := b.cur.Read(p)
		b.off += int64(n)
		if n > 0 {
			b.failures = 0
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if !b.broken(err) {
			b.err = err
		} else if b.off == b.end {
			b.err = io.EOF // all of it came
		} else if err := b.resume(err); err != nil {
			b.err = err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// broken tells a failure of the connection to a version that can be asked for again. A wrong checksum is none: the
// bytes are with the reader already. An object whose size the service did not tell (off is behind end) must not be
// taken for complete.
func (b *body) broken(err error) bool {
	return b.ctx.Err() == nil && b.etag != "" && b.off <= b.end && b.end > 0 &&
		(errors.Is(err, s3client.ErrUnavailable) || errors.Is(err, s3client.ErrThrottled))
}

// resume opens the rest.
func (b *body) resume(cause error) error {
	_ = b.cur.Close() // broken
	b.cur = nothing{}
	b.failures++
	if err := b.c.pause(b.ctx, cause, b.failures, b.c.opt.Clock.Now()); err != nil {
		return err
	}
	opt := s3client.GetOptions{Range: s3client.Range{Off: b.off, Len: b.end - b.off}, IfMatch: b.etag}
	return b.c.run(b.ctx, call{try: func() error {
		object, err := b.c.next.Get(b.ctx, b.key, opt)
		if err == nil {
			b.cur = object.Body
		}
		return err
	}})
}

func (b *body) Close() error { return b.cur.Close() }

// nothing stands in for a body that was closed.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (nothing) Close() error             { return nil }
