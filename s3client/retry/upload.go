package retry

import (
	"context"
	"io"
	"time"

	"pail/s3client"
)

type upload struct {
	s3client.Upload
	c   *Client
	key string
	opt s3client.PutOptions
}

// NewUpload starts a multipart upload.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	var u s3client.Upload
	err := c.run(ctx, call{try: func() (err error) { u, err = c.next.NewUpload(ctx, key, opt); return err }})
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, key: key, opt: opt}, nil
}

// ResumeUpload returns a handle on an upload.
func (c *Client) ResumeUpload(ctx context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	u, err := c.next.ResumeUpload(ctx, key, id, opt)
	if err != nil {
		return nil, err
	}
	return &upload{Upload: u, c: c, key: key, opt: opt}, nil
}

func (u *upload) Part(ctx context.Context, n int, body io.ReadSeeker) (part s3client.Part, err error) {
	err = u.c.run(ctx, call{body: body, try: func() (err error) { part, err = u.Upload.Part(ctx, n, body); return err }})
	return part, err
}

func (u *upload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (part s3client.Part, err error) {
	err = u.c.run(ctx, call{try: func() (err error) { part, err = u.Upload.CopyPart(ctx, n, src, r, ifMatch); return err }})
	return part, err
}

func (u *upload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	meta := u.opt.Meta
	if as != nil {
		meta = as.Meta
	}
	err = u.c.run(ctx, call{
		try: func() (err error) { info, err = u.Upload.Complete(ctx, parts, as); return err },
		resolve: func(err error, began time.Time) error {
			ours, head := u.c.completed(ctx, u.key, parts, meta, began)
			if !ours {
				return err
			}
			info = head
			return nil
		},
	})
	return info, err
}

func (u *upload) Abort(ctx context.Context) error {
	return u.c.run(ctx, call{try: func() error { return u.Upload.Abort(ctx) }})
}
