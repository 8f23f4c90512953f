package faultclient

import (
	"context"
	"io"

	"pail/s3client"
)

type upload struct {
	s3client.Upload
	c    *Client
	keys []string
}

// NewUpload starts a multipart upload.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (u s3client.Upload, err error) {
	err = c.do(ctx, s3client.OpNewUpload, []string{key}, nil, func() (err error) { u, err = c.next.NewUpload(ctx, key, opt); return err })
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, keys: []string{key}}, nil
}

// ResumeUpload returns a handle on an upload.
func (c *Client) ResumeUpload(ctx context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	u, err := c.next.ResumeUpload(ctx, key, id, opt)
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, keys: []string{key}}, nil
}

// ListUploads returns one page of unfinished uploads.
func (c *Client) ListUploads(ctx context.Context, q s3client.UploadsQuery) (page s3client.UploadsPage, err error) {
	err = c.do(ctx, s3client.OpListUploads, nil, nil, func() (err error) { page, err = s3client.ListUploads(ctx, c.next, q); return err })
	return page, err
}

func (u *upload) Part(ctx context.Context, n int, body io.ReadSeeker) (part s3client.Part, err error) {
	err = u.c.do(ctx, s3client.OpPart, u.keys, body, func() (err error) { part, err = u.Upload.Part(ctx, n, body); return err })
	return part, err
}

func (u *upload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (part s3client.Part, err error) {
	err = u.c.do(ctx, s3client.OpCopyPart, u.keys, nil, func() (err error) {
		part, err = u.Upload.CopyPart(ctx, n, src, r, ifMatch)
		return err
	})
	return part, err
}

func (u *upload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	err = u.c.do(ctx, s3client.OpComplete, u.keys, nil, func() (err error) { info, err = u.Upload.Complete(ctx, parts, as); return err })
	return info, err
}

func (u *upload) Abort(ctx context.Context) error {
	return u.c.do(ctx, s3client.OpAbort, u.keys, nil, func() error { return u.Upload.Abort(ctx) })
}
