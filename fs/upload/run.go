package upload

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/s3client"
)

// abortTimeout bounds the clean-up of a failed upload, which goes on when the caller's context has ended.
const abortTimeout = 30 * time.Second

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
		if info, err = up.Complete(ctx, done); err == nil {
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

// abort frees what was sent. A failure leaves parts in the service that its lifecycle rules remove; the error that led
// here is the one to report.
func (u *Uploader) abort(ctx context.Context, key string, up s3client.Upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	if err := up.Abort(ctx); err != nil {
		u.log.Warn("multipart upload left behind", "key", key, "upload", up.ID(), "err", err)
	}
}
