package store

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// The rows of the metadata, but for those of inline bytes, which are the bytes. NB: the tags of the fields must not
// change; new fields get new ones.

var errRow = errors.New("store: field out of range")

// bodyKind says where the bytes of an object are.
type bodyKind uint64

const (
	bodyNone     bodyKind = 0 // there are none
	bodyData     bodyKind = 1 // in a data row
	bodyBlob     bodyKind = 2 // a whole blob
	bodyManifest bodyKind = 3 // in pieces of blobs, listed in a manifest
)

// body points to the bytes of an object. The row that holds it holds one reference.
type body struct {
	kind bodyKind
	id   meta.ID
}

// extent is a piece of a blob.
type extent struct {
	blob     blob.ID
	off, len int64
}

func (e extent) end() int64 { return e.off + e.len }

type bucketRow struct {
	id            meta.BucketID
	created       time.Time
	region, owner string
	versioning    Versioning
	lock          bool // objects can be locked
	retention     DefaultRetention
}

func (b bucketRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, uint64(b.id))
	encodeTime(&e, 2, b.created)
	e.String(3, b.region)
	e.String(4, b.owner)
	e.Uint(5, number(versionings[:], b.versioning))
	e.Uint(6, bit(b.lock))
	e.Uint(7, number(lockModes[:], b.retention.Mode))
	e.Uint(8, uint64(b.retention.Days))
	e.Uint(9, uint64(b.retention.Years))
	return e.Bytes()
}

func decodeBucket(p []byte) (b bucketRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() && err == nil {
		switch d.Tag() {
		case 1:
			b.id = meta.BucketID(d.Uint())
		case 2:
			b.created = time.Unix(0, d.Int()).UTC()
		case 3:
			b.region = d.String()
		case 4:
			b.owner = d.String()
		case 5:
			err = numbered(versionings[:], d.Uint(), &b.versioning)
		case 6:
			b.lock = d.Uint() != 0
		case 7:
			err = numbered(lockModes[:], d.Uint(), &b.retention.Mode)
		case 8:
			b.retention.Days = int(d.Uint())
		case 9:
			b.retention.Years = int(d.Uint())
		}
	}
	if !b.retention.valid() {
		err = errRow
	}
	return b, cmp.Or(err, d.Err())
}

// objectRow is a version of an object, or a delete marker.
type objectRow struct {
	id       meta.ID // of the version; zero when the bucket had no versions yet. See version.go
	null     bool    // clients know it as NullVersion; one without id always is
	marker   bool    // a delete marker
	size     int64
	modified time.Time
	etag     [16]byte
	parts    int // of a multipart object, else 0
	owner    string
	attrs    Attrs
	sum      checksum.Sum
	sumType  string
	body     body
	extra    Extra

	damaged bool // stands for a row that cannot be read, and gives way to another
}

func (o *objectRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, uint64(o.size))
	encodeTime(&e, 2, o.modified)
	e.Blob(3, o.etag[:])
	e.Uint(4, uint64(o.parts))
	e.String(5, o.owner)
	encodeAttrs(&e, o.attrs)
	encodeSum(&e, o.sum, o.sumType)
	e.Uint(30, uint64(o.body.kind))
	if o.body.kind != bodyNone {
		e.Blob(31, o.body.id[:])
	}
	if o.id != (meta.ID{}) {
		e.Blob(32, o.id[:])
	}
	e.Uint(33, bit(o.null))
	e.Uint(34, bit(o.marker))
	encodeExtra(&e, &o.extra)
	return e.Bytes()
}

func decodeObject(p []byte) (*objectRow, error) {
	o := new(objectRow)
	if err := o.decode(meta.NewDecoder(p)); err != nil {
		return nil, err
	}
	return o, nil
}

// decode reads a row into o, of which nothing stays. After an error o is of no use.
func (o *objectRow) decode(d meta.Decoder) error {
	*o = objectRow{}
	ok := true
	for d.Next() {
		switch d.Tag() {
		case 1:
			o.size = int64(d.Uint())
		case 2:
			o.modified = time.Unix(0, d.Int()).UTC()
		case 3:
			ok = copy(o.etag[:], d.Blob()) == len(o.etag) && ok
		case 4:
			o.parts = int(d.Uint())
		case 5:
			o.owner = d.String()
		case 30:
			o.body.kind = bodyKind(d.Uint())
		case 31:
			ok = copy(o.body.id[:], d.Blob()) == len(o.body.id) && ok
		case 32:
			ok = copy(o.id[:], d.Blob()) == len(o.id) && ok
		case 33:
			o.null = d.Uint() != 0
		case 34:
			o.marker = d.Uint() != 0
		default:
			decodeAttr(&d, &o.attrs)
			decodeSum(&d, &o.sum, &o.sumType)
			ok = decodeExtra(&d, &o.extra) == nil && ok
		}
	}
	if !ok || o.size < 0 || o.parts < 0 || o.parts > MaxParts || o.body.kind > bodyManifest {
		return cmp.Or(d.Err(), errRow)
	}
	return d.Err()
}

// etagText gives the ETag as S3 writes it.
func (o *objectRow) etagText() string { return etagText(o.etag, o.parts) }

