package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pail/s3client"
)

// abortTimeout bounds the clean-up of a failed upload, which goes on when the caller's context has ended.
const abortTimeout = 30 * time.Second

// leftUpload is an upload that could not be aborted: its parts cost its owner room until it is.
type leftUpload struct {
	key string
	up  s3client.Upload
}

// abort frees what was sent. Where that fails it is tried again, by tidy and Settle; the error that led here is the one to
// report.
func (u *Uploader) abort(ctx context.Context, key string, up s3client.Upload) {
	left := leftUpload{key, up}
	if err := left.abort(ctx); err != nil {
		u.log.Warn("multipart upload left behind; it is tried again to abort it", "key", key, "upload", up.ID(), "err", err)
		u.leave(left)
	}
}

func (l leftUpload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	return l.up.Abort(ctx)
}

func (u *Uploader) leave(left ...leftUpload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.left = append(u.mu.left, left...)
}

// takeLeft returns the uploads that were left behind, which are the caller's from now on.
func (u *Uploader) takeLeft() []leftUpload {
	u.mu.Lock()
	defer u.mu.Unlock()
	left := u.mu.left
	u.mu.left = nil
	return left
}

// tidy tries in the background to abort what was left behind, now that the service has answered.
func (u *Uploader) tidy() {
	left := u.takeLeft()
	if len(left) == 0 {
		return
	}
	u.work.Go(func() {
		for i, one := range left {
			if err := one.abort(context.Background()); err != nil {
				u.leave(left[i:]...)
				return
			}
		}
	})
}

// Settle waits for the uploads that are being aborted, until ctx ends, and tries those again that could not be. The error
// says which are left. No other method may be in use.
func (u *Uploader) Settle(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		u.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("multipart uploads are still being aborted: %w", context.Cause(ctx))
	}
	var errs []error
	for _, left := range u.takeLeft() {
		if err := left.up.Abort(ctx); err != nil {
			errs = append(errs, fmt.Errorf("multipart upload %s of %q is left behind: %w", left.up.ID(), left.key, err))
			u.leave(left)
		}
	}
	return errors.Join(errs...)
}
