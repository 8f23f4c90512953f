package memclient

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/minio/crc64nvme"

	"pail/s3client"
)

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	o, err := c.open(ctx, s3client.OpHead, key)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	return o.describe(), nil
}

// Get opens an object.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	o, err := c.open(ctx, s3client.OpGet, key)
	if err != nil {
		return nil, err
	}
	if opt.IfMatch != "" && opt.IfMatch != o.info.ETag {
		return nil, c.fail(s3client.OpGet, key, "PreconditionFailed", 412, s3client.ErrPrecondition)
	}
	data := o.data
	if r := opt.Range; r != (s3client.Range{}) {
		if r.Off < 0 || r.Len < 0 || r.Off >= int64(len(data)) {
			return nil, c.fail(s3client.OpGet, key, "InvalidRange", 416, s3client.ErrRange)
		}
		data = data[r.Off:]
		if r.Len > 0 && r.Len < int64(len(data)) {
			data = data[:r.Len]
		}
	}
	return &s3client.Object{Info: o.describe(), Body: body{ctx: ctx, c: c, key: key, r: bytes.NewReader(data)}}, nil
}

// body fails like a connection would once the request's context ends.
type body struct {
	ctx context.Context
	c   *Client
	key string
	r   *bytes.Reader
}

func (b body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, b.c.fail(s3client.OpGet, b.key, "", 0, err)
	}
	return b.r.Read(p)
}

func (b body) Close() error { return nil }

func (c *Client) open(ctx context.Context, op, key string) (*object, error) {
	if err := c.beginObject(ctx, op, key); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	o, ok := c.b.mu.objects[key]
	if !ok {
		return nil, c.fail(op, key, "NoSuchKey", 404, s3client.ErrNotFound)
	}
	return o, nil
}

// describe returns what the headers of an answer tell, which the caller may change.
func (o *object) describe() s3client.ObjectInfo {
	info := o.info
	info.Meta = maps.Clone(o.info.Meta)
	info.LastModified = o.info.LastModified.Truncate(time.Second)
	return info
}

// Put stores an object.
func (c *Client) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	const op = s3client.OpPut
	if err := c.beginObject(ctx, op, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	meta, err := c.cleanMeta(op, key, opt.Meta)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	data, err := c.readBody(ctx, op, key, r)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	o := newObject(key, data, md5ETag(data), meta, opt.System)
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.storeLocked(op, key, o, condition{opt.IfMatch, opt.IfNoneMatch})
}

// readBody reads r to its end. A body that fails makes the whole request fail, as one that ends early does on a wire.
func (c *Client) readBody(ctx context.Context, op, key string, r io.ReadSeeker) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	data, err := readAll(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, c.fail(op, key, "", 0, err)
	}
	if summed, ok := r.(s3client.Summed); ok && summed.Checksum() != "" && summed.Checksum() != checksum(data) {
		return nil, c.fail(op, key, "BadDigest", 400, s3client.ErrIntegrity)
	}
	return data, nil
}

// readAll is io.ReadAll into memory of the right size from the beginning: growing it costs tests of large bodies most of
// their time under the race detector.
func readAll(r io.ReadSeeker) ([]byte, error) {
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	data := bytes.NewBuffer(make([]byte, 0, end-at+bytes.MinRead))
	_, err = data.ReadFrom(r)
	return data.Bytes(), err
}

// checksum is the CRC64NVME of data as S3 writes it.
func checksum(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum(data)))
}

func newObject(key string, data []byte, etag s3client.ETag, meta s3client.Meta, sys s3client.System) *object {
	if sys.ContentType == "" {
		sys.ContentType = "binary/octet-stream"
	}
	return &object{data: data, info: s3client.ObjectInfo{
		Key: key, Size: int64(len(data)), ETag: etag, StorageClass: "STANDARD", System: sys, Meta: meta,
	}}
}

func md5ETag(data []byte) s3client.ETag {
	sum := md5.Sum(data)
	return s3client.ETag(hex.EncodeToString(sum[:]))
}

// condition is what a write asks of the version in place.
type condition struct {
	ifMatch     s3client.ETag
	ifNoneMatch bool
}

func (c *Client) storeLocked(op, key string, o *object, cond condition) (s3client.ObjectInfo, error) {
	if err := c.checkLocked(op, key, cond); err != nil {
		return s3client.ObjectInfo{}, err
	}
	o.info.LastModified = c.b.modifiedLocked()
	c.b.setLocked(key, o)
	return written(op, o.info), nil
}

