package memclient

import (
	"bytes"
	"context"
	"crypto/md5"
	"io"

	"pail/s3client"
)

// Patch makes a new version of an object of the one in place.
func (c *Client) Patch(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PatchOptions) (s3client.ObjectInfo, error) {
	const op = s3client.OpPatch
	if err := c.beginObject(ctx, op, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	meta, err := c.cleanMeta(op, key, opt.Meta)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	body, err := c.readBody(ctx, op, key, r)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if !c.b.mu.caps.Patch {
		return s3client.ObjectInfo{}, c.fail(op, key, "MethodNotAllowed", 405, s3client.ErrUnsupported)
	}
	if opt.IfMatch == "" || opt.IfMatch == "*" || opt.IfNoneMatch {
		return s3client.ObjectInfo{}, c.fail(op, key, "InvalidRequest", 400, s3client.ErrInvalid)
	}
	cond := condition{ifMatch: opt.IfMatch}
	if err := c.checkLocked(op, key, cond); err != nil {
		return s3client.ObjectInfo{}, err
	}
	data, code := patched(c.b.mu.objects[key].data, body, opt)
	switch code {
	case "":
	case "InvalidRange":
		return s3client.ObjectInfo{}, c.fail(op, key, code, 416, s3client.ErrRange)
	default:
		return s3client.ObjectInfo{}, c.fail(op, key, code, 400, s3client.ErrInvalid)
	}
	sum := md5.Sum(body)
	return c.storeLocked(op, key, newObject(key, data, s3client.ETag(opt.Tag(sum[:])+"-1"), meta, opt.System), cond)
}

// patched puts a body into the ranges of old; code is the service's reason for refusing that.
func patched(old, body []byte, opt s3client.PatchOptions) (data []byte, code string) {
	if len(opt.Ranges) > s3client.MaxPatchRanges {
		return nil, "InvalidArgument"
	}
	data = append(bytes.Clone(old[:min(int64(len(old)), opt.Size)]), make([]byte, max(0, opt.Size-int64(len(old))))...)
	at, end := int64(0), int64(len(old)) // end: up to where there are bytes
	for _, r := range opt.Ranges {
		if r.Off < at || r.Off > end || r.Len <= 0 || r.Off+r.Len > opt.Size {
			return nil, "InvalidRange"
		}
		if int64(len(body)) < r.Len {
			return nil, "InvalidArgument"
		}
		at = r.Off + r.Len
		end = max(end, at)
		body = body[copy(data[r.Off:at], body):]
	}
	switch {
	case end < opt.Size:
		return nil, "InvalidRange"
	case len(body) > 0:
		return nil, "InvalidArgument"
	}
	return data, ""
}
