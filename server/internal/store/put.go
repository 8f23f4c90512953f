package store

import (
	"context"
	"fmt"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// MaxKeyLength is the length of the longest key, in bytes.
const MaxKeyLength = 1024

func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: empty key", ErrInvalidArgument)
	}
	if len(key) > MaxKeyLength {
		return ErrKeyTooLong
	}
	return nil
}

// PutObject stores an object whole or not at all. All is decided in the transaction that makes it visible, and once before the
// body is read where that can spare a client something worth while.
func (s *Store) PutObject(ctx context.Context, in PutInput) (Object, error) {
	if err := checkKey(in.Key); err != nil {
		return Object{}, err
	}
	keys, err := s.keys.Open(in.Extra.Encryption, in.Customer)
	if err != nil {
		return Object{}, err
	}
	if err := s.refuseEarly(ctx, &in); err != nil {
		return Object{}, err
	}
	c, err := s.ingest(ctx, source{body: in.Body, size: in.Size, algorithm: in.Algorithm, verify: in.Verify, md5: in.MD5, inline: true, keys: keys})
	if err != nil {
		return Object{}, err
	}
	defer s.recycle(c)
	made := objectRow{size: c.size, modified: s.now(), etag: c.etag, owner: in.Owner, attrs: in.Attrs, sum: c.sum,
		body: c.body, extra: in.Extra}
	if !c.sum.IsZero() {
		made.sumType = checksum.FullObject
	}
	var row *objectRow
	err = s.update(ctx, c.blobs(), func(x *tx) error {
		b, err := getBucket(x, in.Bucket)
		if err != nil {
			return err
		}
		old, err := x.replaced(b, in.Key, in.Cond)
		if err != nil {
			return err
		}
		if err := x.add(c); err != nil {
			return err
		}
		row = new(made) // the bucket adds to it, and may be another one when this runs again
		if err := x.put(b, in.Key, row, old); err != nil {
			return err
		}
		x.event(EventPut, b, in.Key, row)
		return nil
	})
	if err != nil {
		return Object{}, err
	}
	return row.object(in.Bucket, in.Key), nil
}

// refuseEarly decides what can be before the body is read. A small body costs less than the look-up.
func (s *Store) refuseEarly(ctx context.Context, in *PutInput) error {
	if in.Cond.empty() && in.Size >= 0 && in.Size <= s.inlineLimit {
		return nil
	}
	return s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, in.Bucket)
		if err != nil {
			return err
		}
		if err := b.checkLock(&in.Extra); err != nil || in.Cond.empty() {
			return err
		}
		old, err := findObject(r, b, in.Key)
		if err != nil {
			return err
		}
		return in.Cond.forWrite(old)
	})
}
