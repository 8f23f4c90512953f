package s3client

import (
	"context"
	"io"
	"time"
)

// Client is one bucket of an S3 service. All methods are safe for concurrent use. Errors are *Error and match the
// sentinels of this package with errors.Is; context errors come back unchanged inside *Error.
//
// The ObjectInfo that a write returns holds what S3 answers, and zero values for the rest: Key, ETag and VersionID
// always; Size after Put and Patch, and after Complete where the parts told theirs; LastModified after Copy only.
type Client interface {
	// Bucket returns the bucket's name.
	Bucket() string

	// Probe asks whether the bucket is there and reachable with the credentials, and what the service can do beyond
	// plain S3. It answers ErrNotFound for a missing bucket and ErrAccess for refused credentials.
	Probe(ctx context.Context) (Capabilities, error)

	// Head returns an object's attributes with its metadata (ObjectInfo.Meta is never nil here).
	Head(ctx context.Context, key string) (ObjectInfo, error)

	// Get opens an object, or a range of it. The caller closes Object.Body.
	Get(ctx context.Context, key string, opt GetOptions) (*Object, error)

	// Put stores a whole object atomically. The body is read from its current position to its end, and may be read
	// again from there by a retry.
	Put(ctx context.Context, key string, body io.ReadSeeker, opt PutOptions) (ObjectInfo, error)

	// Patch makes a new version of the object that opt.IfMatch names, which must be in place: opt.Ranges of it are other
	// bytes, those of the body one after another, and opt.Size is its size. All else is as with Put, the position of the body
	// too. Call it only where Capabilities.Patch is set.
	Patch(ctx context.Context, key string, body io.ReadSeeker, opt PatchOptions) (ObjectInfo, error)

	// Copy copies src onto dst inside the service; dst may equal src when opt.Replace is set (S3: CopyObject, at most
	// MaxCopySize bytes).
	Copy(ctx context.Context, dst, src string, opt CopyOptions) (ObjectInfo, error)

	// Rename moves src to dst in one atomic step, without moving bytes. Call it only where
	// Capabilities.RenameObject is set: a service that does not know the request may take it for an empty PUT.
	// With Capabilities.RenamePrefix, a src and dst that both end in "/" move all keys below src.
	Rename(ctx context.Context, dst, src string, opt RenameOptions) error

	// Delete removes keys; a key that does not exist is no error. One key is one DELETE, several are batched
	// DeleteObjects of at most MaxDeleteKeys each. With several keys, the error joins one *Error for each key that
	// was not removed.
	Delete(ctx context.Context, keys ...string) error

	// DeleteDirectory removes the object whose key ends in "/" if it is empty and no other key begins with that, in one atomic
	// step: ErrNotEmpty if it is not so, ErrNotFound if there is nothing at all. Call it only where
	// Capabilities.DeleteDirectory is set.
	DeleteDirectory(ctx context.Context, key string) error

	// List returns one page of a listing in ascending byte order of keys.
	List(ctx context.Context, q ListQuery) (ListPage, error)

	// NewUpload starts a multipart upload; opt.IfMatch and opt.IfNoneMatch are applied at Complete.
	NewUpload(ctx context.Context, key string, opt PutOptions) (Upload, error)

	// ResumeUpload returns a handle on an upload started earlier, without asking the service.
	ResumeUpload(ctx context.Context, key, id string, opt PutOptions) (Upload, error)
}

// Upload is a multipart upload in progress. Part and CopyPart may be called concurrently and in any order.
type Upload interface {
	ID() string
	// Part stores part n (1..MaxParts). A part number sent again replaces the earlier one.
	Part(ctx context.Context, n int, body io.ReadSeeker) (Part, error)
	// CopyPart makes part n from a range of src in the same bucket, provided src still has the ETag ifMatch. ErrUnsupported:
	// the service cannot copy from this key.
	CopyPart(ctx context.Context, n int, src string, r Range, ifMatch ETag) (Part, error)
	// Complete makes the object visible. parts are in ascending order of N. as, if not nil, takes the place of the options
	// that the upload was begun with; its metadata and headers do only where Capabilities.CompleteMetadata is set.
	Complete(ctx context.Context, parts []Part, as *PutOptions) (ObjectInfo, error)
	// Abort frees what was sent; aborting an upload that is gone is no error.
	Abort(ctx context.Context) error
}

// Summed is what a body may offer besides: the checksum of all its bytes, if it is known without reading them.
type Summed interface {
	// Checksum returns the CRC64NVME in base64; "" where it is not known. Services refuse a body that has another.
	Checksum() string
}

