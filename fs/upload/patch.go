package upload

import (
	"context"
	"io"

	"pail/fs/stage"
	"pail/s3client"
)

// patchRanges gives what has changed of base, where a patch is the way to send that: in one request, without parts that
// travel side by side, and so only when it is not more than a part, nor than half of the file.
func (u *Uploader) patchRanges(key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (ranges []s3client.Range, ok bool) {
	size := snap.Size()
	if !u.patch.Load() || size > u.MaxSize() || u.noMix || u.noCopy || base == nil || base.Key != key || base.ETag == "" || opt.IfMatch != base.ETag || size < u.minPatched {
		return nil, false
	}
	changed := int64(0)
	for _, e := range snap.Extents() {
		if e.Kind == stage.Unchanged {
			continue
		}
		changed += e.Len
		if n := len(ranges); n > 0 && ranges[n-1].Off+ranges[n-1].Len == e.Off {
			ranges[n-1].Len += e.Len
		} else {
			ranges = append(ranges, s3client.Range{Off: e.Off, Len: e.Len})
		}
		if changed > min(u.lim.send, size/2) || len(ranges) > s3client.MaxPatchRanges {
			return nil, false
		}
	}
	return ranges, true
}

// sendPatch makes the object out of base and the ranges of snap.
func (u *Uploader) sendPatch(ctx context.Context, key string, snap Snapshot, ranges []s3client.Range, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	pieces := &patchReader{ctx: ctx, snap: snap, ranges: ranges}
	b := &body{ReadSeeker: io.NewSectionReader(pieces, 0, s3client.TotalLen(ranges))}
	info, err := u.client.Patch(ctx, key, b, s3client.PatchOptions{PutOptions: opt, Ranges: ranges, Size: snap.Size()})
	return info, b.explain(err)
}

// refusesPatch tells the errors that say nothing of the object, but that this service, or for this object, takes no patch: that
// it has become another one, or that the object has another key than new ones have. It may take parts.
func refusesPatch(err error) bool {
	return s3client.IsAny(err, s3client.ErrUnsupported, s3client.ErrInvalid, s3client.ErrRange, s3client.ErrTooLarge, s3client.ErrAccess)
}

// patchReader reads ranges of a snapshot as if they lay side by side.
type patchReader struct {
	ctx    context.Context
	snap   Snapshot
	ranges []s3client.Range
}

// ReadAt implements io.ReaderAt.
func (r *patchReader) ReadAt(p []byte, off int64) (n int, err error) {
	for _, one := range r.ranges {
		if off >= one.Len {
			off -= one.Len
			continue
		}
		m := min(int64(len(p)-n), one.Len-off)
		got, err := io.ReadFull(r.snap.Reader(r.ctx, one.Off+off, m), p[n:n+int(m)])
		n += got
		if err != nil || n == len(p) {
			return n, err
		}
		off = 0
	}
	return n, io.EOF
}
