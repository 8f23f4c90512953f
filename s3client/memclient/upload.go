package memclient

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"pail/s3client"
)

// upload is the service's side of a multipart upload; its parts are guarded by the bucket's lock.
type upload struct {
	key   string
	begun time.Time
	meta  s3client.Meta
	sys   s3client.System
	parts map[int]storedPart
}

type storedPart struct {
	data []byte
	sum  [md5.Size]byte
}

func (p storedPart) etag() s3client.ETag { return s3client.ETag(hex.EncodeToString(p.sum[:])) }

// handle is a client's side of it.
type handle struct {
	c    *Client
	key  string
	id   string
	cond condition
}

var _ s3client.Upload = (*handle)(nil)

// NewUpload starts a multipart upload.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	const op = s3client.OpNewUpload
	if err := c.beginObject(ctx, op, key); err != nil {
		return nil, err
	}
	meta, err := c.cleanMeta(op, key, opt.Meta)
	if err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.mu.serial++
	id := fmt.Sprintf("upload-%d", c.b.mu.serial)
	c.b.mu.uploads[id] = &upload{key: key, begun: c.b.modifiedLocked(), meta: meta, sys: opt.System, parts: map[int]storedPart{}}
	return c.handle(key, id, opt), nil
}

// ResumeUpload returns a handle on an upload.
func (c *Client) ResumeUpload(_ context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	return c.handle(key, id, opt), nil
}

func (c *Client) handle(key, id string, opt s3client.PutOptions) *handle {
	return &handle{c: c, key: key, id: id, cond: condition{opt.IfMatch, opt.IfNoneMatch}}
}

// ID returns the service's name of the upload.
func (h *handle) ID() string { return h.id }

// Part stores a part.
func (h *handle) Part(ctx context.Context, n int, r io.ReadSeeker) (s3client.Part, error) {
	const op = s3client.OpPart
	if err := h.c.begin(ctx, op, h.key); err != nil {
		return s3client.Part{}, err
	}
	data, err := h.c.readBody(ctx, op, h.key, r)
	if err != nil {
		return s3client.Part{}, err
	}
	h.c.b.mu.Lock()
	defer h.c.b.mu.Unlock()
	return h.storeLocked(op, n, data)
}

// CopyPart makes a part from a range of another object.
func (h *handle) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	const op = s3client.OpCopyPart
	if err := h.c.begin(ctx, op, h.key); err != nil {
		return s3client.Part{}, err
	}
	h.c.b.mu.Lock()
	defer h.c.b.mu.Unlock()
	from, err := h.c.sourceLocked(op, h.key, src, ifMatch)
	if err != nil {
		return s3client.Part{}, err
	}
	if r.Off < 0 || r.Len <= 0 || r.Off+r.Len > int64(len(from.data)) || r.Len > h.c.b.maxCopySize {
		return s3client.Part{}, h.c.fail(op, h.key, "InvalidArgument", 400, s3client.ErrInvalid)
	}
	return h.storeLocked(op, n, from.data[r.Off:r.Off+r.Len])
}

func (h *handle) storeLocked(op string, n int, data []byte) (s3client.Part, error) {
	u, err := h.uploadLocked(op)
	if err != nil {
		return s3client.Part{}, err
	}
	if n < 1 || n > s3client.MaxParts {
		return s3client.Part{}, h.c.fail(op, h.key, "InvalidArgument", 400, s3client.ErrInvalid)
	}
	p := storedPart{data: data, sum: md5.Sum(data)}
	u.parts[n] = p
	return s3client.Part{N: n, ETag: p.etag(), Size: int64(len(data))}, nil
}

func (h *handle) uploadLocked(op string) (*upload, error) {
	u, ok := h.c.b.mu.uploads[h.id]
	if !ok || u.key != h.key {
		return nil, h.c.fail(op, h.key, "NoSuchUpload", 404, s3client.ErrNotFound)
	}
	return u, nil
}

// Complete makes the object visible.
func (h *handle) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	const op = s3client.OpComplete
	if err := h.c.begin(ctx, op, h.key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	h.c.b.mu.Lock()
	defer h.c.b.mu.Unlock()
	u, err := h.uploadLocked(op)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	data, etag, code := u.assemble(parts, h.c.b.minPartSize)
	if code != "" {
		return s3client.ObjectInfo{}, h.c.fail(op, h.key, code, 400, s3client.ErrInvalid)
	}
	meta, sys, cond := u.meta, u.sys, h.cond
	if as != nil {
		cond = condition{as.IfMatch, as.IfNoneMatch}
	}
	if as != nil && h.c.b.mu.caps.CompleteMetadata {
		if meta, err = h.c.cleanMeta(op, h.key, as.Meta); err != nil {
			return s3client.ObjectInfo{}, err
		}
		sys = as.System
	}
	info, err := h.c.storeLocked(op, h.key, newObject(h.key, data, etag, meta, sys), cond)
	if err == nil {
		delete(h.c.b.mu.uploads, h.id)
	}
	return info, err
}

// assemble joins the parts; code is S3's reason for refusing them.
func (u *upload) assemble(parts []s3client.Part, minSize int64) (data []byte, etag s3client.ETag, code string) {
	if len(parts) == 0 {
		return nil, "", "MalformedXML"
	}
	size := 0
	for _, want := range parts {
		if p, ok := u.parts[want.N]; ok {
			size += len(p.data)
		}
	}
	data = make([]byte, 0, size) // growing it costs most of the time under the race detector
	sums := md5.New()
	for i, want := range parts {
		if i > 0 && want.N <= parts[i-1].N {
			return nil, "", "InvalidPartOrder"
		}
		p, ok := u.parts[want.N]
		if !ok || p.etag() != want.ETag {
			return nil, "", "InvalidPart"
		}
		if i < len(parts)-1 && int64(len(p.data)) < minSize {
			return nil, "", "EntityTooSmall"
		}
		sums.Write(p.sum[:])
		data = append(data, p.data...)
	}
	return data, s3client.ETag(fmt.Sprintf("%x-%d", sums.Sum(nil), len(parts))), ""
}

// Abort frees the parts.
func (h *handle) Abort(ctx context.Context) error {
	if err := h.c.begin(ctx, s3client.OpAbort, h.key); err != nil {
		return err
	}
	h.c.b.mu.Lock()
	defer h.c.b.mu.Unlock()
	if u, ok := h.c.b.mu.uploads[h.id]; ok && u.key == h.key {
		delete(h.c.b.mu.uploads, h.id)
	}
	return nil
}