func etagText(md5 [16]byte, parts int) string {
	text := hex.AppendEncode(make([]byte, 0, 48), md5[:])
	if parts > 0 {
		text = strconv.AppendInt(append(text, '-'), int64(parts), 10)
	}
	return string(text)
}

// object describes the row to a caller, who knows the bucket.
func (b *bucketRow) object(o *objectRow, bucket, key string) Object {
	out := o.object(bucket, key)
	if out.VersionID == "" && b.versioning != Unversioned {
		out.VersionID = NullVersion
	}
	return out
}

// object describes the row to a caller.
func (o *objectRow) object(bucket, key string) Object {
	return Object{
		Bucket: bucket, Key: key, Size: o.size, ETag: o.etagText(), LastModified: o.modified, Attrs: o.attrs,
		Checksum: o.sum, ChecksumType: o.sumType, PartCount: o.parts, Owner: o.owner, VersionID: o.versionText(),
		DeleteMarker: o.marker, Extra: o.extra,
	}
}

// encodeTime writes a time with nanoseconds; the zero time is left out.
func encodeTime(e *meta.Encoder, tag uint64, t time.Time) {
	if !t.IsZero() {
		e.Int(tag, t.UnixNano())
	}
}

// Attributes have the tags 10 to 19.
func encodeAttrs(e *meta.Encoder, a Attrs) {
	e.String(10, a.ContentType)
	e.String(11, a.CacheControl)
	e.String(12, a.ContentDisposition)
	e.String(13, a.ContentEncoding)
	e.String(14, a.ContentLanguage)
	e.String(15, a.Expires)
	e.String(16, a.StorageClass)
	e.String(17, a.WebsiteRedirect)
	for _, name := range slices.Sorted(maps.Keys(a.Meta)) {
		var pair meta.Encoder
		pair.String(1, name)
		pair.String(2, a.Meta[name])
		e.Blob(18, pair.Bytes())
	}
	for _, t := range a.Tags {
		var pair meta.Encoder
		pair.String(1, t.Key)
		pair.String(2, t.Value)
		e.Blob(19, pair.Bytes())
	}
}

func decodeAttr(d *meta.Decoder, a *Attrs) {
	switch d.Tag() {
	case 10:
		a.ContentType = d.String()
	case 11:
		a.CacheControl = d.String()
	case 12:
		a.ContentDisposition = d.String()
	case 13:
		a.ContentEncoding = d.String()
	case 14:
		a.ContentLanguage = d.String()
	case 15:
		a.Expires = d.String()
	case 16:
		a.StorageClass = d.String()
	case 17:
		a.WebsiteRedirect = d.String()
	case 19:
		name, value := decodePair(d.Blob())
		a.Tags = append(a.Tags, Tag{name, value})
	case 18:
		name, value := decodePair(d.Blob())
		if a.Meta == nil {
			a.Meta = make(map[string]string)
		}
		a.Meta[name] = value
	}
}

func decodePair(p []byte) (name, value string) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			name = d.String()
		case 2:
			value = d.String()
		}
	}
	return name, value
}

// A checksum has the tags 20 to 23.
func encodeSum(e *meta.Encoder, s checksum.Sum, sumType string) {
	e.String(20, string(s.Algorithm))
	e.Blob(21, s.Value)
	e.Uint(22, uint64(s.Parts))
	e.String(23, sumType)
}

func decodeSum(d *meta.Decoder, s *checksum.Sum, sumType *string) {
	switch d.Tag() {
	case 20:
		s.Algorithm = checksum.Algorithm(d.String())
	case 21:
		s.Value = slices.Clone(d.Blob())
	case 22:
		s.Parts = int(d.Uint())
	case 23:
		*sumType = d.String()
	}
}

// refsRow counts references. Of a blob, it also has the size.
type refsRow struct {
	count uint64
	size  int64
}

func (r refsRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, r.count)
	e.Uint(2, uint64(r.size))
	return e.Bytes()
}

func decodeRefs(p []byte) (r refsRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			r.count = d.Uint()
		case 2:
			r.size = int64(d.Uint())
		}
	}
	if r.count == 0 || r.size < 0 {
		return r, cmp.Or(d.Err(), errRow)
	}
	return r, d.Err()
}

// packExtents writes extents one after another: ID, offset, length.
func packExtents(list []extent) []byte {
	p := make([]byte, 0, 24*len(list))
	for _, x := range list {
		p = append(p, x.blob[:]...)
		p = binary.AppendUvarint(p, uint64(x.off))
		p = binary.AppendUvarint(p, uint64(x.len))
	}
	return p
}

func unpackExtents(p []byte) (list []extent, err error) {
	for len(p) > 0 {
		var x extent
		if len(p) < len(x.blob) {
			return nil, errRow
		}
		p = p[copy(x.blob[:], p):]
		off, n := binary.Uvarint(p)
		if n <= 0 {
			return nil, errRow
		}
		p = p[n:]
		length, n := binary.Uvarint(p)
		if n <= 0 || off > 1<<56 || length == 0 || length > 1<<56 {
			return nil, errRow
		}
		p = p[n:]
		x.off, x.len = int64(off), int64(length)
		list = append(list, x)
	}
	return list, nil
}
