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
	set(req.header, "X-Amz-Patch-Size", strconv.FormatInt(opt.Size, 10))
	if len(opt.Ranges) > 0 {
		set(req.header, "X-Amz-Patch-Ranges", opt.RangesText())
	}
	info, err := c.sendNew(ctx, req, r, opt.PutOptions)
	if err == nil {
		info.Size = opt.Size
	}
	return info, err
}
