package store

import (
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/sse"
)

// DefaultAlgorithm is the checksum of objects and parts that come without one, as at AWS.
const DefaultAlgorithm = checksum.CRC64NVME

// Limits of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	MaxPutSize  = 5 << 30 // of one PUT, one part, one copy
	MinPartSize = 5 << 20 // of all parts but the last
	MaxParts    = 10_000
)

// Bucket is a bucket.
type Bucket struct {
	Name    string
	Created time.Time
	Region  string
	Owner   string // opaque: the creator's account

	Versioning Versioning
	ObjectLock bool             // with CreateBucket, versioning is Enabled too
	Retention  DefaultRetention // set by SetObjectLock

	Configs []Config // with CreateBucket: the documents that it begins with
}

// Attrs is what a client says of an object, apart from its bytes. Names in Meta are lower case, without the
// "x-amz-meta-".
type Attrs struct {
	ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires string

	StorageClass, WebsiteRedirect string

	Meta map[string]string

	Tags []Tag
}

// Tag is a tag of an object. The caller has checked it.
type Tag = struct{ Key, Value string }

// Object describes an object.
type Object struct {
	Bucket, Key  string
	Size         int64
	ETag         string // without quotes
	LastModified time.Time
	VersionID    string // "" while the bucket never had versions, NullVersion of one written without
	DeleteMarker bool   // the version says that the object was deleted; it has neither bytes nor attributes
	Latest       bool   // of ListVersions: it is the current version
	Attrs        Attrs
	Checksum     checksum.Sum // zero when the object has none
	ChecksumType string       // checksum.Composite or checksum.FullObject, "" when there is none
	PartCount    int          // parts of a multipart object, else 0
	Parts        []PartInfo   // see ReadInput.Parts
	Owner        string
	Extra

	SourceVersionID string // of CopyObject: the version that was copied, as VersionID
}

// PartRange gives the bytes of part n, 1 <= n. An object that was not made of parts is its own part 1. Of a multipart
// object, Parts must have been asked for. The error is ErrInvalidPartNumber.
func (o *Object) PartRange(n int) (off, length int64, err error) {
	if o.PartCount == 0 && n == 1 {
		return 0, o.Size, nil
	}
	if n < 1 || n > len(o.Parts) {
		return 0, 0, ErrInvalidPartNumber
	}
	for _, p := range o.Parts[:n-1] {
		off += p.Size
	}
	return off, o.Parts[n-1].Size, nil
}

// PartInfo describes a part of an upload, or of a completed object (without ETag and LastModified then).
type PartInfo struct {
	N            int // 1..MaxParts
	Size         int64
	ETag         string // without quotes
	LastModified time.Time
	Checksum     checksum.Sum
}

// Computed is what was computed over a body. Sum is zero when no algorithm was asked for. MD5 belongs to the receiver; it may be
// nil where the input does not ask for it.
type Computed struct {
	MD5  []byte
	Sum  checksum.Sum
	Size int64
}

// Conditions of a request, as its headers give them. ETags are without quotes; "*" is any. A zero field is no
// condition.
type Conditions struct {
	IfMatch, IfNoneMatch               []string
	IfModifiedSince, IfUnmodifiedSince time.Time

	// Of DeleteObject: x-amz-if-match-size and x-amz-if-match-last-modified-time (whole seconds are compared).
	Size         *int64
	LastModified time.Time
}

// ReadInput narrows HeadObject and GetObject. VersionID "" means the current version, NullVersion the one without an ID. With PartNumber, a
// part that the object does not have is ErrInvalidPartNumber, and Object.Parts is filled in. Parts asks for
// Object.Parts, which is a row of its own.
type ReadInput struct {
	VersionID  string
	PartNumber int
	Parts      bool
	Customer   *sse.CustomerKey // of GetObject, where the object's encryption needs one
	Cond       Conditions

	// Permit, if it is set, decides whether the object that was found may be read, before anything else is told of it. It
	// sees the very object that is answered, however often the key is written meanwhile. Its error is the read's.
	Permit func(owner string, acl []byte) error
}
