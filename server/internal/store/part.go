package store

import (
	"context"
	"crypto/md5"
	"fmt"

	"pail/server/internal/meta"
)

// PutPart stores a part. Its bytes become a blob, however few they are, so that parts can be joined without reading.
func (s *Store) PutPart(ctx context.Context, in PartInput) (PartInfo, error) {
	if in.N < 1 || in.N > MaxParts {
		return PartInfo{}, ErrInvalidPartNumber
	}
	src := source{body: in.Body, size: in.Size, verify: in.Verify, md5: in.MD5}
	var id meta.ID
	err := s.view(ctx, func(r meta.Reader) error {
		u, err := getUpload(r, in.Bucket, in.Key, in.UploadID)
		if err != nil {
			return err
		}
		if src.keys, err = s.keys.Open(u.row.extra.Encryption, in.Customer); err != nil {
			return err
		}
		id, src.noTag = u.id, u.row.opaqueTags
		src.algorithm, err = u.row.partAlgorithm(in.Algorithm)
		return err
	})
	if err != nil {
		return PartInfo{}, err
	}
	c, err := s.ingest(ctx, src)
	if err != nil {
		return PartInfo{}, err
	}
	row := &partRow{size: c.size, modified: s.now(), etag: c.etag, sum: c.sum, extents: c.extents()}
	if src.noTag {
		row.etag = partTag(id, in.N, row)
	}
	err = s.update(ctx, c.blobs(), func(x *tx) error {
		if err := x.add(c); err != nil {
			return err
		}
		return x.putPart(in.Bucket, in.Key, in.UploadID, in.N, row)
	})
	if err != nil {
		return PartInfo{}, err
	}
	return row.info(in.N), nil
}

// partTag is the ETag of a part of an upload with opaque tags: the MD5 of a line of text, with the ID of the upload, which no
// other has, and what is known of the bytes. See doc.go.
func partTag(upload meta.ID, n int, row *partRow) [16]byte {
	return md5.Sum(fmt.Appendf(nil, "pail part %x %d %d %s %x", upload, n, row.size, row.sum.Algorithm, row.sum.Value))
}

// putPart makes row part n of an upload, in place of one that was sent before. The row's references are taken already.
func (x *tx) putPart(bucket, key, uploadID string, n int, row *partRow) error {
	u, err := getUpload(x, bucket, key, uploadID)
	if err != nil {
		return err
	}
	at := meta.PartKey(u.id, n)
	old, err := load(x, at, decodePart)
	if err == nil {
		err = x.releaseBlobs(old.extents)
	}
	if err := x.tolerateNone(err); err != nil {
		return err
	}
	return save(x, at, row.encode())
}

// tolerateNone lets there being no row pass, and damage, as tolerate does.
func (x *tx) tolerateNone(err error) error {
	if missing(err, nil) == nil {
		return nil
	}
	return x.tolerate(err)
}
