package awss3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"pail/s3client"
)

// maxListBody bounds a page: 3000 keys of 1024 bytes, escaped, with 2 KiB of metadata each, are 18 MB.
const maxListBody = 32 << 20

// List returns one page.
func (c *Client) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	r := c.newRequest(s3client.OpList, http.MethodGet, "")
	r.query = c.listQuery(q)
	resp, err := c.do(ctx, r)
	if err != nil {
		return s3client.ListPage{}, err
	}
	defer finish(resp)
	body, err := readAll(resp, maxListBody)
	if err != nil {
		return s3client.ListPage{}, c.transportError(ctx, r, err, nil)
	}
	page, err := parseList(body, c.opt.ListV1)
	if err == nil && page.NextToken != "" && page.NextToken == q.Token {
		err = errors.New("the listing does not go on")
	}
	if err != nil {
		e := c.newError(r, fmt.Errorf("%w: %w", s3client.ErrUnavailable, err))
		e.Status, e.RequestID, e.Message = resp.StatusCode, requestID(resp.Header), snippet(body)
		return s3client.ListPage{}, e
	}
	return page, nil
}

// listQuery builds the query in the order of names. Keys come back URL-encoded: XML cannot hold all bytes.
func (c *Client) listQuery(q s3client.ListQuery) string {
	b := make([]byte, 0, 256)
	add := func(name, value string) {
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, name...), '='), escapeQuery(value)...)
	}
	next, after := "continuation-token", "start-after"
	if c.opt.ListV1 {
		next, after = "marker", "marker"
	}
	if q.Token != "" {
		add(next, q.Token)
	}
	if q.Delimiter != "" {
		add("delimiter", q.Delimiter)
	}
	add("encoding-type", "url")
	if !c.opt.ListV1 {
		add("list-type", "2")
	}
	if q.MaxKeys > 0 {
		add("max-keys", strconv.Itoa(min(q.MaxKeys, q.Most())))
	}
	if q.WithMeta {
		add("metadata", "true")
	}
	if q.Prefix != "" {
		add("prefix", q.Prefix)
	}
	if q.StartAfter != "" && q.Token == "" {
		add(after, q.StartAfter)
	}
	return string(b)
}

// readAll reads a body of at most limit bytes into one piece of memory.
func readAll(resp *http.Response, limit int64) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, max(512, min(resp.ContentLength+512, limit))))
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return buf.Bytes(), err
}
