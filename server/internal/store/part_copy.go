package store

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
)

// A range of an object is shared, not copied, unless it is cut into too many pieces: sharing them on and on would make
// manifests without bound. Up to fewPieces are always shared, more when they are meanPiece long on average.
const (
	fewPieces = 16
	meanPiece = 1 << 20
)

// CopyPart makes a part of a range of an object, by reference. It also returns the source.
//
// The bytes are read only where the upload has a checksum that the source does not, where the source is inline, where it
// is in too many pieces, and where it is encrypted with another key than the upload. Otherwise the part's ETag cannot be the MD5 of its bytes, unless it is the whole of an
// object that has one: it is derived from the source's ETag and the range then.
func (s *Store) CopyPart(ctx context.Context, in CopyPartInput) (PartInfo, Object, error) {
	if in.N < 1 || in.N > MaxParts {
		return PartInfo{}, Object{}, ErrInvalidPartNumber
	}
	for range copyRounds {
		row, plan, err := s.copyPart(ctx, in)
		if errors.Is(err, errSourceChanged) {
			continue
		}
		if err != nil {
			return PartInfo{}, Object{}, err
		}
		return row.info(in.N), plan.bucket.object(plan.src, in.SrcBucket, in.SrcKey), nil
	}
	return PartInfo{}, Object{}, ErrConditionalConflict
}

func (in *CopyPartInput) source() sourceRef {
	return sourceRef{in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCustomer}
}

// partPlan is what CopyPart found out before its transaction.
type partPlan struct {
	bucket    bucketRow // of the source
	src       *objectRow
	off, len  int64
	extents   []extent           // of the range, nil when it is to be copied
	algorithm checksum.Algorithm // of the upload
	keys      *sse.Access        // of the upload
	opaque    meta.ID            // the upload, if it has opaque tags
}

func (p *partPlan) whole() bool { return p.off == 0 && p.len == p.src.size }

func (s *Store) copyPart(ctx context.Context, in CopyPartInput) (*partRow, *partPlan, error) {
	plan, err := s.planPart(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	row := &partRow{size: plan.len, extents: plan.extents}
	c := &content{}
	if plan.extents == nil && plan.len > 0 {
		if c, err = s.copyBytes(ctx, in, plan); err != nil {
			return nil, nil, err
		}
		row.etag, row.sum, row.extents = c.etag, c.sum, c.extents()
		if plan.opaque != (meta.ID{}) {
			row.etag = partTag(plan.opaque, in.N, row)
		}
	} else if err := s.identify(ctx, in, plan, row); err != nil {
		return nil, nil, err
	}
	row.modified = s.now()
	err = s.update(ctx, c.blobs(), func(x *tx) error {
		_, src, err := sourceRow(x, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err != nil {
			return err
		}
		if src.version() != plan.src.version() {
			return errSourceChanged
		}
		if c.body.kind == bodyNone {
			err = x.retainBlobs(row.extents)
		} else {
			err = x.add(c)
		}
		if err != nil {
			return err
		}
		return x.putPart(in.Bucket, in.Key, in.UploadID, in.N, row)
	})
	return row, plan, err
}

// planPart finds upload and source, and cuts the range out of the source.
func (s *Store) planPart(ctx context.Context, in CopyPartInput) (plan *partPlan, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		u, err := getUpload(r, in.Bucket, in.Key, in.UploadID)
		if err != nil {
			return err
		}
		b, src, err := sourceRow(r, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err != nil {
			return err
		}
		plan = &partPlan{bucket: b, src: src, off: in.Off, len: in.Len, algorithm: u.row.algorithm}
		if u.row.opaqueTags {
			plan.opaque = u.id
		}
		if plan.len < 0 {
			plan.len = src.size - plan.off
		}
		if plan.off < 0 || plan.len < 0 || plan.off > src.size || plan.len > src.size-plan.off {
			return ErrInvalidRange
		}
		if plan.len > MaxPutSize {
			return ErrEntityTooLarge
		}
		from, err := s.keys.Open(src.extra.Encryption, in.SrcCustomer)
		if err != nil {
			return err
		}
		if plan.keys, err = s.keys.Open(u.row.extra.Encryption, in.Customer); err != nil || !from.Same(plan.keys) {
			return err
		}
		return plan.cut(r)
	})
	return plan, err
}

// cut finds the pieces to share.
func (p *partPlan) cut(r meta.Reader) error {
	switch p.src.body.kind {
	case bodyBlob:
		p.extents = cutExtents([]extent{{blob: blob.ID(p.src.body.id), len: p.src.size}}, p.off, p.len)
	case bodyManifest:
		m, err := loadManifest(r, p.src)
		if err != nil {
			return err
		}
		p.extents = cutExtents(m.extents, p.off, p.len)
	}
	if n := int64(len(p.extents)); n > fewPieces && p.len/n < meanPiece {
		p.extents = nil
	}
	return nil
}

// cutExtents gives bytes off to off+n of the object that the extents make.
func cutExtents(list []extent, off, n int64) (out []extent) {
	for _, e := range list {
		if n == 0 {
			break
		}
		if off >= e.len {
			off -= e.len
			continue
		}
		m := min(n, e.len-off)
		out = append(out, extent{e.blob, e.off + off, m})
		off, n = 0, n-m
	}
	return out
}

// copyBytes copies the range into a new blob.
func (s *Store) copyBytes(ctx context.Context, in CopyPartInput, p *partPlan) (c *content, err error) {
	err = s.readSource(ctx, in.source(), p.src.version(), func(o *ObjectReader) error {
		c, err = s.ingest(ctx, source{body: o.Section(p.off, p.len), size: p.len, algorithm: p.algorithm, keys: p.keys, noTag: p.opaque != (meta.ID{})})
		return err
	})
	return c, err
}

// identify gives a shared range its ETag and checksum.
func (s *Store) identify(ctx context.Context, in CopyPartInput, p *partPlan, row *partRow) error {
	plain := p.whole() && p.src.parts == 0
	if plain {
		row.etag = p.src.etag
	} else {
		row.etag = rangeTag(p)
	}
	switch {
	case p.algorithm == "":
		return nil
	case p.whole() && p.src.sum.Algorithm == p.algorithm && p.src.sumType == checksum.FullObject:
		row.sum = p.src.sum
		return nil
	}
	h := p.algorithm.New()
	if h == nil {
		return ErrChecksumAlgorithm
	}
	err := s.readSource(ctx, in.source(), p.src.version(), func(o *ObjectReader) error {
		_, err := o.CopyRange(h, p.off, p.len)
		return err
	})
	row.sum = checksum.Sum{Algorithm: p.algorithm, Value: h.Sum(nil)}
	return err
}

// rangeTag is the ETag of a range of an object: another object or another range gives another.
func rangeTag(p *partPlan) [16]byte {
	b := append([]byte("pail range\x00"), p.src.etagText()...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.off))
	b = binary.BigEndian.AppendUint64(b, uint64(p.len))
	return md5.Sum(b)
}
