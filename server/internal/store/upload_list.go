package store

import (
	"context"

	"pail/server/internal/meta"
)

// ListParts lists the parts of an upload in ascending order.
func (s *Store) ListParts(ctx context.Context, q PartsQuery) (page PartsResult, err error) {
	if q.Max < 0 || q.After < 0 {
		return PartsResult{}, ErrInvalidArgument
	}
	err = s.view(ctx, func(r meta.Reader) error {
		u, err := getUpload(r, q.Bucket, q.Key, q.UploadID)
		if err != nil {
			return err
		}
		page.Upload = u.row.upload(q.Bucket, q.Key, u.id)
		if q.Max == 0 || q.After >= MaxParts {
			return nil
		}
		it := r.Iter(meta.PartKey(u.id, q.After+1), meta.PrefixEnd(meta.PartPrefix(u.id)))
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			if len(page.Parts) == q.Max {
				page.Truncated, page.Next = true, page.Parts[q.Max-1].N
				return nil
			}
			p, err := decodeRecord(it.Key(), it.Value(), decodePart)
			if err != nil {
				return err
			}
			n, _ := meta.PartNumber(it.Key())
			page.Parts = append(page.Parts, p.info(n))
		}
		return it.Err()
	})
	if err != nil {
		return PartsResult{}, err
	}
	return page, nil
}

// ListUploads lists the uploads in progress of a bucket.
func (s *Store) ListUploads(ctx context.Context, bucket string, q UploadsQuery) (page UploadsResult, err error) {
	if q.Max < 0 {
		return UploadsResult{}, ErrInvalidArgument
	}
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil {
			return err
		}
		page, err = listUploads(ctx, r, b.id, bucket, q)
		return err
	})
	if err != nil {
		return UploadsResult{}, err
	}
	return page, nil
}

func listUploads(ctx context.Context, r meta.Reader, b meta.BucketID, bucket string, q UploadsQuery) (page UploadsResult, err error) {
	if q.Max == 0 {
		return page, nil
	}
	prefix := meta.UploadPrefix(b, q.Prefix)
	it := r.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	for ok := startUploads(it, b, q); ok; {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		name, id, known := meta.ParseUploadKey(it.Key())
		if !known {
			ok = it.Next()
			continue
		}
		if len(page.Uploads)+len(page.Prefixes) == q.Max {
			page.Truncated = true
			return page, nil
		}
		if common := commonPrefix(name, q.Prefix, q.Delimiter); common != "" {
			page.Prefixes = append(page.Prefixes, common)
			page.NextKeyMarker, page.NextUploadIDMarker = common, ""
			ok = seekBehind(it, meta.UploadPrefix(b, common))
			continue
		}
		u, err := decodeRecord(it.Key(), it.Value(), decodeUpload)
		if err != nil {
			return page, err
		}
		page.Uploads = append(page.Uploads, u.upload(bucket, name, id))
		page.NextKeyMarker, page.NextUploadIDMarker = name, uploadText(id)
		ok = it.Next()
	}
	page.NextKeyMarker, page.NextUploadIDMarker = "", ""
	return page, it.Err()
}

// startUploads goes to the first row of the page.
func startUploads(it meta.Iterator, b meta.BucketID, q UploadsQuery) bool {
	marker := q.KeyMarker
	if marker == "" || marker < q.Prefix {
		return it.First()
	}
	if commonPrefix(marker, q.Prefix, q.Delimiter) == marker {
		return seekBehind(it, meta.UploadPrefix(b, marker))
	}
	if id, err := parseUpload(q.UploadIDMarker); err == nil {
		return it.SeekGE(append(meta.UploadKey(b, marker, id), 0))
	}
	return seekBehind(it, meta.UploadsOf(b, marker))
}