// Limits of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	MaxParts      = 10_000
	MinPartSize   = 5 << 20 // all parts but the last
	MaxPartSize   = 5 << 30 // also of a single PUT
	MaxCopySize   = 5 << 30 // of one CopyObject or UploadPartCopy
	MaxDeleteKeys = 1000    // of one DeleteObjects
	MaxListKeys   = 1000    // of one listing page
	MaxMetaKeys   = 3000    // of one with metadata, of a service that gives more than 1000
	MaxKeyLength  = 1024    // bytes
)

// Capabilities says what a service offers beyond the S3 that all of them have.
type Capabilities struct {
	ConditionalPut bool // PUT and CompleteMultipartUpload honour If-Match and If-None-Match
	ExclusivePut   bool // PUT honours If-None-Match; see Exclusive
	RenameObject   bool // RenameObject, as S3 Express and pail's own server have it
	RenamePrefix   bool // RenameObject of a whole prefix, atomically
	ListMetadata   bool // listings can carry user metadata

	Patch            bool // Patch, as pail's own server has it
	DeleteDirectory  bool // DeleteDirectory, as pail's own server has it
	CompleteMetadata bool // CompleteMultipartUpload can say what the object's metadata is
	Leases           bool // leases on prefixes, see Leaser
}

// Exclusive reports whether a PUT can be kept from replacing an object.
func (c Capabilities) Exclusive() bool { return c.ConditionalPut || c.ExclusivePut }

// Meta is user metadata: names in lower case without the x-amz-meta- prefix.
type Meta map[string]string

// System holds the object's own HTTP headers, which a metadata-replacing copy must send again to keep.
type System struct {
	ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires string
}

// ObjectInfo describes one object version.
type ObjectInfo struct {
	Key          string
	Size         int64
	ETag         ETag
	LastModified time.Time // whole seconds from most services
	VersionID    string
	StorageClass string
	System       System
	Meta         Meta // nil: not known, as in most listings
}

// Range is the byte range [Off, Off+Len). In GetOptions, Len 0 means up to the object's end, so that the zero Range is
// the whole object; a range that ends behind the object is cut, one that begins there answers ErrRange.
type Range struct{ Off, Len int64 }

// GetOptions narrows a Get. With IfMatch, another version answers ErrPrecondition.
type GetOptions struct {
	Range   Range
	IfMatch ETag
}

// Object is an open object. Info.Size is the size of the whole object, also when a range was asked for.
type Object struct {
	Info ObjectInfo
	Body io.ReadCloser
}

// PutOptions accompany a new object. IfMatch and IfNoneMatch are conditions on the version in place:
// IfNoneMatch means that there must be none (the header's value "*").
type PutOptions struct {
	Meta        Meta
	System      System
	IfMatch     ETag
	IfNoneMatch bool
}

// CopyOptions accompany a server-side copy. Without Replace the copy keeps the source's metadata.
type CopyOptions struct {
	Replace     bool // take Meta and System from here
	Meta        Meta
	System      System
	SrcIfMatch  ETag // the source must still be this version
	IfMatch     ETag // the destination must be this version
	IfNoneMatch bool // the destination must not exist
}

// RenameOptions are the conditions of a Rename.
type RenameOptions struct {
	SrcIfMatch  ETag
	IfNoneMatch bool // the destination must not exist
}

// TotalLen returns how many bytes ranges have together.
func TotalLen(ranges []Range) (n int64) {
	for _, r := range ranges {
		n += r.Len
	}
	return n
}

// ListQuery asks for one page. Token, from the previous page, wins over StartAfter. MaxKeys 0 means MaxListKeys, more
// than that is for WithMeta only; a service may give less.
type ListQuery struct {
	Prefix, Delimiter, StartAfter, Token string
	MaxKeys                              int
	WithMeta                             bool // ask for metadata; only where Capabilities.ListMetadata
}

// Most is how many keys a page may have.
func (q *ListQuery) Most() int {
	if q.WithMeta {
		return MaxMetaKeys
	}
	return MaxListKeys
}

// ListPage is one page of a listing. NextToken is "" on the last one.
type ListPage struct {
	Objects  []ObjectInfo
	Prefixes []string
	// Markers tell what object there is under each of Prefixes itself, in their order; one without Key is none. nil is
	// that the service does not say so.
	Markers   []ObjectInfo
	NextToken string
}

// Part is a stored part of a multipart upload.
type Part struct {
	N        int
	ETag     ETag
	Size     int64
	Checksum string // base64 CRC64NVME, where the service took one
}
