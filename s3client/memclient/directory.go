package memclient

import (
	"context"
	"strings"

	"pail/s3client"
)

// DeleteDirectory removes an empty object that no other key begins with.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	const op = s3client.OpDeleteDir
	if err := c.beginObject(ctx, op, key); err != nil {
		return err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if !c.b.mu.caps.DeleteDirectory {
		return c.fail(op, key, "MethodNotAllowed", 405, s3client.ErrUnsupported)
	}
	own, keys := c.b.mu.objects[key], c.b.belowLocked(key)
	switch {
	case !strings.HasSuffix(key, "/"):
		return c.fail(op, key, "InvalidRequest", 400, s3client.ErrInvalid)
	case len(keys) == 0:
		return c.fail(op, key, "NoSuchKey", 404, s3client.ErrNotFound)
	case len(keys) > 1 || own == nil || own.info.Size > 0:
		return c.fail(op, key, "DirectoryNotEmpty", 409, s3client.ErrNotEmpty)
	}
	c.b.removeLocked(key)
	return nil
}
