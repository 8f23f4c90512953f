package memclient

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"pail/s3client"
)

// List returns one page.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	const op = s3client.OpList
	if err := c.begin(ctx, op, ""); err != nil {
		return s3client.ListPage{}, err
	}
	after := q.StartAfter
	if q.Token != "" {
		raw, err := base64.URLEncoding.DecodeString(q.Token)
		if err != nil {
			return s3client.ListPage{}, c.fail(op, "", "InvalidArgument", 400, s3client.ErrInvalid)
		}
		after = string(raw)
	}
	limit := q.MaxKeys
	if limit <= 0 {
		limit = s3client.MaxListKeys
	}
	limit = min(limit, q.Most())
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.b.pageLocked(q, after, limit), nil
}

// pageLocked lists what comes after the key or common prefix after.
func (b *bucket) pageLocked(q s3client.ListQuery, after string, limit int) s3client.ListPage {
	var page s3client.ListPage
	i, _ := slices.BinarySearch(b.mu.keys, max(q.Prefix, after))
	last := after
	for i < len(b.mu.keys) && strings.HasPrefix(b.mu.keys[i], q.Prefix) {
		key := b.mu.keys[i]
		group := commonPrefix(key, q.Prefix, q.Delimiter)
		if after != "" && (key <= after || group != "" && group <= after) {
			i++
			continue
		}
		if len(page.Objects)+len(page.Prefixes) == limit {
			page.NextToken = base64.URLEncoding.EncodeToString([]byte(last))
			break
		}
		if group != "" {
			page.Prefixes = append(page.Prefixes, group)
			if q.WithMeta && b.mu.caps.ListMetadata {
				page.Markers = append(page.Markers, b.markerLocked(group))
			}
			last = group
			i += len(b.belowLocked(group))
			continue
		}
		page.Objects = append(page.Objects, b.entryLocked(key, q.WithMeta))
		last = key
		i++
	}
	return page
}

// commonPrefix returns what a listing with a delimiter shows in place of key, "" for the key itself.
func commonPrefix(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	n := strings.Index(key[len(prefix):], delimiter)
	if n < 0 {
		return ""
	}
	return key[:len(prefix)+n+len(delimiter)]
}

// belowLocked returns the keys that begin with prefix.
func (b *bucket) belowLocked(prefix string) []string {
	from, _ := slices.BinarySearch(b.mu.keys, prefix)
	to := from
	for to < len(b.mu.keys) && strings.HasPrefix(b.mu.keys[to], prefix) {
		to++
	}
	return slices.Clone(b.mu.keys[from:to])
}

// markerLocked is the object under a common prefix itself, one without Key if there is none.
func (b *bucket) markerLocked(group string) s3client.ObjectInfo {
	if b.mu.objects[group] == nil {
		return s3client.ObjectInfo{}
	}
	return b.entryLocked(group, true)
}

func (b *bucket) entryLocked(key string, withMeta bool) s3client.ObjectInfo {
	o := b.mu.objects[key]
	if withMeta && b.mu.caps.ListMetadata {
		info := o.describe()
		info.LastModified = o.info.LastModified
		info.System = s3client.System{ContentType: info.System.ContentType}
		return info
	}
	info := o.info
	info.Meta, info.System, info.VersionID = nil, s3client.System{}, ""
	return info
}
