package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// Options of a Store. DB and Blobs are required, and belong to the caller.
type Options struct {
	DB          meta.DB
	Blobs       blob.Store
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: discarded
	InlineLimit int64            // objects up to this size live in the metadata; 0: 64 KiB
}

// Store is the S3 object store. All methods are safe for concurrent use.
type Store struct{}

var errNotYet = errors.New("store: not implemented")

// Open opens the store and removes, in the background, the blobs that a crash left behind.
func Open(ctx context.Context, opt Options) (*Store, error) { return nil, errNotYet }

// Close waits for background work. It closes neither DB nor Blobs.
func (s *Store) Close() error { return errNotYet }

// CreateBucket makes a bucket.
func (s *Store) CreateBucket(ctx context.Context, b Bucket) error { return errNotYet }

// HeadBucket describes a bucket.
func (s *Store) HeadBucket(ctx context.Context, name string) (Bucket, error) {
	return Bucket{}, errNotYet
}

// DeleteBucket removes an empty bucket, with the uploads in progress in it.
func (s *Store) DeleteBucket(ctx context.Context, name string) error { return errNotYet }

// ListBuckets lists buckets by name. next is not empty when there are more.
func (s *Store) ListBuckets(ctx context.Context, q ListBucketsQuery) (list []Bucket, next string, err error) {
	return nil, "", errNotYet
}

// PutObject stores an object whole or not at all.
func (s *Store) PutObject(ctx context.Context, in PutInput) (Object, error) {
	return Object{}, errNotYet
}

// HeadObject describes an object.
func (s *Store) HeadObject(ctx context.Context, bucket, key string, in ReadInput) (Object, error) {
	return Object{}, errNotYet
}

// GetObject opens an object. With ErrNotModified, the reader is nil.
func (s *Store) GetObject(ctx context.Context, bucket, key string, in ReadInput) (*ObjectReader, error) {
	return nil, errNotYet
}

// ObjectReader is an open object. It reads the version that was opened, whatever becomes of the key. Its methods are
// safe for concurrent use, but for Close.
type ObjectReader struct {
	Object Object
}

// ReadAt reads verified bytes of the object.
func (r *ObjectReader) ReadAt(p []byte, off int64) (int, error) { return 0, errNotYet }

// Section reads n bytes from off.
func (r *ObjectReader) Section(off, n int64) *io.SectionReader { return io.NewSectionReader(r, off, n) }

// CopyRange writes bytes off to off+n to w, each verified before it is written. A range outside the object is
// ErrInvalidRange, damage is ErrDamaged; an error of w comes back unchanged.
func (r *ObjectReader) CopyRange(w io.Writer, off, n int64) (int64, error) { return 0, errNotYet }

// Close ends the reading. It may be called twice.
func (r *ObjectReader) Close() error { return errNotYet }

// DeleteObject deletes an object; one that is not there is no error, unless a condition asks for it.
func (s *Store) DeleteObject(ctx context.Context, bucket, key string, in DeleteInput) (DeleteResult, error) {
	return DeleteResult{}, errNotYet
}

// DeleteObjects deletes a batch in one transaction. Each result has the error of its key.
func (s *Store) DeleteObjects(ctx context.Context, bucket string, in []DeleteInput) ([]DeleteResult, error) {
	return nil, errNotYet
}

// CopyObject copies an object by reference.
func (s *Store) CopyObject(ctx context.Context, in CopyInput) (Object, error) {
	return Object{}, errNotYet
}

// RenameObject moves an object, or all objects below a prefix, in one atomic step.
func (s *Store) RenameObject(ctx context.Context, in RenameInput) error { return errNotYet }

// ListObjects lists one page.
func (s *Store) ListObjects(ctx context.Context, bucket string, q ListQuery) (ListResult, error) {
	return ListResult{}, errNotYet
}

// CreateUpload begins a multipart upload.
func (s *Store) CreateUpload(ctx context.Context, in UploadInput) (uploadID string, err error) {
	return "", errNotYet
}

// HeadUpload describes an upload in progress.
func (s *Store) HeadUpload(ctx context.Context, bucket, key, uploadID string) (Upload, error) {
	return Upload{}, errNotYet
}

// PutPart stores a part.
func (s *Store) PutPart(ctx context.Context, in PartInput) (PartInfo, error) {
	return PartInfo{}, errNotYet
}

// CopyPart makes a part of a range of an object, by reference. It also returns the source.
func (s *Store) CopyPart(ctx context.Context, in CopyPartInput) (PartInfo, Object, error) {
	return PartInfo{}, Object{}, errNotYet
}

// CompleteUpload makes the object of the parts. Repeated after success, it returns the same object again.
func (s *Store) CompleteUpload(ctx context.Context, in CompleteInput) (Object, error) {
	return Object{}, errNotYet
}

// AbortUpload removes an upload and its parts.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, uploadID string) error {
	return errNotYet
}

// ListParts lists the parts of an upload in ascending order.
func (s *Store) ListParts(ctx context.Context, q PartsQuery) (PartsResult, error) {
	return PartsResult{}, errNotYet
}

// ListUploads lists the uploads in progress of a bucket.
func (s *Store) ListUploads(ctx context.Context, bucket string, q UploadsQuery) (UploadsResult, error) {
	return UploadsResult{}, errNotYet
}
