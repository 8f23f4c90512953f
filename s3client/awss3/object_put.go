package awss3

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"pail/s3client"
)

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	req, err := c.newObjectRequest(s3client.OpPut, http.MethodPut, key)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	return c.sendNew(ctx, req, r, opt)
}

// sendNew sends a body for a new version of the object of a request, with what opt says of it. The version is taken to be as
// long as the body.
func (c *Client) sendNew(ctx context.Context, req *request, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if err := c.setNew(req, opt.Meta, opt.System); err != nil {
		return s3client.ObjectInfo{}, err
	}
	setConditions(req.header, opt.IfMatch, opt.IfNoneMatch)
	if err := c.setBody(req, r); err != nil {
		return s3client.ObjectInfo{}, err
	}
	resp, err := c.do(ctx, req)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if err := c.genuine(req, resp); err != nil {
		return s3client.ObjectInfo{}, err
	}
	finish(resp)
	return s3client.ObjectInfo{
		Key: req.key, Size: req.body.size, ETag: s3client.ParseETag(first(resp.Header, "Etag")),
		VersionID: first(resp.Header, "X-Amz-Version-Id"),
	}, nil
}

// setBody attaches a body, which may be nil, to a request.
func (c *Client) setBody(req *request, r io.ReadSeeker) error {
	b, err := newBody(r)
	if err != nil {
		return c.newError(req, fmt.Errorf("reading the body to send: %w", err))
	}
	if b.size > s3client.MaxPartSize {
		e := c.newError(req, s3client.ErrTooLarge)
		e.Message = fmt.Sprintf("%d bytes in one request, at most %d are possible", b.size, int64(s3client.MaxPartSize))
		return e
	}
	req.body = b
	return nil
}
