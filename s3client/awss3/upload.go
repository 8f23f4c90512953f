package awss3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"pail/s3client"
)

// upload is a handle on a multipart upload.
type upload struct {
	c    *Client
	key  string
	id   string
	opt  s3client.PutOptions
	sums bool // the upload was begun with CRC64NVME: parts and their list carry it
}

var _ s3client.Upload = (*upload)(nil)

// etagKind asks pail's server not to compute the MD5 of each part for the sake of its ETag.
const etagKind = "X-Pail-Etags"

// NewUpload starts a multipart upload.
func (c *Client) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	r, err := c.newObjectRequest(s3client.OpNewUpload, http.MethodPost, key)
	if err != nil {
		return nil, err
	}
	r.query = "uploads"
	if err := c.setNew(r, opt.Meta, opt.System); err != nil {
		return nil, err
	}
	if !c.checksumsOff.Load() {
		set(r.header, "X-Amz-Checksum-Algorithm", "CRC64NVME")
		set(r.header, "X-Amz-Checksum-Type", "FULL_OBJECT")
		if c.opaqueTags.Load() && !c.opt.ContentMD5 {
			set(r.header, etagKind, "opaque")
		}
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer finish(resp)
	res, err := c.copyResult(ctx, r, resp, "InitiateMultipartUploadResult")
	if err != nil {
		return nil, err
	}
	if res.uploadID == "" {
		return nil, c.newError(r, fmt.Errorf("%w: the answer names no upload", s3client.ErrUnavailable))
	}
	return &upload{c: c, key: key, id: res.uploadID, opt: opt, sums: r.usesChecksums()}, nil
}

// ResumeUpload returns a handle on an upload. Whether it was begun with checksums is not known, so parts go without.
func (c *Client) ResumeUpload(_ context.Context, key, id string, opt s3client.PutOptions) (s3client.Upload, error) {
	if key == "" || id == "" {
		return nil, &s3client.Error{Op: s3client.OpNewUpload, Bucket: c.opt.Bucket, Key: key, Message: "key or upload id is empty", Err: s3client.ErrInvalid}
	}
	return &upload{c: c, key: key, id: id, opt: opt}, nil
}

// usesChecksums says whether r carries checksum headers.
func (r *request) usesChecksums() bool {
	return r.header["X-Amz-Checksum-Algorithm"] != nil || r.header[checksumHeader] != nil || r.header["X-Amz-Checksum-Mode"] != nil
}

// dropChecksums removes them.
func (r *request) dropChecksums() {
	for _, name := range []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type", "X-Amz-Checksum-Mode", checksumHeader, etagKind} {
		delete(r.header, name)
	}
	r.noSums = true
}

// ID returns the service's name of the upload.
func (u *upload) ID() string { return u.id }

func (u *upload) newPart(op string, n int) (*request, error) {
	r := u.c.newRequest(op, http.MethodPut, u.key)
	if n < 1 || n > s3client.MaxParts {
		e := u.c.newError(r, s3client.ErrInvalid)
		e.Message = fmt.Sprintf("part %d is not within 1 and %d", n, s3client.MaxParts)
		return nil, e
	}
	r.query = "partNumber=" + strconv.Itoa(n) + "&uploadId=" + escapeQuery(u.id)
	u.c.writeKey().set(r.header)
	return r, nil
}

// Part stores a part.
func (u *upload) Part(ctx context.Context, n int, body io.ReadSeeker) (s3client.Part, error) {
	r, err := u.newPart(s3client.OpPart, n)
	if err != nil {
		return s3client.Part{}, err
	}
	if err := u.c.setBody(r, body); err != nil {
		return s3client.Part{}, err
	}
	r.noSums = !u.sums
	resp, err := u.c.do(ctx, r)
	if err != nil {
		return s3client.Part{}, err
	}
	if err := u.c.genuine(r, resp); err != nil {
		return s3client.Part{}, err
	}
	finish(resp)
	etag := s3client.ParseETag(first(resp.Header, "Etag"))
	return s3client.Part{N: n, ETag: etag, Size: r.body.size, Checksum: r.body.checksum}, nil
}

// CopyPart makes a part from a range of another object.
func (u *upload) CopyPart(ctx context.Context, n int, src string, rng s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	var part s3client.Part
	err := u.c.withReadKey(func(k *customerKey) error {
		r, err := u.newPart(s3client.OpCopyPart, n)
		if err != nil {
			return err
		}
		if rng.Off < 0 || rng.Len <= 0 {
			return u.c.newError(r, s3client.ErrInvalid)
		}
		if u.c.ignoresCopySource.Load() && strings.Contains(src, "%") {
			return u.c.newError(r, s3client.ErrUnsupported) // RGW 16 decodes the name twice, and may find another object
		}
		set(r.header, "X-Amz-Copy-Source", u.c.copySource(src))
		set(r.header, "X-Amz-Copy-Source-Range", fmt.Sprintf("bytes=%d-%d", rng.Off, rng.Off+rng.Len-1))
		if ifMatch != "" {
			set(r.header, "X-Amz-Copy-Source-If-Match", ifMatch.Header())
		}
		k.setSource(r.header)
		resp, err := u.c.do(ctx, r)
		if err != nil {
			return err
		}
		defer finish(resp)
		res, err := u.c.copyResult(ctx, r, resp, "CopyPartResult")
		if err != nil {
			return err
		}
		part = s3client.Part{N: n, ETag: res.etag, Size: rng.Len, Checksum: res.checksum}
		return u.c.isVersion(ctx, r, src, ifMatch) // after the copy: then it was so all the time
	})
	if err != nil {
		return s3client.Part{}, err
	}
	return part, nil
}

