package store

import (
	"context"
	"errors"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// copyRounds is how often a copy that had to read its source begins anew because the source was replaced meanwhile.
const copyRounds = 5

// errSourceChanged means that the source is not the object that was read before the transaction.
var errSourceChanged = errors.New("store: copy source changed")

// version tells one state of an object's bytes from another.
type version struct {
	body body
	etag [16]byte
	size int64
}

func (o *objectRow) version() version { return version{o.body, o.etag, o.size} }

// CopyObject copies an object by reference. Only a checksum that the source does not have makes it read the bytes.
func (s *Store) CopyObject(ctx context.Context, in CopyInput) (Object, error) {
	if err := checkKey(in.DstKey); err != nil {
		return Object{}, err
	}
	if in.SrcBucket == in.DstBucket && in.SrcKey == in.DstKey && in.Replace == nil && in.Algorithm == "" &&
		in.StorageClass == "" && in.WebsiteRedirect == "" {
		return Object{}, ErrCopyToSelf
	}
	for range copyRounds {
		row, err := s.copyObject(ctx, in)
		if errors.Is(err, errSourceChanged) {
			continue
		}
		if err != nil {
			return Object{}, err
		}
		return row.object(in.DstBucket, in.DstKey), nil
	}
	return Object{}, ErrConditionalConflict
}

func (s *Store) copyObject(ctx context.Context, in CopyInput) (row *objectRow, err error) {
	var read *version // when a checksum was computed: of what
	var sum checksum.Sum
	src, err := s.copySource(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Algorithm != "" && !(src.sum.Algorithm == in.Algorithm && src.sumType == checksum.FullObject) {
		v := src.version()
		read = &v
		if sum, err = s.sumOf(ctx, in.SrcBucket, in.SrcKey, v, in.Algorithm); err != nil {
			return nil, err
		}
	}
	now := s.now()
	err = s.update(ctx, nil, func(x *tx) error {
		src, err := sourceRow(x, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err != nil {
			return err
		}
		if read != nil && *read != src.version() {
			return errSourceChanged
		}
		row = copyRow(src, in, now)
		if read != nil {
			row.sum, row.sumType = sum, checksum.FullObject
		}
		return x.putCopy(in, row)
	})
	return row, err
}

// copySource reads the source before the transaction, to refuse early.
func (s *Store) copySource(ctx context.Context, in CopyInput) (src *objectRow, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		if _, err := getBucket(r, in.DstBucket); err != nil {
			return err
		}
		src, err = sourceRow(r, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err == nil && src.size > MaxPutSize {
			err = ErrCopySourceTooLarge
		}
		return err
	})
	return src, err
}

// sourceRow reads the source of a copy and decides its conditions.
func sourceRow(r meta.Reader, bucket, key, versionID string, c Conditions) (*objectRow, error) {
	b, err := getBucket(r, bucket)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(versionID); err != nil {
		return nil, err
	}
	row, err := getObject(r, b.id, key)
	if err != nil {
		return nil, err
	}
	return row, c.forSource(row)
}

// copyRow makes the row of the copy.
func copyRow(src *objectRow, in CopyInput, now time.Time) *objectRow {
	row := *src
	row.modified, row.owner = now, in.Owner
	tags := src.attrs.Tags
	if in.ReplaceTags != nil {
		tags = *in.ReplaceTags
	}
	row.attrs.Tags = tags
	if in.Replace != nil {
		row.attrs = *in.Replace
		row.attrs.Tags = tags
		return &row
	}
	row.attrs.WebsiteRedirect = in.WebsiteRedirect // S3 does not copy it
	if in.StorageClass != "" {
		row.attrs.StorageClass = in.StorageClass
	}
	return &row
}

// putCopy makes row, which shares its body with the source, the destination's. It takes the new reference first: the
// object that gives way may be the source itself.
func (x *tx) putCopy(in CopyInput, row *objectRow) error {
	b, err := getBucket(x, in.DstBucket)
	if err != nil {
		return err
	}
	old, err := x.replaced(b.id, in.DstKey, in.DstCond)
	if err != nil {
		return err
	}
	if err := x.retain(row.body); err != nil {
		return err
	}
	return x.put(b.id, in.DstKey, row, old)
}

// sumOf computes a checksum over an object, which must be that version still.
func (s *Store) sumOf(ctx context.Context, bucket, key string, v version, a checksum.Algorithm) (checksum.Sum, error) {
	h := a.New()
	if h == nil {
		return checksum.Sum{}, ErrChecksumAlgorithm
	}
	if err := s.readVersion(ctx, bucket, key, v, func(o *ObjectReader) error {
		_, err := o.CopyRange(h, 0, o.Object.Size)
		return err
	}); err != nil {
		return checksum.Sum{}, err
	}
	return checksum.Sum{Algorithm: a, Value: h.Sum(nil)}, nil
}

// readVersion opens an object for fn. When it is another version by now, the error is errSourceChanged.
func (s *Store) readVersion(ctx context.Context, bucket, key string, v version, fn func(*ObjectReader) error) error {
	o, err := s.GetObject(ctx, bucket, key, ReadInput{})
	if err != nil {
		return err
	}
	defer o.Close()
	if o.version != v {
		return errSourceChanged
	}
	return fn(o)
}
