package store

import (
	"context"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
)

// target is what a read finds.
type target struct {
	bucket bucketRow
	row    *objectRow
	m      *manifest // of a multipart object, when it is asked for
}

// lookup finds an object for a read and decides its conditions. With ErrNotModified and ErrPrecondition, the target has
// its row. pieces asks for the manifest, whatever in says.
func (s *Store) lookup(r meta.Reader, bucket, key string, in ReadInput, pieces bool) (t target, err error) {
	if t.bucket, err = getBucket(r, bucket); err != nil {
		return t, err
	}
	v, err := readVersion(r, t.bucket, key, in.VersionID)
	if err != nil {
		return t, err
	}
	if in.Permit != nil {
		if err := in.Permit(v.row.owner, v.row.extra.ACL); err != nil {
			return t, err
		}
	}
	t.row = v.row
	if err := in.Cond.forRead(t.row); err != nil {
		return t, err
	}
	if t.row.body.kind == bodyManifest && (pieces || in.Parts || in.PartNumber != 0) {
		t.m, err = s.manifests.load(r, t.row)
	}
	return t, err
}

func loadManifest(r meta.Reader, row *objectRow) (*manifest, error) {
	key := meta.ManifestKey(row.body.id, 0)
	m, err := load(r, key, decodeManifest)
	if err != nil {
		return nil, missing(err, &meta.DamagedError{Key: key, Reason: "missing"})
	}
	m.starts = startsOf(m.extents)
	return m, m.fits(row)
}

// fits is an error unless the manifest can be the object's.
func (m *manifest) fits(row *objectRow) error {
	if m.size() != row.size || len(m.parts) != row.parts {
		return &meta.DamagedError{Key: meta.ManifestKey(row.body.id, 0), Reason: "does not fit its object"}
	}
	return nil
}

// describe makes the Object of a read.
func (t *target) describe(bucket, key string, in ReadInput) (Object, error) {
	o := t.bucket.object(t.row, bucket, key)
	if t.m != nil && (in.Parts || in.PartNumber != 0) {
		o.Parts = t.m.infos()
	}
	if in.PartNumber != 0 {
		if _, _, err := o.PartRange(in.PartNumber); err != nil {
			return Object{}, err
		}
	}
	return o, nil
}

// HeadObject describes an object. With ErrNotModified and ErrPrecondition, the Object is filled in, but for Parts.
func (s *Store) HeadObject(ctx context.Context, bucket, key string, in ReadInput) (o Object, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		t, err := s.lookup(r, bucket, key, in, false)
		if err != nil {
			if t.row != nil {
				o = t.bucket.object(t.row, bucket, key)
			}
			return err
		}
		o, err = t.describe(bucket, key, in)
		return err
	})
	return o, err
}

// GetObject opens an object. The caller closes the reader. With ErrNotModified and ErrPrecondition the reader is nil,
// and HeadObject tells the object's ETag.
func (s *Store) GetObject(ctx context.Context, bucket, key string, in ReadInput) (*ObjectReader, error) {
	o := &ObjectReader{store: s, ctx: ctx}
	s.reclaim.begin(o)
	err := s.view(ctx, func(r meta.Reader) error {
		t, err := s.lookup(r, bucket, key, in, true)
		if err != nil {
			return err
		}
		if o.Object, err = t.describe(bucket, key, in); err != nil {
			return err
		}
		if o.keys, err = s.keys.Open(t.row.extra.Encryption, in.Customer); err != nil {
			return err
		}
		return o.locate(r, t.row, t.m)
	})
	if err == nil {
		s.reclaim.located(o)
		err = o.openSingle()
	}
	if err != nil {
		o.Close()
		return nil, storeError(err)
	}
	return o, nil
}

// locate finds out where the bytes are. Inline bytes are read at once: they are few, and their row may go.
func (o *ObjectReader) locate(r meta.Reader, row *objectRow, m *manifest) error {
	o.version = row.version()
	switch row.body.kind {
	case bodyData:
		data, err := loadData(r, row.body.id, o.keys)
		if err != nil {
			return err
		}
		if int64(len(data)) != row.size {
			return &meta.DamagedError{Key: meta.DataKey(row.body.id), Reason: "does not fit its object"}
		}
		o.data = data
	case bodyBlob:
		o.extents, o.starts = []extent{{blob: blob.ID(row.body.id), len: row.size}}, []int64{0}
	case bodyManifest:
		o.extents, o.starts = m.extents, m.starts
	}
	return nil
}

func loadData(r meta.Reader, id meta.ID, keys *sse.Access) ([]byte, error) {
	payload, err := loadPayload(r, id)
	if err != nil {
		return nil, err
	}
	return openData(id, payload, keys)
}

// loadPayload reads a data row as it is.
func loadPayload(r meta.Reader, id meta.ID) ([]byte, error) {
	key := meta.DataKey(id)
	payload, err := load(r, key, func(p []byte) ([]byte, error) { return p, nil })
	return payload, missing(err, &meta.DamagedError{Key: key, Reason: "missing"})
}
