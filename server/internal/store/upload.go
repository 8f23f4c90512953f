package store

import (
	"context"
	"errors"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// CreateUpload begins a multipart upload.
func (s *Store) CreateUpload(ctx context.Context, in UploadInput) (uploadID string, err error) {
	if err := checkKey(in.Key); err != nil {
		return "", err
	}
	if in.Algorithm != "" && in.ChecksumType == "" {
		in.ChecksumType = in.Algorithm.DefaultType()
	}
	if in.ChecksumType != "" && !in.Algorithm.Supports(in.ChecksumType) || in.OpaqueTags && in.Algorithm == "" {
		return "", ErrChecksumAlgorithm
	}
	row := &uploadRow{initiated: s.now(), owner: in.Owner, attrs: in.Attrs, algorithm: in.Algorithm,
		sumType: in.ChecksumType, extra: in.Extra, opaqueTags: in.OpaqueTags}
	id := s.newID()
	err = s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, in.Bucket)
		if err != nil {
			return err
		}
		if err := b.checkLock(&row.extra); err != nil {
			return err
		}
		return save(x, meta.UploadKey(b.id, in.Key, id), row.encode())
	})
	if err != nil {
		return "", err
	}
	return uploadText(id), nil
}

// uploadRef is an upload that was found.
type uploadRef struct {
	bucket bucketRow
	id     meta.ID
	key    []byte // of its row
	row    *uploadRow
}

// getUpload finds an upload in progress; none of that key is ErrNoSuchUpload. Bucket and ID are filled in then too.
func getUpload(r meta.Reader, bucket, key, uploadID string) (u uploadRef, err error) {
	b, err := getBucket(r, bucket)
	if err != nil {
		return u, err
	}
	u.bucket = b
	if u.id, err = parseUpload(uploadID); err != nil {
		return u, err
	}
	u.key = meta.UploadKey(b.id, key, u.id)
	u.row, err = load(r, u.key, decodeUpload)
	return u, missing(err, ErrNoSuchUpload)
}

// HeadUpload describes an upload in progress.
func (s *Store) HeadUpload(ctx context.Context, bucket, key, uploadID string) (up Upload, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		u, err := getUpload(r, bucket, key, uploadID)
		if err != nil {
			return err
		}
		up = u.row.upload(bucket, key, u.id)
		return nil
	})
	return up, err
}

// AbortUpload removes an upload and its parts.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, uploadID string) error {
	return s.update(ctx, nil, func(x *tx) error {
		u, err := getUpload(x, bucket, key, uploadID)
		if errors.Is(err, meta.ErrDamaged) {
			err = nil // what is damaged can still be removed
		}
		if err != nil {
			return err
		}
		if err := x.dropParts(u.id, nil); err != nil {
			return err
		}
		return x.Delete(u.key)
	})
}

// dropParts deletes the rows of the parts of an upload, with their references but those of the parts to keep.
func (x *tx) dropParts(id meta.ID, keep map[int]bool) error {
	var drop []extent
	var keys [][]byte
	err := eachPart(x, id, func(key []byte, n int, p *partRow, err error) error {
		keys = append(keys, key)
		if err != nil {
			return x.tolerate(err)
		}
		if !keep[n] {
			drop = append(drop, p.extents...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := x.Delete(key); err != nil {
			return err
		}
	}
	return x.releaseBlobs(drop)
}

// eachPart calls fn for each part in order. err is that of a damaged row, which has no p.
func eachPart(r meta.Reader, id meta.ID, fn func(key []byte, n int, p *partRow, err error) error) error {
	prefix := meta.PartPrefix(id)
	it := r.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		n, known := meta.PartNumber(it.Key())
		if !known {
			continue
		}
		p, err := decodeRecord(it.Key(), it.Value(), decodePart)
		if err := fn(meta.PartKey(id, n), n, p, err); err != nil {
			return err
		}
	}
	return it.Err()
}

// partAlgorithm decides which checksum a part gets.
func (u *uploadRow) partAlgorithm(asked checksum.Algorithm) (checksum.Algorithm, error) {
	switch {
	case asked == "":
		return u.algorithm, nil
	case u.algorithm == "" || u.algorithm == asked:
		return asked, nil
	}
	return "", ErrChecksumAlgorithm
}
