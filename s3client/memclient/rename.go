package memclient

import (
	"context"
	"strings"

	"pail/s3client"
)

// Rename moves an object, or with Capabilities.RenamePrefix everything below a prefix.
func (c *Client) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	const op = s3client.OpRename
	if err := c.beginObject(ctx, op, dst); err != nil {
		return err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if !c.b.mu.caps.RenameObject {
		return c.fail(op, dst, "NotImplemented", 501, s3client.ErrUnsupported)
	}
	if c.b.mu.caps.RenamePrefix && strings.HasSuffix(src, "/") && strings.HasSuffix(dst, "/") {
		return c.renamePrefixLocked(dst, src, opt)
	}
	from, err := c.sourceLocked(op, dst, src, opt.SrcIfMatch)
	if err != nil {
		return err
	}
	if _, exists := c.b.mu.objects[dst]; exists && opt.IfNoneMatch {
		return c.fail(op, dst, "PreconditionFailed", 412, s3client.ErrPrecondition)
	}
	c.moveLocked(dst, src, from)
	return nil
}

// renamePrefixLocked replaces the prefix of all keys below src. Keys in the way are overwritten, unless
// opt.IfNoneMatch asks for none below dst.
func (c *Client) renamePrefixLocked(dst, src string, opt s3client.RenameOptions) error {
	const op = s3client.OpRename
	if strings.HasPrefix(dst, src) && dst != src {
		return c.fail(op, dst, "InvalidRequest", 400, s3client.ErrInvalid)
	}
	if opt.SrcIfMatch != "" {
		if _, err := c.sourceLocked(op, dst, src, opt.SrcIfMatch); err != nil {
			return err
		}
	}
	moved := c.b.belowLocked(src)
	if len(moved) == 0 {
		return c.fail(op, dst, "NoSuchKey", 404, s3client.ErrNotFound)
	}
	if opt.IfNoneMatch && len(c.b.belowLocked(dst)) > 0 {
		return c.fail(op, dst, "PreconditionFailed", 412, s3client.ErrPrecondition)
	}
	for _, key := range moved {
		if len(dst)+len(key)-len(src) > s3client.MaxKeyLength {
			return c.fail(op, dst, "KeyTooLongError", 400, s3client.ErrTooLarge)
		}
	}
	for _, key := range moved {
		c.moveLocked(dst+key[len(src):], key, c.b.mu.objects[key])
	}
	return nil
}

func (c *Client) moveLocked(dst, src string, from *object) {
	moved := *from
	moved.info.Key = dst
	c.b.removeLocked(src)
	c.b.setLocked(dst, &moved)
}
