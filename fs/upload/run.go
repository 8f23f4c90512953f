package upload

import (
	"context"

	"golang.org/x/sync/errgroup"

	"pail/s3client"
)

// storePart stores the n-th part (from 1) of a plan.
type storePart func(ctx context.Context, up s3client.Upload, n int, p part) (s3client.Part, error)

// run performs a multipart upload of the given parts, in parallel, and aborts it when anything fails.
func (u *Uploader) run(ctx context.Context, key string, opt s3client.PutOptions, parts []part, store storePart) (s3client.ObjectInfo, error) {
	up, err := u.client.NewUpload(ctx, key, opt)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	done, err := u.storeAll(ctx, up, parts, store)
	if err == nil {
		var info s3client.ObjectInfo
		if info, err = up.Complete(ctx, done, nil); err == nil {
			u.tidy()
			return info, nil
		}
	}
	u.abort(ctx, key, up)
	return s3client.ObjectInfo{}, err
}

// storeAll returns when no part is in flight any more, with the first error.
func (u *Uploader) storeAll(ctx context.Context, up s3client.Upload, parts []part, store storePart) ([]s3client.Part, error) {
	done := make([]s3client.Part, len(parts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.parallel)
	for i, p := range parts {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			done[i], err = store(gctx, up, i+1, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return done, ctx.Err()
}
