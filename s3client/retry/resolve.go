package retry

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"pail/s3client"
)

// clockSkew is how far the service's clock may be off; S3 itself refuses requests beyond.
const clockSkew = 15 * time.Minute

// content is a body that was sent.
type content struct {
	body  io.ReadSeeker // nil: empty
	start int64
}

// size measures it; -1 if that fails.
func (s content) size() int64 {
	if s.body == nil {
		return 0
	}
	end, err := s.body.Seek(0, io.SeekEnd)
	if err != nil {
		return -1
	}
	return end - s.start
}

// md5 is nil if the body cannot be read.
func (s content) md5() []byte {
	h := md5.New()
	if s.body != nil {
		if _, err := s.body.Seek(s.start, io.SeekStart); err != nil {
			return nil
		}
		if _, err := io.Copy(h, s.body); err != nil {
			return nil
		}
	}
	return h.Sum(nil)
}

// etag is the MD5 that services use for the ETag of content stored in one piece; "" if it cannot be read.
func (s content) etag() s3client.ETag { return s3client.ETag(hex.EncodeToString(s.md5())) }

// sentObject is what a write whose answer was lost would have left.
type sentObject struct {
	meta      s3client.Meta
	exclusive bool // there was to be no object before
	began     time.Time
	content   content
}

// sent reports whether the object in place is the one that a Put sent.
func (c *Client) sent(ctx context.Context, key string, want sentObject) (bool, s3client.ObjectInfo) {
	info, err := c.Head(ctx, key)
	if err != nil || info.Size != want.content.size() || !sameMeta(info.Meta, want.meta) || tooOld(info, want.began) {
		return false, info
	}
	if len(want.meta) > 0 {
		// Encryption gives ETags that look like MD5s and are none, so that a different one proves nothing here.
		return timed(want.meta) || info.ETag == want.content.etag(), info
	}
	return !want.exclusive && info.ETag == want.content.etag(), info
}

// timed tells metadata with a time of change, which no other write of the same name repeats.
func timed(m s3client.Meta) bool {
	return strings.Contains(m["ctime"], ".") || strings.Contains(m["mtime"], ".")
}

func tooOld(info s3client.ObjectInfo, began time.Time) bool {
	return info.LastModified.Before(began.Add(-clockSkew))
}

// sameMeta compares what was sent with what came back, as services keep it.
func sameMeta(got, sent s3client.Meta) bool {
	clean := make(s3client.Meta, len(sent))
	for name, value := range sent {
		clean[strings.ToLower(name)] = strings.Trim(value, " \t")
	}
	return maps.Equal(got, clean)
}

// patched reports whether the object in place is the one that a Patch made: its ETag says so, or where encryption makes
// another one, its size and metadata.
func (c *Client) patched(ctx context.Context, key string, opt s3client.PatchOptions, sent content, began time.Time) (bool, s3client.ObjectInfo) {
	info, err := c.Head(ctx, key)
	if err != nil || info.Size != opt.Size || !sameMeta(info.Meta, opt.Meta) || tooOld(info, began) {
		return false, info
	}
	if timed(opt.Meta) {
		return true, info
	}
	sum := sent.md5()
	return sum != nil && strings.HasPrefix(string(info.ETag), opt.Tag(sum)+"-"), info
}

// copied reports whether the object at dst is the copy that was asked for: it has the size of the source and the
// metadata that it was to get.
func (c *Client) copied(ctx context.Context, dst, src string, opt s3client.CopyOptions, began time.Time) (bool, s3client.ObjectInfo) {
	info, err := c.Head(ctx, dst)
	if err != nil || tooOld(info, began) {
		return false, info
	}
	if dst == src {
		return timed(opt.Meta) && sameMeta(info.Meta, opt.Meta), info
	}
	from, err := c.Head(ctx, src)
	if err != nil || from.Size != info.Size || opt.SrcIfMatch != "" && from.ETag != opt.SrcIfMatch {
		return false, info
	}
	meta := opt.Meta
	if !opt.Replace {
		meta = from.Meta
	}
	return sameMeta(info.Meta, meta) && (timed(meta) || from.ETag == info.ETag && !opt.IfNoneMatch), info
}

// renamed reports whether src is gone and dst there, with the ETag that the source was to have; then src may be there
// again, as another client has made it anew.
func (c *Client) renamed(ctx context.Context, dst, src string, opt s3client.RenameOptions) bool {
	if strings.HasSuffix(src, "/") && strings.HasSuffix(dst, "/") {
		return !c.anyBelow(ctx, src, true) && c.anyBelow(ctx, dst, false)
	}
	left, err := c.Head(ctx, src)
	if anew := err == nil && opt.SrcIfMatch != "" && left.ETag != opt.SrcIfMatch; !anew && !errors.Is(err, s3client.ErrNotFound) {
		return false
	}
	info, err := c.Head(ctx, dst)
	return err == nil && (opt.SrcIfMatch == "" || info.ETag == opt.SrcIfMatch)
}

// anyBelow reports whether there are keys below prefix; inDoubt is the answer if that cannot be found out.
func (c *Client) anyBelow(ctx context.Context, prefix string, inDoubt bool) bool {
	page, err := c.List(ctx, s3client.ListQuery{Prefix: prefix, MaxKeys: 1})
	if err != nil {
		return inDoubt
	}
	return len(page.Objects) > 0
}

// completed reports whether the object in place is the one that parts make: it has their ETag, or where encryption
// makes another one, their size, their number and the metadata.
func (c *Client) completed(ctx context.Context, key string, parts []s3client.Part, meta s3client.Meta, began time.Time) (bool, s3client.ObjectInfo) {
	info, err := c.Head(ctx, key)
	if err != nil || tooOld(info, began) || !sameMeta(info.Meta, meta) {
		return false, info
	}
	if info.ETag == etagOfParts(parts) {
		return true, info
	}
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	return timed(meta) && info.Size == size && strings.HasSuffix(string(info.ETag), fmt.Sprintf("-%d", len(parts))), info
}

// etagOfParts is the MD5 of the parts' MD5s with their number; "" if an ETag is no MD5.
func etagOfParts(parts []s3client.Part) s3client.ETag {
	h := md5.New()
	for _, p := range parts {
		sum, err := hex.DecodeString(string(p.ETag))
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		h.Write(sum)
	}
	return s3client.ETag(fmt.Sprintf("%x-%d", h.Sum(nil), len(parts)))
}
