package awss3

import (
	"context"
	"net/http"
	"strings"

	"pail/s3client"
)

// Copy copies an object inside the service.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	var info s3client.ObjectInfo
	err := c.withReadKey(func(k *customerKey) error {
		r, err := c.newObjectRequest(s3client.OpCopy, http.MethodPut, dst)
		if err != nil {
			return err
		}
		if err := c.setCopy(r, src, opt); err != nil {
			return err
		}
		if err := c.isVersion(ctx, r, src, opt.SrcIfMatch); err != nil {
			return err
		}
		k.setSource(r.header)
		resp, err := c.do(ctx, r)
		if err != nil {
			return err
		}
		defer finish(resp)
		result, err := c.copyResult(ctx, r, resp, "CopyObjectResult")
		if err != nil {
			return err
		}
		info = s3client.ObjectInfo{
			Key: dst, ETag: result.etag, LastModified: result.modified, VersionID: first(resp.Header, "X-Amz-Version-Id"),
		}
		return nil
	})
	return info, err
}

func (c *Client) setCopy(r *request, src string, opt s3client.CopyOptions) error {
	set(r.header, "X-Amz-Copy-Source", c.copySource(src))
	if opt.SrcIfMatch != "" {
		set(r.header, "X-Amz-Copy-Source-If-Match", opt.SrcIfMatch.Header())
	}
	setConditions(r.header, opt.IfMatch, opt.IfNoneMatch)
	if !opt.Replace {
		return c.setNew(r, nil, s3client.System{})
	}
	set(r.header, metadataDirective, "REPLACE")
	return c.setNew(r, opt.Meta, opt.System)
}

// isVersion looks whether src has an ETag, where the service does not look itself when it copies.
func (c *Client) isVersion(ctx context.Context, r *request, src string, want s3client.ETag) error {
	if want == "" || !c.ignoresCopySource.Load() {
		return nil
	}
	info, err := c.Head(ctx, src)
	if err == nil && info.ETag != want {
		err = c.newError(r, s3client.ErrPrecondition)
	}
	return err
}

// copySource names an object of this bucket in a header.
func (c *Client) copySource(key string) string {
	return "/" + escapePath(c.opt.Bucket) + "/" + escapePath(key)
}

// Rename moves an object, or a prefix, without moving bytes.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	r, err := c.newObjectRequest(s3client.OpRename, http.MethodPut, dst)
	if err != nil {
		return err
	}
	r.query = "renameObject"
	set(r.header, "X-Amz-Rename-Source", renameSource(src))
	if opt.SrcIfMatch != "" {
		set(r.header, "X-Amz-Rename-Source-If-Match", opt.SrcIfMatch.Header())
	}
	setConditions(r.header, "", opt.IfNoneMatch)
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	finish(resp)
	return nil
}

// renameSource names the source's key. A slash in front, which could be taken for that of "/bucket/key", is escaped.
func renameSource(src string) string {
	if rest, ok := strings.CutPrefix(src, "/"); ok {
		return "%2F" + escapePath(rest)
	}
	return escapePath(src)
}
