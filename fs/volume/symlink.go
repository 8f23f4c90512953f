package volume

import (
	"context"
	"io"
	"strings"

	"pail/fs/attr"
	"pail/s3client"
)

// trimLink returns the target that the bytes of a symlink say, as s3fs reads them.
func trimLink(body string) string { return strings.Trim(body, " \t\r\n") }

// Readlink returns the target of a symbolic link, and asks for it once per version.
func (v *Volume) Readlink(ctx context.Context, n *Inode) (string, error) {
	if n.typ != attr.Symlink {
		return "", ErrInvalid
	}
	n.mu.Lock()
	target, pending := n.mu.target, n.mu.content != nil && !n.mu.content.stored
	n.mu.Unlock()
	if pending {
		return target, nil
	}
	o, err := v.current(ctx, n)
	if err != nil {
		return "", err
	}
	if o.attr.LinkTarget != "" { // kept in metadata
		return o.attr.LinkTarget, nil
	}
	n.mu.Lock()
	target = n.mu.target
	tag := n.mu.tag
	n.mu.Unlock()
	if target != "" && tag == o.info.ETag {
		return target, nil
	}
	got, err := v.client.Get(ctx, o.info.Key, s3client.GetOptions{})
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, maxLink+1))
	if closeErr := got.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	target = trimLink(string(body))
	if target == "" || len(target) > maxLink {
		return "", ErrInvalid
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.target, n.mu.tag = target, got.Info.ETag
	return target, nil
}