// Complete makes the object visible.
func (u *upload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	r := u.c.newRequest(s3client.OpComplete, http.MethodPost, u.key)
	r.query = "uploadId=" + escapeQuery(u.id)
	if err := u.setFinal(r, as); err != nil {
		return s3client.ObjectInfo{}, err
	}
	u.c.writeKey().set(r.header)
	size, known := sizeOf(parts)
	if known {
		set(r.header, "X-Amz-Mp-Object-Size", strconv.FormatInt(size, 10))
	}
	if err := u.c.setBody(r, bytes.NewReader(u.completeBody(parts))); err != nil {
		return s3client.ObjectInfo{}, err
	}
	r.noSums = true // here the header would mean the object's checksum
	resp, err := u.c.do(ctx, r)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	defer finish(resp)
	res, err := u.c.copyResult(ctx, r, resp, "CompleteMultipartUploadResult")
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if res.etag == "" {
		res.etag = multipartETag(parts)
	}
	info := s3client.ObjectInfo{Key: u.key, ETag: res.etag, VersionID: first(resp.Header, "X-Amz-Version-Id")}
	if known {
		info.Size = size
	}
	if as != nil && first(resp.Header, metadataDirective) == "" {
		return u.describe(ctx, info, as)
	}
	return info, nil
}

// metadataDirective is also in the answer to a completion whose metadata was taken.
const metadataDirective = "X-Amz-Metadata-Directive"

// describe gives an object the metadata of its completion, unless it has it or is another client's by now, where the service
// does not say that it has taken it: a server of an older version may have taken over from the one that was probed.
func (u *upload) describe(ctx context.Context, done s3client.ObjectInfo, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	now, err := u.c.Head(ctx, u.key)
	switch {
	case errors.Is(err, s3client.ErrNotFound):
		return done, nil // removed since
	case err != nil:
		return s3client.ObjectInfo{}, err
	case maps.Equal(now.Meta, as.Meta) && now.System == as.System:
		done.ETag = now.ETag // another, if an attempt before this one has copied it
		return done, nil
	case now.ETag != done.ETag:
		return done, nil // replaced since
	}
	copied, err := u.c.Copy(ctx, u.key, u.key, s3client.CopyOptions{
		Replace: true, Meta: as.Meta, System: as.System, SrcIfMatch: done.ETag, IfMatch: done.ETag,
	})
	switch {
	case errors.Is(err, s3client.ErrPrecondition), errors.Is(err, s3client.ErrNotFound):
		return done, nil
	case err != nil:
		return s3client.ObjectInfo{}, err
	}
	done.ETag, done.VersionID = copied.ETag, copied.VersionID
	return done, nil
}

// setFinal adds what a completion says of the object. With other metadata than at the beginning, Content-Type is the object's.
func (u *upload) setFinal(r *request, as *s3client.PutOptions) error {
	if as == nil {
		set(r.header, "Content-Type", "application/xml")
		setConditions(r.header, u.opt.IfMatch, u.opt.IfNoneMatch)
		return nil
	}
	set(r.header, metadataDirective, "REPLACE")
	setConditions(r.header, as.IfMatch, as.IfNoneMatch)
	if err := u.c.setMeta(r, as.Meta); err != nil {
		return err
	}
	return u.c.setSystem(r, as.System)
}

// multipartETag computes what the ETag of an object of these parts is, for services that do not tell it (Ceph's RGW 16):
// the MD5 of the parts' MD5s, and their number. "" where the parts' ETags are no MD5s.
func multipartETag(parts []s3client.Part) s3client.ETag {
	sum := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(string(p.ETag))
		if err != nil || len(b) != md5.Size {
			return ""
		}
		sum.Write(b)
	}
	return s3client.ETag(hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts)))
}

// sizeOf adds the parts' sizes; not known if one of several has none.
func sizeOf(parts []s3client.Part) (size int64, known bool) {
	for _, p := range parts {
		if p.Size <= 0 {
			return 0, false
		}
		size += p.Size
	}
	return size, len(parts) > 0
}

func (u *upload) completeBody(parts []s3client.Part) []byte {
	var b bytes.Buffer
	b.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, p := range parts {
		b.WriteString("<Part>")
		if u.sums && p.Checksum != "" {
			b.WriteString("<ChecksumCRC64NVME>")
			_ = xml.EscapeText(&b, []byte(p.Checksum)) // a bytes.Buffer takes everything
			b.WriteString("</ChecksumCRC64NVME>")
		}
		b.WriteString("<ETag>")
		_ = xml.EscapeText(&b, []byte(p.ETag.Header()))
		b.WriteString("</ETag><PartNumber>" + strconv.Itoa(p.N) + "</PartNumber></Part>")
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.Bytes()
}

// Abort frees the parts.
func (u *upload) Abort(ctx context.Context) error {
	r := u.c.newRequest(s3client.OpAbort, http.MethodDelete, u.key)
	r.query = "uploadId=" + escapeQuery(u.id)
	resp, err := u.c.do(ctx, r)
	if err != nil {
		if errors.Is(err, s3client.ErrNotFound) {
			return nil
		}
		return err
	}
	finish(resp)
	return nil
}
