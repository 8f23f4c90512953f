package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
)

// Defaults of Options.
const (
	DefaultPartSize           = 10 << 20
	DefaultMultipartThreshold = 25 << 20
	DefaultCopyPartSize       = 512 << 20
	DefaultSingleCopyLimit    = 512 << 20
	DefaultParallel           = 8
	DefaultMinPatched         = 1 << 20 // and so the ETags of those stay MD5s
)

// Options configure an Uploader. Sizes are bytes; zero values take the defaults, sizes that S3 does not allow the
// nearest that it does.
type Options struct {
	Client             s3client.Client
	MinPartSize        int64 // what the service takes of all parts but the last; s3client.MinPartSize by default
	PartSize           int64 // of sent parts; grows for objects that need more than s3client.MaxParts of them
	MultipartThreshold int64 // objects up to this size are one PUT
	CopyPartSize       int64 // of parts copied inside the service
	SingleCopyLimit    int64 // objects up to this size are copied in one request; at least 5 MiB
	Parallel           int   // parts of one object in flight
	NoMultipart        bool  // the service has no multipart upload
	NoMix              bool  // do not combine sent and copied parts: send everything
	NoCopy             bool  // the service cannot copy
	Patch              bool  // it has s3client.Capabilities.Patch
	MinPatched         int64 // smaller files are sent whole in place of being patched
	Log                *slog.Logger
}

// Snapshot is content that does not change while it is read; a *stage.Snapshot is one.
type Snapshot interface {
	Size() int64
	Extents() []stage.Extent // cover [0, Size()) in order
	Reader(ctx context.Context, off, n int64) io.ReadSeeker
}

// Uploader stores files in one bucket. It is safe for concurrent use. Settle ends it.
type Uploader struct {
	client          s3client.Client
	threshold       int64
	singleCopyLimit int64
	lim             limits
	parallel        int
	noMultipart     bool
	noMix           bool
	noCopy          bool
	patch           atomic.Bool // until the service turns out not to know it
	minPatched      int64
	log             *slog.Logger

	work sync.WaitGroup // uploads that are aborted in the background
	mu   struct {       // a leaf
		sync.Mutex
		left []leftUpload
	}
}

// New returns an Uploader.
func New(o Options) *Uploader {
	minPart := within(1, o.MinPartSize, s3client.MaxPartSize, s3client.MinPartSize)
	partSize := within(minPart, o.PartSize, s3client.MaxPartSize, DefaultPartSize)
	copySize := within(minPart, o.CopyPartSize, s3client.MaxCopySize, DefaultCopyPartSize)
	u := &Uploader{
		client:          o.Client,
		threshold:       within(0, o.MultipartThreshold, s3client.MaxPartSize, DefaultMultipartThreshold),
		singleCopyLimit: within(minRangeSource, o.SingleCopyLimit, s3client.MaxCopySize, DefaultSingleCopyLimit),
		lim: limits{
			min: minPart, max: s3client.MaxPartSize, maxCopy: s3client.MaxCopySize,
			count: s3client.MaxParts, send: partSize, copied: copySize,
		},
		parallel:    o.Parallel,
		noMultipart: o.NoMultipart,
		noMix:       o.NoMix,
		noCopy:      o.NoCopy,
		minPatched:  within(0, o.MinPatched, s3client.MaxPartSize, DefaultMinPatched),
		log:         o.Log,
	}
	u.patch.Store(o.Patch)
	if u.parallel <= 0 {
		u.parallel = DefaultParallel
	}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	return u
}

// within is v between lowest and most, or def when v is 0.
func within(lowest, v, most, def int64) int64 {
	if v == 0 {
		return def
	}
	return min(max(v, lowest), most)
}

// MaxSize returns the size of the largest object that Commit can store, in bytes.
func (u *Uploader) MaxSize() int64 {
	if u.noMultipart {
		return s3client.MaxPartSize
	}
	return MaxObjectSize
}

// Copies reports whether Commit takes a file of this size, of which nothing has changed, from its base inside the service.
func (u *Uploader) Copies(size int64) bool {
	return !u.noMultipart && !u.noMix && !u.noCopy && size > max(u.threshold, minRangeSource)
}

