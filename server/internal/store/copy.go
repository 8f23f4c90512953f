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
func (s *Store) CopyObject(ctx context.Context, in CopyInput) (dst Object, err error) {
	if err := checkKey(in.DstKey); err != nil {
		return Object{}, err
	}
	if in.SrcBucket == in.DstBucket && in.SrcKey == in.DstKey && in.SrcVersionID == "" && in.Replace == nil && in.Algorithm == "" &&
		in.StorageClass == "" && in.WebsiteRedirect == "" {
		return Object{}, ErrCopyToSelf
	}
	for range copyRounds {
		dst, err = s.copyObject(ctx, in)
		if errors.Is(err, errSourceChanged) {
			continue
		}
		if err != nil {
			return Object{}, err
		}
		return dst, nil
	}
	return Object{}, ErrConditionalConflict
}

func (s *Store) copyObject(ctx context.Context, in CopyInput) (dst Object, err error) {
	var read *version // when a checksum was computed: of what
	var sum checksum.Sum
	src, err := s.copySource(ctx, in)
	if err != nil {
		return dst, err
	}
	if in.Algorithm != "" && !(src.sum.Algorithm == in.Algorithm && src.sumType == checksum.FullObject) {
		v := src.version()
		read = &v
		if sum, err = s.sumOf(ctx, in, v); err != nil {
			return dst, err
		}
	}
	now := s.now()
	err = s.update(ctx, nil, func(x *tx) error {
		b, src, err := sourceRow(x, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err != nil {
			return err
		}
		if read != nil && *read != src.version() {
			return errSourceChanged
		}
		row := copyRow(src, in, now)
		if read != nil {
			row.sum, row.sumType = sum, checksum.FullObject
		}
		if err := x.putCopy(in, row); err != nil {
			return err
		}
		dst = row.object(in.DstBucket, in.DstKey)
		dst.SourceVersionID = b.object(src, in.SrcBucket, in.SrcKey).VersionID
		return nil
	})
	return dst, err
}

// copySource reads the source before the transaction, to refuse early.
func (s *Store) copySource(ctx context.Context, in CopyInput) (src *objectRow, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		if _, err := getBucket(r, in.DstBucket); err != nil {
			return err
		}
		_, src, err = sourceRow(r, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err == nil && src.size > MaxPutSize {
			err = ErrCopySourceTooLarge
		}
		return err
	})
	return src, err
}

// sourceRow reads the source of a copy and decides its conditions.
func sourceRow(r meta.Reader, bucket, key, versionID string, c Conditions) (bucketRow, *objectRow, error) {
	b, row, err := readObject(r, bucket, key, versionID)
	if err != nil {
		return b, nil, err
	}
	return b, row, c.forSource(row)
}

// copyRow makes the row of the copy. What protects the source does not protect the copy.
func copyRow(src *objectRow, in CopyInput, now time.Time) *objectRow {
	row := *src
	row.modified, row.owner, row.extra = now, in.Owner, in.Extra
	row.extra.Encryption = src.extra.Encryption // of the bytes, which are shared
	row.id, row.null = meta.ID{}, false
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
	row.attrs.WebsiteRedirect, row.attrs.StorageClass = in.WebsiteRedirect, in.StorageClass // S3 does not copy them
	return &row
}

// putCopy makes row, which shares its body with the source, the destination's. It takes the new reference first: the
// object that gives way may be the source itself.
func (x *tx) putCopy(in CopyInput, row *objectRow) error {
	b, err := getBucket(x, in.DstBucket)
	if err != nil {
		return err
	}
	old, err := x.replaced(b, in.DstKey, in.DstCond)
	if err != nil {
		return err
	}
	if err := x.retain(row.body); err != nil {
		return err
	}
	if err := x.put(b, in.DstKey, row, old); err != nil {
		return err
	}
	x.event(EventCopy, b, in.DstKey, row)
	return nil
}

// sumOf computes a checksum over a copy's source, which must be that version still.
func (s *Store) sumOf(ctx context.Context, in CopyInput, v version) (checksum.Sum, error) {
	h := in.Algorithm.New()
	if h == nil {
		return checksum.Sum{}, ErrChecksumAlgorithm
	}
	if err := s.readSource(ctx, in.SrcBucket, in.SrcKey, in.SrcVersionID, v, func(o *ObjectReader) error {
		_, err := o.CopyRange(h, 0, o.Object.Size)
		return err
	}); err != nil {
		return checksum.Sum{}, err
	}
	return checksum.Sum{Algorithm: in.Algorithm, Value: h.Sum(nil)}, nil
}

// readSource opens an object for fn. When it is another version by now, the error is errSourceChanged.
func (s *Store) readSource(ctx context.Context, bucket, key, versionID string, v version, fn func(*ObjectReader) error) error {
	o, err := s.GetObject(ctx, bucket, key, ReadInput{VersionID: versionID})
	if err != nil {
		return err
	}
	defer o.Close()
	if o.version != v {
		return errSourceChanged
	}
	return fn(o)
}
