package memclient

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"pail/s3client"
)

// ListUploads returns one page of unfinished uploads.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (s3client.UploadsPage, error) {
	var page s3client.UploadsPage
	if err := c.begin(ctx, s3client.OpListUploads, ""); err != nil {
		return page, err
	}
	limit := q.Max
	if limit <= 0 || limit > s3client.MaxListKeys {
		limit = s3client.MaxListKeys
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	for id, u := range c.b.mu.uploads {
		after := u.key > q.AfterKey || u.key == q.AfterKey && q.AfterID != "" && id > q.AfterID
		if strings.HasPrefix(u.key, q.Prefix) && (q.AfterKey == "" || after) {
			page.Uploads = append(page.Uploads, s3client.PendingUpload{Key: u.key, ID: id, Begun: u.begun, StorageClass: "STANDARD"})
		}
	}
	slices.SortFunc(page.Uploads, func(a, b s3client.PendingUpload) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
	})
	if len(page.Uploads) > limit {
		page.Uploads = page.Uploads[:limit]
		last := page.Uploads[limit-1]
		page.NextKey, page.NextID = last.Key, last.ID
	}
	return page, nil
}
