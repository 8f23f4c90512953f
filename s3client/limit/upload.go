package limit

import (
	"context"
	"io"

	"pail/s3client"
)

type upload struct {
	s3client.Upload
	c   *Client
	key string
}

func (u *upload) Part(ctx context.Context, n int, r io.ReadSeeker) (part s3client.Part, err error) {
	err = u.c.do(ctx, s3client.OpPart, u.key, func() (err error) { part, err = u.Upload.Part(ctx, n, r); return err })
	return part, err
}

func (u *upload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (part s3client.Part, err error) {
	err = u.c.do(ctx, s3client.OpCopyPart, u.key, func() (err error) {
		part, err = u.Upload.CopyPart(ctx, n, src, r, ifMatch)
		return err
	})
	return part, err
}

func (u *upload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	err = u.c.do(ctx, s3client.OpComplete, u.key, func() (err error) { info, err = u.Upload.Complete(ctx, parts, as); return err })
	return info, err
}

func (u *upload) Abort(ctx context.Context) error {
	return u.c.do(ctx, s3client.OpAbort, u.key, func() error { return u.Upload.Abort(ctx) })
}
