package store

import (
	"io"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/sse"
)

// ListBucketsQuery asks for buckets after After (exclusive), of an owner if one is named. Max 0 means no limit.
type ListBucketsQuery struct {
	Owner, Prefix, After string
	Max                  int
}

// PutInput is a new object.
type PutInput struct {
	Bucket, Key, Owner string
	Body               io.Reader
	Size               int64 // of the body, or -1 when it is not known
	Attrs              Attrs
	Cond               Conditions
	Algorithm          checksum.Algorithm // computed and kept, "" for none
	Extra              Extra
	Customer           *sse.CustomerKey // where Extra.Encryption needs one
	Encrypt            bool             // the request itself names Extra.Encryption, which an append must not ignore

	// Verify, which may be nil, is called once after the last byte; an error aborts the put and is returned unchanged. MD5
	// says that it needs Computed.MD5.
	Verify func(Computed) error
	MD5    bool
}

// DeleteInput is an object to delete, or the version of an object to remove. Key is used by DeleteObjects only.
type DeleteInput struct {
	Key       string
	VersionID string // "": delete the object, which makes a delete marker in a bucket with versions
	Owner     string // of a delete marker
	Bypass    bool   // of a retention under Governance
	Cond      Conditions
}

// DeleteResult is what became of a DeleteInput. Err is used by DeleteObjects only.
type DeleteResult struct {
	Key             string
	VersionID       string // as asked for
	DeleteMarker    bool   // one was made, or removed
	MarkerVersionID string // its version
	Err             error
}

// CopyInput is a copy within the store. No byte moves where source and copy are encrypted with the same key, or both are
// not: they share them, and the copy keeps the source's ETag and parts. Otherwise the bytes are encrypted anew.
type CopyInput struct {
	SrcBucket, SrcKey, SrcVersionID string
	SrcCond                         Conditions // a failed one is a *PreconditionError, never ErrNotModified
	DstBucket, DstKey, Owner        string
	DstCond                         Conditions
	Replace                         *Attrs             // nil keeps the source's, but for the class and the redirect below
	ReplaceTags                     *[]Tag             // nil keeps the source's, whatever Replace has
	StorageClass, WebsiteRedirect   string             // with Replace nil; the source's are not copied
	Algorithm                       checksum.Algorithm // "" keeps the source's checksum
	Extra                           Extra              // of the copy
	Encrypt                         bool               // the request itself names Extra.Encryption: a copy onto itself changes something

	SrcCustomer, Customer *sse.CustomerKey // where the encryption of source and copy needs one
}

// RenameInput is a rename. Src and Dst both end in "/" for a whole prefix.
type RenameInput struct {
	Bucket, Src, Dst string
	Owner            string // of delete markers
	SrcCond, DstCond Conditions
}

// ListQuery asks for a page of a listing, in byte order of the keys. After is exclusive; when it is itself a common
// prefix of the listing, the whole of that prefix is left out. Max counts objects and prefixes together; 0 gives an
// empty page.
type ListQuery struct {
	Prefix, Delimiter, After string
	Max                      int
	Markers                  bool // tell what objects the common prefixes are the keys of
}

// ListResult is one page. Objects have no Parts. Next is the After of the next page when Truncated.
type ListResult struct {
	Objects   []Object
	Prefixes  []string
	Markers   []*Object // of ListQuery.Markers: for each of Prefixes the object of that key, or nil; nil altogether if a row is damaged
	Truncated bool
	Next      string
}

// UploadInput begins a multipart upload. ChecksumType "" takes the algorithm's default. With Algorithm "" the object has a
// checksum if all of its parts have one in DefaultAlgorithm.
type UploadInput struct {
	Bucket, Key, Owner string
	Attrs              Attrs
	Algorithm          checksum.Algorithm
	ChecksumType       string
	Extra              Extra // of the object to be
	OpaqueTags         bool  // the ETags of its parts, and so the object's, are no MD5s, see partTag; needs an Algorithm
}

// Upload describes an upload in progress.
type Upload struct {
	Bucket, Key, ID, Owner string
	Initiated              time.Time
	Attrs                  Attrs
	Algorithm              checksum.Algorithm
	ChecksumType           string
	Extra                  Extra // of the object to be
}

// PartInput is a part of an upload. A part sent again replaces the earlier one.
type PartInput struct {
	Bucket, Key, UploadID string
	N                     int
	Customer              *sse.CustomerKey // where the upload's encryption needs one
	Body                  io.Reader
	Size                  int64              // of the body, or -1 when it is not known
	Algorithm             checksum.Algorithm // "" takes the upload's; another than the upload's is ErrChecksumAlgorithm
	Verify                func(Computed) error
	MD5                   bool // Verify needs Computed.MD5
}

// CopyPartInput is a part made of a range of an object. Len < 0 means to the end of the object.
type CopyPartInput struct {
	Bucket, Key, UploadID           string
	N                               int
	SrcBucket, SrcKey, SrcVersionID string
	SrcCond                         Conditions
	Off, Len                        int64
	SrcCustomer, Customer           *sse.CustomerKey // where the encryption of source and upload needs one
}

// CompletedPart is a part as the client lists it. A zero Sum is not compared.
type CompletedPart struct {
	N    int
	ETag string
	Sum  checksum.Sum
}

// CompleteInput makes an object of parts. Checksum, ChecksumType and Size are what the client expects of the whole
// object, each compared when it is set. Attrs, if not nil, takes the place of what CreateUpload was told, but for storage
// class, website redirect and tags.
type CompleteInput struct {
	Bucket, Key, UploadID string
	Parts                 []CompletedPart
	Cond                  Conditions
	Checksum              *checksum.Sum
	ChecksumType          string
	Size                  *int64
	Attrs                 *Attrs
}

// PartsQuery asks for a page of the parts after part number After. Max 0 gives an empty page.
type PartsQuery struct {
	Bucket, Key, UploadID string
	After, Max            int
}

// PartsResult is one page of parts. Next is the After of the next page when Truncated.
type PartsResult struct {
	Upload    Upload
	Parts     []PartInfo
	Truncated bool
	Next      int
}

// UploadsQuery asks for a page of uploads, in order of key and then of time. KeyMarker is exclusive, but for the
// uploads of that very key that come after UploadIDMarker, when that is set.
type UploadsQuery struct {
	Prefix, Delimiter, KeyMarker, UploadIDMarker string
	Max                                          int
}

// UploadsResult is one page of uploads.
type UploadsResult struct {
	Uploads                           []Upload
	Prefixes                          []string
	Truncated                         bool
	NextKeyMarker, NextUploadIDMarker string
}