// written is what the service's answer to a write tells, and no more.
func written(op string, info s3client.ObjectInfo) s3client.ObjectInfo {
	answer := s3client.ObjectInfo{Key: info.Key, ETag: info.ETag, VersionID: info.VersionID}
	if op == s3client.OpCopy {
		answer.LastModified = info.LastModified
	} else {
		answer.Size = info.Size
	}
	return answer
}

func (c *Client) checkLocked(op, key string, cond condition) error {
	if caps := c.b.mu.caps; !caps.ConditionalPut && !(caps.ExclusivePut && op == s3client.OpPut && cond.ifMatch == "") {
		return nil
	}
	old, exists := c.b.mu.objects[key]
	switch {
	case cond.ifNoneMatch && exists, cond.ifMatch != "" && exists && old.info.ETag != cond.ifMatch:
		return c.fail(op, key, "PreconditionFailed", 412, s3client.ErrPrecondition)
	case cond.ifMatch != "" && !exists:
		return c.fail(op, key, "NoSuchKey", 404, s3client.ErrNotFound)
	}
	return nil
}

// cleanMeta returns what a service would keep of m: names in lower case, values without surrounding blanks.
func (c *Client) cleanMeta(op, key string, m s3client.Meta) (s3client.Meta, error) {
	out := make(s3client.Meta, len(m))
	size := 0
	for name, value := range m {
		value = strings.Trim(value, " \t")
		if name == "" || strings.ContainsFunc(name, notToken) || strings.ContainsFunc(value, isControl) {
			return nil, c.fail(op, key, "InvalidArgument", 400, s3client.ErrInvalid)
		}
		out[strings.ToLower(name)] = value
		size += len(name) + len(value)
	}
	if size > maxMetaSize {
		return nil, c.fail(op, key, "MetadataTooLarge", 400, s3client.ErrTooLarge)
	}
	return out, nil
}

// maxMetaSize is what S3 takes of user metadata, names and values together.
const maxMetaSize = 2 << 10

func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// Copy copies an object inside the bucket.
func (c *Client) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	const op = s3client.OpCopy
	if err := c.beginObject(ctx, op, dst); err != nil {
		return s3client.ObjectInfo{}, err
	}
	meta, err := c.cleanMeta(op, dst, opt.Meta)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	from, err := c.sourceLocked(op, dst, src, opt.SrcIfMatch)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if dst == src && !opt.Replace || int64(len(from.data)) > c.b.maxCopySize {
		return s3client.ObjectInfo{}, c.fail(op, dst, "InvalidRequest", 400, s3client.ErrInvalid)
	}
	sys := opt.System
	if !opt.Replace {
		meta, sys = from.info.Meta, from.info.System
	}
	o := newObject(dst, from.data, md5ETag(from.data), meta, sys)
	return c.storeLocked(op, dst, o, condition{opt.IfMatch, opt.IfNoneMatch})
}

func (c *Client) sourceLocked(op, dst, src string, ifMatch s3client.ETag) (*object, error) {
	from, ok := c.b.mu.objects[src]
	if !ok {
		return nil, c.fail(op, dst, "NoSuchKey", 404, s3client.ErrNotFound)
	}
	if ifMatch != "" && from.info.ETag != ifMatch {
		return nil, c.fail(op, dst, "PreconditionFailed", 412, s3client.ErrPrecondition)
	}
	return from, nil
}

// Delete removes objects.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

// DeleteVersions removes objects that have certain versions; as of a service that knows no conditions, any.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	var errs []error
	for batch := list; len(batch) > 0; {
		n := min(len(batch), s3client.MaxDeleteKeys)
		op, key := s3client.OpDeleteMany, ""
		if len(list) == 1 {
			op, key = s3client.OpDelete, list[0].Key
		}
		if err := c.begin(ctx, op, key); err != nil {
			return err
		}
		c.b.mu.Lock()
		for _, v := range batch[:n] {
			o := c.b.mu.objects[v.Key]
			if tag := v.Expected(); o != nil && tag != "" && c.b.mu.caps.ConditionalPut && o.info.ETag != tag {
				errs = append(errs, c.fail(op, v.Key, "PreconditionFailed", 412, s3client.ErrPrecondition))
				continue
			}
			c.b.removeLocked(v.Key)
		}
		c.b.mu.Unlock()
		batch = batch[n:]
	}
	return errors.Join(errs...)
}
