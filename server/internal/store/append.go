package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"slices"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
)

// MaxObjectSize is the size of the largest object, in bytes.
const MaxObjectSize = 50 << 40

// AppendObject adds a body to the end of an object, which must be Offset bytes long, else the error is ErrWriteOffset; one
// that is not there is made when Offset is 0. No byte of the object moves, but for one that lives in the metadata: it
// becomes a blob once. The object becomes one of parts, a part for each append, of which it may have MaxParts
// (ErrTooManyParts). It keeps its attributes; its checksum goes on where both have one of the same algorithm, and CRCs can
// be joined. What is appended is encrypted as the object is; a request that names another encryption is
// ErrAppendEncryption.
func (s *Store) AppendObject(ctx context.Context, in PutInput, offset int64) (Object, error) {
	if err := checkKey(in.Key); err != nil {
		return Object{}, err
	}
	a := &appending{store: s, in: in, offset: offset}
	old, inline, err := a.find(ctx)
	if err != nil {
		return Object{}, err
	}
	if old == nil {
		if in.Cond.empty() {
			in.Cond.IfNoneMatch = []string{"*"}
		}
		o, err := s.PutObject(ctx, in)
		if errors.Is(err, ErrPrecondition) {
			err = ErrWriteOffset // it is there by now
		}
		return o, err
	}
	defer a.recycle()
	if err := a.ingest(ctx, old, inline); err != nil {
		return Object{}, err
	}
	return a.commit(ctx)
}

// find reads the object before the body is read, to refuse early. inline are its bytes when they are in the metadata.
func (a *appending) find(ctx context.Context) (old *objectRow, inline []byte, err error) {
	in := &a.in
	err = a.store.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, in.Bucket)
		if err != nil {
			return err
		}
		if old, err = findObject(r, b, in.Key); err != nil {
			return err
		}
		if err := in.Cond.forWrite(old); err != nil {
			return err
		}
		if err := checkAppend(old, a.offset, max(in.Size, 0)); err != nil || old == nil {
			return err
		}
		if err := a.openKeys(old); err != nil || old.body.kind != bodyData {
			return err
		}
		inline, err = loadData(r, old.body.id, a.keys)
		return err
	})
	return old, bytes.Clone(inline), err
}

// openKeys finds the keys of the object.
func (a *appending) openKeys(old *objectRow) (err error) {
	a.encryption = old.extra.Encryption
	if a.keys, err = a.store.keys.Open(a.encryption, a.in.Customer); err != nil || !a.in.Encrypt {
		return err
	}
	asked, err := a.store.keys.Open(a.in.Extra.Encryption, a.in.Customer)
	if err == nil && !a.keys.Same(asked) {
		err = ErrAppendEncryption
	}
	return err
}

// checkAppend decides whether n bytes may be appended.
func checkAppend(old *objectRow, offset, n int64) error {
	switch {
	case old == nil && offset != 0, old != nil && old.size != offset:
		return ErrWriteOffset
	case old == nil:
		return nil
	case old.size > MaxObjectSize-n:
		return ErrEntityTooLarge
	}
	return nil
}

// appending is an append whose body was read.
type appending struct {
	store  *Store
	in     PutInput
	offset int64
	keys   *sse.Access
	moved  *content // the object's bytes that were in the metadata, as a blob
	from   body     // where they were
	tail   *content

	encryption []byte // of the object
}

func (a *appending) recycle() {
	for _, c := range []*content{a.moved, a.tail} {
		if c != nil {
			a.store.recycle(c)
		}
	}
}

// made are the new blobs.
func (a *appending) made() (list []blob.ID) {
	for _, c := range []*content{a.moved, a.tail} {
		if c != nil {
			list = append(list, c.blobs()...)
		}
	}
	return list
}

func (a *appending) ingest(ctx context.Context, old *objectRow, inline []byte) (err error) {
	s := a.store
	if len(inline) > 0 {
		a.from = old.body
		if a.moved, err = s.ingest(ctx, source{body: bytes.NewReader(inline), size: int64(len(inline)), noTag: true, keys: a.keys}); err != nil {
			return err
		}
	}
	a.tail, err = s.ingest(ctx, source{body: a.in.Body, size: a.in.Size, algorithm: a.in.Algorithm, verify: a.in.Verify, md5: a.in.MD5, keys: a.keys})
	if err != nil {
		s.reclaim.remove(a.made())
		s.reclaim.settle(a.made())
	}
	return err
}

