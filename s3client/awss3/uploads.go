package awss3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"pail/s3client"
)

var _ s3client.UploadLister = (*Client)(nil)

// ListUploads returns one page of unfinished uploads. Keys are asked for in URL encoding, which any key can be told in. A
// service that does not say that it answers so may do it nevertheless (Ceph's RGW 16), and is asked for plain keys.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (s3client.UploadsPage, error) {
	query := uploadsQuery(q)
	page, encoded, err := c.listUploads(ctx, q, "encoding-type=url&"+query)
	if err == nil && !encoded && len(page.Uploads) > 0 {
		page, _, err = c.listUploads(ctx, q, query)
	}
	return page, err
}

func (c *Client) listUploads(ctx context.Context, q s3client.UploadsQuery, query string) (page s3client.UploadsPage, encoded bool, err error) {
	r := c.newRequest(s3client.OpListUploads, http.MethodGet, "")
	r.query = query
	resp, err := c.do(ctx, r)
	if err != nil {
		return page, false, err
	}
	defer finish(resp)
	body, err := readAll(resp, maxListBody)
	if err != nil {
		return page, false, c.transportError(ctx, r, err, nil)
	}
	page, err = parseUploads(body)
	if err == nil && page.NextKey != "" && page.NextKey == q.AfterKey && page.NextID == q.AfterID {
		err = errors.New("the listing does not go on")
	}
	if err != nil {
		e := c.newError(r, fmt.Errorf("%w: %w", s3client.ErrUnavailable, err))
		e.Status, e.RequestID, e.Message = resp.StatusCode, requestID(resp.Header), snippet(body)
		return s3client.UploadsPage{}, false, e
	}
	return page, saysURLEncoded(body), nil
}

// uploadsQuery builds the query in the order of names, but for the encoding, which comes first.
func uploadsQuery(q s3client.UploadsQuery) string {
	query := ""
	if q.AfterKey != "" {
		query += "key-marker=" + escapeQuery(q.AfterKey) + "&"
	}
	if q.Max > 0 {
		query += "max-uploads=" + strconv.Itoa(min(q.Max, s3client.MaxListKeys)) + "&"
	}
	if q.Prefix != "" {
		query += "prefix=" + escapeQuery(q.Prefix) + "&"
	}
	if q.AfterKey != "" && q.AfterID != "" {
		query += "upload-id-marker=" + escapeQuery(q.AfterID) + "&"
	}
	return query + "uploads"
}

func parseUploads(body []byte) (s3client.UploadsPage, error) {
	var page s3client.UploadsPage
	l := &listing{x: newScanner(body), encoded: saysURLEncoded(body)}
	if root, ok := l.x.child(); !ok || string(root) != "ListMultipartUploadsResult" {
		return page, errors.New("the answer is no list of uploads")
	}
	for {
		name, ok := l.x.child()
		if !ok {
			break
		}
		var err error
		switch string(name) {
		case "Upload":
			err = l.upload(&page)
		case "IsTruncated":
			l.truncated = string(bytes.TrimSpace(l.x.text())) == "true"
		case "NextKeyMarker":
			page.NextKey, err = l.key(l.x.text())
		case "NextUploadIdMarker":
			page.NextID = l.x.string()
		default:
			l.x.skip()
		}
		if err != nil {
			return page, err
		}
	}
	switch {
	case l.x.err != nil:
		return page, l.x.err
	case !l.truncated:
		page.NextKey, page.NextID = "", ""
	case page.NextKey == "":
		return page, errors.New("the list is truncated and names no marker")
	}
	return page, nil
}

// upload reads one entry.
func (l *listing) upload(page *s3client.UploadsPage) error {
	var u s3client.PendingUpload
	for {
		name, ok := l.x.child()
		if !ok {
			break
		}
		var err error
		switch string(name) {
		case "Key":
			u.Key, err = l.key(l.x.text())
		case "UploadId":
			u.ID = l.x.string()
		case "Initiated":
			u.Begun = parseTime(l.x.text())
		case "StorageClass":
			u.StorageClass = storageClass(l.x.text())
		default:
			l.x.skip()
		}
		if err != nil {
			return err
		}
	}
	if l.x.err == nil && (u.Key == "" || u.ID == "") {
		return errors.New("an upload without key or id")
	}
	page.Uploads = append(page.Uploads, u)
	return nil
}
