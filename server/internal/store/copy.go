package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
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

// CopyObject copies an object by reference. Only a checksum that the source does not have makes it read the bytes, and only
// another key makes it write them.
func (s *Store) CopyObject(ctx context.Context, in CopyInput) (dst Object, err error) {
	if err := checkKey(in.DstKey); err != nil {
		return Object{}, err
	}
	if in.SrcBucket == in.DstBucket && in.SrcKey == in.DstKey && in.SrcVersionID == "" && in.Replace == nil && in.Algorithm == "" &&
		in.StorageClass == "" && in.WebsiteRedirect == "" && !in.Encrypt {
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
	src, err := s.copySource(ctx, in)
	if err != nil {
		return dst, err
	}
	made, err := s.prepareCopy(ctx, in, src)
	if err != nil {
		return dst, err
	}
	defer s.recycle(made.content)
	now := s.now()
	err = s.update(ctx, made.blobs(), func(x *tx) error {
		b, src, err := sourceRow(x, in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCond)
		if err != nil {
			return err
		}
		// Bytes that came meanwhile may be encrypted with another key.
		if made.of != nil && *made.of != src.version() || !bytes.Equal(made.encryption, src.extra.Encryption) {
			return errSourceChanged
		}
		row := copyRow(src, in, now)
		made.describe(row)
		if err := x.putCopy(in, row, made); err != nil {
			return err
		}
		dst = row.object(in.DstBucket, in.DstKey)
		dst.SourceVersionID = b.object(src, in.SrcBucket, in.SrcKey).VersionID
		return nil
	})
	return dst, err
}

// copied is what a copy had to make before its transaction.
type copied struct {
	*content              // the bytes, when they were encrypted anew
	anew     bool         // they were
	of       *version     // of the source that was read, nil when none was
	sum      checksum.Sum // of the whole, zero to keep the source's

	encryption []byte // of the source that was seen
}

// describe gives the row of the copy what the source's row does not say of it.
func (c *copied) describe(row *objectRow) {
	if c.anew {
		row.body, row.etag, row.parts = c.body, c.etag, 0
		row.sum, row.sumType = c.content.sum, ""
		if !row.sum.IsZero() {
			row.sumType = checksum.FullObject
		}
	} else if !c.sum.IsZero() {
		row.sum, row.sumType = c.sum, checksum.FullObject
	}
}

// prepareCopy reads the source as far as that is needed.
func (s *Store) prepareCopy(ctx context.Context, in CopyInput, src *objectRow) (c *copied, err error) {
	c = &copied{content: new(content), encryption: src.extra.Encryption}
	v := src.version()
	from, err := s.keys.Open(src.extra.Encryption, in.SrcCustomer)
	if err != nil {
		return nil, err
	}
	to, err := s.keys.Open(in.Extra.Encryption, in.Customer)
	if err != nil {
		return nil, err
	}
	switch {
	case !from.Same(to):
		c.of, c.anew = &v, true
		algorithm := in.Algorithm
		if algorithm == "" {
			algorithm = src.sum.Algorithm
		}
		err = s.readSource(ctx, in.source(), v, func(o *ObjectReader) error {
			c.content, err = s.ingest(ctx, source{body: o.Section(0, src.size), size: src.size, algorithm: algorithm, inline: true, keys: to})
			return err
		})
	case in.Algorithm != "" && !(src.sum.Algorithm == in.Algorithm && src.sumType == checksum.FullObject):
		c.of = &v
		c.sum, err = s.sumOf(ctx, in, v)
	}
	return c, err
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

// putCopy makes row the destination's. It takes the new reference to a body that is shared with the source first: the object
// that gives way may be the source itself.
func (x *tx) putCopy(in CopyInput, row *objectRow, made *copied) error {
	b, err := getBucket(x, in.DstBucket)
	if err != nil {
		return err
	}
	old, err := x.replaced(b, in.DstKey, in.DstCond)
	if errors.Is(err, ErrNoSuchKey) {
		return &DestinationError{err}
	}
	if err != nil {
		return err
	}
	if made.anew {
		err = x.add(made.content)
	} else {
		err = x.retain(row.body)
	}
	if err != nil {
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
	if err := s.readSource(ctx, in.source(), v, func(o *ObjectReader) error {
		_, err := o.CopyRange(h, 0, o.Object.Size)
		return err
	}); err != nil {
		return checksum.Sum{}, err
	}
	return checksum.Sum{Algorithm: in.Algorithm, Value: h.Sum(nil)}, nil
}

// sourceRef names the source of a copy.
type sourceRef struct {
	bucket, key, version string
	customer             *sse.CustomerKey
}

func (in *CopyInput) source() sourceRef {
	return sourceRef{in.SrcBucket, in.SrcKey, in.SrcVersionID, in.SrcCustomer}
}

// readSource opens an object for fn. When it is another version by now, the error is errSourceChanged.
func (s *Store) readSource(ctx context.Context, src sourceRef, v version, fn func(*ObjectReader) error) error {
	o, err := s.GetObject(ctx, src.bucket, src.key, ReadInput{VersionID: src.version, Customer: src.customer})
	if err != nil {
		return err
	}
	defer o.Close()
	if o.version != v {
		return errSourceChanged
	}
	return fn(o)
}