func (a *appending) commit(ctx context.Context) (o Object, err error) {
	manifestID, now := a.store.newID(), a.store.now()
	err = a.store.update(ctx, a.made(), func(x *tx) error {
		b, err := getBucket(x, a.in.Bucket)
		if err != nil {
			return err
		}
		old, err := x.replaced(b, a.in.Key, a.in.Cond)
		if err != nil {
			return err
		}
		if old == nil {
			return ErrWriteOffset
		}
		if err := checkAppend(old, a.offset, a.tail.size); err != nil {
			return err
		}
		if !bytes.Equal(old.extra.Encryption, a.encryption) {
			return ErrConditionalConflict // another object of the same size took its place
		}
		m, err := a.extend(x, old)
		if err != nil {
			return err
		}
		row := a.row(old, m)
		row.modified, row.body = now, body{bodyManifest, manifestID}
		if err := save(x, meta.ManifestKey(manifestID, 0), m.encode()); err != nil {
			return err
		}
		if err := x.put(b, a.in.Key, row, old); err != nil {
			return err
		}
		x.event(EventAppend, b, a.in.Key, row)
		o = b.object(row, a.in.Bucket, a.in.Key)
		return nil
	})
	return o, err
}

// extend makes the manifest of the longer object, and takes a reference for each of its extents.
func (a *appending) extend(x *tx, old *objectRow) (*manifest, error) {
	m := new(manifest)
	switch old.body.kind {
	case bodyData:
		if a.moved == nil || a.from != old.body {
			return nil, ErrConditionalConflict // another object of the same size took its place
		}
		m.extents = a.moved.extents()
		if err := x.add(a.moved); err != nil {
			return nil, err
		}
	case bodyBlob:
		m.extents = []extent{{blob: blob.ID(old.body.id), len: old.size}}
	case bodyManifest:
		shared, err := loadManifest(x, old)
		if err != nil {
			return nil, err
		}
		m.extents = slices.Clone(shared.extents)
		for _, p := range shared.parts {
			m.parts = append(m.parts, manifestPart{n: len(m.parts) + 1, size: p.size})
		}
	}
	if old.body.kind != bodyData {
		if err := x.retainBlobs(m.extents); err != nil {
			return nil, err
		}
	}
	if m.parts == nil && old.size > 0 {
		m.parts = []manifestPart{{n: 1, size: old.size}}
	}
	if a.moved != nil && old.body.kind != bodyData {
		return nil, ErrConditionalConflict
	}
	m.parts = append(m.parts, manifestPart{n: len(m.parts) + 1, size: a.tail.size})
	m.extents = append(m.extents, a.tail.extents()...)
	if len(m.parts) > MaxParts {
		return nil, ErrTooManyParts
	}
	if len(m.extents) > maxExtents {
		return nil, ErrTooManyExtents
	}
	return m, x.add(a.tail)
}

// row makes the row of the longer object, without body and time. Its ETag is a hash of the old one and of the new bytes'.
func (a *appending) row(old *objectRow, m *manifest) *objectRow {
	row := *old
	row.size, row.parts = old.size+a.tail.size, len(m.parts)
	row.etag = md5.Sum(append(old.etag[:len(old.etag):len(old.etag)], a.tail.etag[:]...))
	row.extra.Retention, row.extra.LegalHold = Retention{}, HoldNone // a version has its own
	row.sum, row.sumType = checksum.Sum{}, ""
	if old.sumType != checksum.FullObject || old.sum.Algorithm != a.tail.sum.Algorithm {
		return &row
	}
	c, err := checksum.NewCombiner(a.tail.sum.Algorithm)
	if err != nil || c.Add(old.sum.Value, old.size) != nil || c.Add(a.tail.sum.Value, a.tail.size) != nil {
		return &row
	}
	row.sum, row.sumType = c.Sum(), checksum.FullObject
	return &row
}
