package awss3

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"pail/s3client"
)

// Patch makes a new version of an object of the one in place. It is a POST, which a service that does not know it refuses.
func (c *Client) Patch(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PatchOptions) (s3client.ObjectInfo, error) {
	req, err := c.newObjectRequest(s3client.OpPatch, http.MethodPost, key)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	req.query = "patch"
	if err := c.setNew(req, opt.Meta, opt.System); err != nil {
		return s3client.ObjectInfo{}, err
	}
	setConditions(req.header, opt.IfMatch, opt.IfNoneMatch)
	set(req.header, "X-Amz-Patch-Size", strconv.FormatInt(opt.Size, 10))
	if len(opt.Ranges) > 0 {
		set(req.header, "X-Amz-Patch-Ranges", opt.RangesText())
	}
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
		Key: key, Size: opt.Size, ETag: s3client.ParseETag(first(resp.Header, "Etag")),
		VersionID: first(resp.Header, "X-Amz-Version-Id"),
	}, nil
}
