package upload

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"pail/fs/stage"
	"pail/s3client"
)

// Options configure an Uploader.
type Options struct {
	Client             s3client.Client
	PartSize           int64
	MultipartThreshold int64
	CopyPartSize       int64
	SingleCopyLimit    int64
	Parallel           int
	NoMultipart        bool
	NoMix              bool
	NoCopy             bool
	Log                *slog.Logger
}

// Snapshot is frozen content; a *stage.Snapshot is one.
type Snapshot interface {
	Size() int64
	Extents() []stage.Extent
	Reader(ctx context.Context, off, n int64) io.ReadSeeker
}

// Uploader stores files.
type Uploader struct{}

// New returns an Uploader.
func New(o Options) *Uploader { return &Uploader{} }

// Commit stores snap.
func (u *Uploader) Commit(ctx context.Context, key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	return s3client.ObjectInfo{}, errors.ErrUnsupported
}

// Copy copies src to dst inside the service.
func (u *Uploader) Copy(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	return s3client.ObjectInfo{}, errors.ErrUnsupported
}
