package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// manifest is the body of a multipart object. It never changes; copies of the object share it, and it holds one
// reference to a blob for each of its extents.
type manifest struct {
	extents   []extent
	algorithm checksum.Algorithm // of the parts
	parts     []manifestPart

	starts []int64 // startsOf extents, once it was loaded
}

type manifestPart struct {
	n    int
	size int64
	sum  []byte
}

// size is the object's, of a manifest that was loaded.
func (m *manifest) size() int64 {
	if n := len(m.starts); n > 0 {
		return m.starts[n-1] + m.extents[n-1].len
	}
	return 0
}

func (m *manifest) encode() []byte {
	var e meta.Encoder
	e.Blob(1, packExtents(m.extents))
	e.String(2, string(m.algorithm))
	var p []byte
	for _, part := range m.parts {
		p = binary.AppendUvarint(p, uint64(part.n))
		p = binary.AppendUvarint(p, uint64(part.size))
		p = binary.AppendUvarint(p, uint64(len(part.sum)))
		p = append(p, part.sum...)
	}
	e.Blob(3, p)
	return e.Bytes()
}

func decodeManifest(p []byte) (m *manifest, err error) {
	m = new(manifest)
	d := meta.NewDecoder(p)
	for d.Next() && err == nil {
		switch d.Tag() {
		case 1:
			m.extents, err = unpackExtents(d.Blob())
		case 2:
			m.algorithm = checksum.Algorithm(d.String())
		case 3:
			m.parts, err = unpackParts(d.Blob())
		}
	}
	return m, cmp.Or(err, d.Err())
}

func unpackParts(p []byte) (list []manifestPart, err error) {
	for len(p) > 0 {
		var field [3]uint64
		for i := range field {
			v, n := binary.Uvarint(p)
			if n <= 0 {
				return nil, errRow
			}
			field[i], p = v, p[n:]
		}
		if field[0] < 1 || field[0] > MaxParts || field[1] > 1<<56 || field[2] > uint64(len(p)) {
			return nil, errRow
		}
		list = append(list, manifestPart{int(field[0]), int64(field[1]), slices.Clone(p[:field[2]])})
		p = p[field[2]:]
	}
	return list, nil
}

// infos describes the parts to a caller.
func (m *manifest) infos() []PartInfo {
	list := make([]PartInfo, len(m.parts))
	for i, p := range m.parts {
		list[i] = PartInfo{N: p.n, Size: p.size}
		if len(p.sum) > 0 {
			list[i].Checksum = checksum.Sum{Algorithm: m.algorithm, Value: p.sum}
		}
	}
	return list
}

// uploadRow is a multipart upload in progress.
type uploadRow struct {
	initiated time.Time
	owner     string
	attrs     Attrs
	algorithm checksum.Algorithm
	sumType   string
	extra     Extra // of the object to be

	opaqueTags bool // its parts get partTag
}

func (u *uploadRow) encode() []byte {
	var e meta.Encoder
	encodeTime(&e, 2, u.initiated)
	e.String(5, u.owner)
	encodeAttrs(&e, u.attrs)
	encodeSum(&e, checksum.Sum{Algorithm: u.algorithm}, u.sumType)
	encodeExtra(&e, &u.extra)
	e.Uint(50, bit(u.opaqueTags))
	return e.Bytes()
}

func decodeUpload(p []byte) (u *uploadRow, err error) {
	u = new(uploadRow)
	var sum checksum.Sum
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 2:
			u.initiated = time.Unix(0, d.Int()).UTC()
		case 5:
			u.owner = d.String()
		case 50:
			u.opaqueTags = d.Uint() != 0
		default:
			decodeAttr(&d, &u.attrs)
			decodeSum(&d, &sum, &u.sumType)
			if err := decodeExtra(&d, &u.extra); err != nil {
				return nil, err
			}
		}
	}
	u.algorithm = sum.Algorithm
	return u, d.Err()
}

func (u *uploadRow) upload(bucket, key string, id meta.ID) Upload {
	return Upload{Bucket: bucket, Key: key, ID: uploadText(id), Owner: u.owner, Initiated: u.initiated, Attrs: u.attrs,
		Algorithm: u.algorithm, ChecksumType: u.sumType, Extra: u.extra}
}

// partRow is a part of an upload in progress. It holds one reference to a blob for each of its extents.
type partRow struct {
	size     int64
	modified time.Time
	etag     [16]byte
	sum      checksum.Sum
	extents  []extent
}

func (r *partRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, uint64(r.size))
	encodeTime(&e, 2, r.modified)
	e.Blob(3, r.etag[:])
	encodeSum(&e, r.sum, "")
	e.Blob(30, packExtents(r.extents))
	return e.Bytes()
}

func decodePart(p []byte) (r *partRow, err error) {
	r = new(partRow)
	var sumType string
	d := meta.NewDecoder(p)
	for d.Next() && err == nil {
		switch d.Tag() {
		case 1:
			r.size = int64(d.Uint())
		case 2:
			r.modified = time.Unix(0, d.Int()).UTC()
		case 3:
			if copy(r.etag[:], d.Blob()) != len(r.etag) {
				err = errRow
			}
		case 30:
			r.extents, err = unpackExtents(d.Blob())
		default:
			decodeSum(&d, &r.sum, &sumType)
		}
	}
	if err == nil && (r.size < 0 || totalLen(r.extents) != r.size) {
		err = errRow
	}
	return r, cmp.Or(err, d.Err())
}

func totalLen(list []extent) (n int64) {
	for _, x := range list {
		n += x.len
	}
	return n
}

func (r *partRow) info(n int) PartInfo {
	return PartInfo{N: n, Size: r.size, ETag: etagText(r.etag, 0), LastModified: r.modified, Checksum: r.sum}
}

// completedRow remembers what CompleteUpload answered, for a client that did not hear it.
type completedRow struct {
	bucket meta.BucketID
	key    string
	when   time.Time
	object *objectRow // without body
}

func (c *completedRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, uint64(c.bucket))
	e.String(2, c.key)
	encodeTime(&e, 3, c.when)
	e.Blob(4, c.object.encode())
	return e.Bytes()
}

func decodeCompleted(p []byte) (c *completedRow, err error) {
	c = &completedRow{object: new(objectRow)}
	d := meta.NewDecoder(p)
	for d.Next() && err == nil {
		switch d.Tag() {
		case 1:
			c.bucket = meta.BucketID(d.Uint())
		case 2:
			c.key = d.String()
		case 3:
			c.when = time.Unix(0, d.Int()).UTC()
		case 4:
			c.object, err = decodeObject(d.Blob())
		}
	}
	return c, cmp.Or(err, d.Err())
}
