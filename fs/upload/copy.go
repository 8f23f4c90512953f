package upload

import (
	"context"
	"fmt"

	"pail/s3client"
)

// Copy copies the object src onto dst inside the service, under opt's conditions; without opt.SrcIfMatch, one request
// takes whatever version of it is there. A copy onto itself replaces no other version than opt.SrcIfMatch only where
// opt.IfMatch says so too. Above the single-copy limit it is a multipart upload of copied parts: then the
// version must be src's (ErrPrecondition), and the service is asked for src's metadata unless opt replaces it, as listings
// need not tell all of it. With NoCopy the answer is ErrUnsupported. What the service does not tell of the copy is filled
// in from src and opt.
//
// With opt.IfMatch for another key a large object is always copied in parts, and the answer for a small one is
// ErrUnsupported: services that heed the condition of other requests may ignore it in a single copy.
func (u *Uploader) Copy(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	var info s3client.ObjectInfo
	var err error
	elsewhere := opt.IfMatch != "" && dst != src.Key
	switch {
	case u.noCopy, elsewhere && (u.noMultipart || src.Size <= minRangeSource):
		err = fmt.Errorf("copy %q: %w", src.Key, s3client.ErrUnsupported)
	case !elsewhere && src.Size <= u.singleCopyLimit, u.noMultipart && src.Size <= s3client.MaxCopySize:
		if dst == src.Key && opt.SrcIfMatch != "" {
			opt.IfMatch = "" // says the same, and fewer services know it of a copy
		}
		if info, err = u.client.Copy(ctx, dst, src.Key, opt); err == nil && !opt.Replace {
			opt.Meta, opt.System = src.Meta, src.System
		}
	case u.noMultipart, src.Size > MaxObjectSize:
		err = fmt.Errorf("copy %q: %w: %d bytes", src.Key, s3client.ErrTooLarge, src.Size)
	default:
		return u.copyParts(ctx, dst, src, opt)
	}
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if info.Size == 0 {
		info.Size = src.Size
	}
	return complete(info, dst, info.Size, s3client.PutOptions{Meta: opt.Meta, System: opt.System}), nil
}

func (u *Uploader) copyParts(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	src, err := u.known(ctx, src, opt)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if opt.SrcIfMatch != "" && opt.SrcIfMatch != src.ETag {
		return s3client.ObjectInfo{}, fmt.Errorf("copy %q: %w", src.Key, s3client.ErrPrecondition)
	}
	put := s3client.PutOptions{Meta: src.Meta, System: src.System, IfMatch: opt.IfMatch, IfNoneMatch: opt.IfNoneMatch}
	if opt.Replace {
		put.Meta, put.System = opt.Meta, opt.System
	}
	parts, err := copyPlan(src.Size, u.lim)
	if err != nil {
		return s3client.ObjectInfo{}, fmt.Errorf("copy %q: %w", src.Key, err)
	}
	info, err := u.run(ctx, dst, put, parts, func(ctx context.Context, up s3client.Upload, n int, p part) (s3client.Part, error) {
		return up.CopyPart(ctx, n, src.Key, s3client.Range{Off: p.off, Len: p.len}, src.ETag)
	})
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	return complete(info, dst, src.Size, put), nil
}

// known returns src with ETag, metadata and headers, asking the service where they are needed.
func (u *Uploader) known(ctx context.Context, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	if src.ETag != "" && opt.Replace {
		return src, nil
	}
	now, err := u.client.Head(ctx, src.Key)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if now.Size != src.Size || src.ETag != "" && now.ETag != src.ETag {
		return s3client.ObjectInfo{}, fmt.Errorf("copy %q: %w: it has changed", src.Key, s3client.ErrPrecondition)
	}
	now.Key = src.Key
	return now, nil
}