// Commit makes snap the content of key, under opt's conditions. base is the version that snap's Unchanged extents
// belong to, or nil; these ranges are then copied from it where that saves sending them, and ErrPrecondition says that
// base is no longer in place. Size, Meta and System of the result are always set. ErrTooLarge: S3 has no object of
// that size, or not without multipart upload.
//
// The old object is in place until Commit succeeds, and stays so when it fails.
func (u *Uploader) Commit(ctx context.Context, key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	size := snap.Size()
	if ranges, ok := u.patchRanges(key, snap, base, opt); ok {
		info, err := u.sendPatch(ctx, key, snap, ranges, opt)
		if err == nil {
			return complete(info, key, size, opt), nil
		}
		if !refusesPatch(err) {
			return s3client.ObjectInfo{}, err
		}
		if errors.Is(err, s3client.ErrUnsupported) { // another service answers now: no other body is sent to it in vain
			u.patch.Store(false)
		}
		u.log.Debug("a patch is refused; the file is sent otherwise", "key", key, "error", err)
	}
	return u.commitWhole(ctx, key, snap, base, opt)
}

// commitWhole is Commit without a patch.
func (u *Uploader) commitWhole(ctx context.Context, key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	size := snap.Size()
	var info s3client.ObjectInfo
	var err error
	switch {
	case size > u.MaxSize():
		err = fmt.Errorf("store %q: %w: %d bytes", key, s3client.ErrTooLarge, size)
	case u.noMultipart || size <= u.threshold:
		info, err = u.putWhole(ctx, key, snap, opt)
	default:
		info, err = u.putParts(ctx, key, snap, base, opt)
	}
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	return complete(info, key, size, opt), nil
}

func (u *Uploader) putWhole(ctx context.Context, key string, snap Snapshot, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	b := &body{ReadSeeker: snap.Reader(ctx, 0, snap.Size())}
	info, err := u.client.Put(ctx, key, b, opt)
	return info, b.explain(err)
}

func (u *Uploader) putParts(ctx context.Context, key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	lim := u.lim
	if u.noMix || u.noCopy || !copyable(base) {
		lim.copied = 0
	}
	parts, err := plan(snap.Size(), snap.Extents(), lim)
	if err != nil {
		return s3client.ObjectInfo{}, fmt.Errorf("store %q: %w", key, err)
	}
	info, err := u.run(ctx, key, opt, parts, func(ctx context.Context, up s3client.Upload, n int, p part) (s3client.Part, error) {
		if p.copied {
			return up.CopyPart(ctx, n, base.Key, s3client.Range{Off: p.off, Len: p.len}, base.ETag)
		}
		b := &body{ReadSeeker: snap.Reader(readahead.Until(ctx, p.end()), p.off, p.len)}
		done, err := up.Part(ctx, n, b)
		return done, b.explain(err)
	})
	if lim.copied > 0 && errors.Is(err, s3client.ErrUnsupported) {
		return u.putParts(ctx, key, snap, nil, opt) // the service cannot copy from this key: everything travels
	}
	return info, err
}

// minRangeSource is what an object must be larger than for S3 to copy a range of it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html).
const minRangeSource = 5 << 20

// copyable reports whether ranges of base may be copied: its version must be known, and its size sufficient.
func copyable(base *s3client.ObjectInfo) bool {
	return base != nil && base.ETag != "" && base.Size > minRangeSource
}

// complete adds to the service's answer what it did not repeat.
func complete(info s3client.ObjectInfo, key string, size int64, opt s3client.PutOptions) s3client.ObjectInfo {
	info.Key, info.Size = key, size
	if info.Meta == nil {
		info.Meta = opt.Meta
	}
	if info.System == (s3client.System{}) {
		info.System = opt.System
	}
	return info
}

// body remembers why reading the content failed, as the client need not hand that error on.
type body struct {
	io.ReadSeeker
	sum string // "" where it is not known
	err error
}

// Checksum implements s3client.Summed.
func (b *body) Checksum() string { return b.sum }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// Seek starts another attempt, which need not fail for the same reason.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.err = nil
	return b.ReadSeeker.Seek(offset, whence)
}

// explain returns err with the reason that reading gave, if that made the request fail.
func (b *body) explain(err error) error {
	if err != nil && b.err != nil {
		return fmt.Errorf("read the content to store: %w", b.err)
	}
	return err
}
