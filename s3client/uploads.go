package s3client

import (
	"context"
	"time"
)

// UploadLister is what a Client may offer besides: the multipart uploads of its bucket that were neither completed nor
// aborted. To abort one, resume it. A decorator over a client that is none answers ErrUnsupported.
type UploadLister interface {
	// ListUploads returns one page in ascending byte order of keys.
	ListUploads(ctx context.Context, q UploadsQuery) (UploadsPage, error)
}

// ListUploads asks c for a page of unfinished uploads, and answers ErrUnsupported if it is no UploadLister.
func ListUploads(ctx context.Context, c Client, q UploadsQuery) (UploadsPage, error) {
	if lister, ok := c.(UploadLister); ok {
		return lister.ListUploads(ctx, q)
	}
	return UploadsPage{}, &Error{Op: OpListUploads, Bucket: c.Bucket(), Err: ErrUnsupported}
}

// UploadsQuery asks for one page. AfterKey and AfterID come from the page before.
type UploadsQuery struct {
	Prefix            string
	AfterKey, AfterID string
	Max               int // 0 means MaxListKeys
}

// PendingUpload is an unfinished upload.
type PendingUpload struct {
	Key, ID      string
	Begun        time.Time
	StorageClass string
}

// UploadsPage is one page of unfinished uploads. NextKey is "" on the last one.
type UploadsPage struct {
	Uploads         []PendingUpload
	NextKey, NextID string
}
