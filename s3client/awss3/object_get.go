package awss3

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"pail/s3client"
)

// Head returns an object's attributes.
func (c *Client) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	var info s3client.ObjectInfo
	err := c.withReadKey(func(k *customerKey) error {
		r, err := c.newObjectRequest(s3client.OpHead, http.MethodHead, key)
		if err != nil {
			return err
		}
		k.set(r.header)
		resp, err := c.do(ctx, r)
		if err != nil {
			return err
		}
		if err := c.genuine(r, resp); err != nil {
			return err
		}
		finish(resp)
		if resp.ContentLength < 0 {
			e := c.newError(r, s3client.ErrUnsupported)
			e.Status, e.RequestID, e.Message = resp.StatusCode, requestID(resp.Header), "the answer does not tell the object's size"
			return e
		}
		info = describe(key, resp.Header, resp.ContentLength)
		return nil
	})
	return info, err
}

// newObjectRequest refuses the empty key, which would address the bucket.
func (c *Client) newObjectRequest(op, method, key string) (*request, error) {
	r := c.newRequest(op, method, key)
	if key == "" {
		e := c.newError(r, s3client.ErrInvalid)
		e.Message = "the key is empty"
		return nil, e
	}
	return r, nil
}

// Get opens an object.
func (c *Client) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	var object *s3client.Object
	err := c.withReadKey(func(k *customerKey) error {
		r, err := c.newObjectRequest(s3client.OpGet, http.MethodGet, key)
		if err != nil {
			return err
		}
		if err := c.setGet(r, opt); err != nil {
			return err
		}
		k.set(r.header)
		resp, err := c.do(ctx, r)
		if err != nil {
			return err
		}
		if err := c.genuine(r, resp); err != nil {
			return err
		}
		if got := s3client.ParseETag(first(resp.Header, "Etag")); opt.IfMatch != "" && got != opt.IfMatch {
			return c.otherVersion(r, resp, got)
		}
		object, err = c.openBody(ctx, r, resp, opt.Range)
		return err
	})
	return object, err
}

func (c *Client) setGet(r *request, opt s3client.GetOptions) error {
	switch rng := opt.Range; {
	case rng.Off < 0 || rng.Len < 0:
		return c.newError(r, s3client.ErrRange)
	case rng.Len > 0:
		set(r.header, "Range", "bytes="+strconv.FormatInt(rng.Off, 10)+"-"+strconv.FormatInt(rng.Off+rng.Len-1, 10))
	case rng.Off > 0:
		set(r.header, "Range", "bytes="+strconv.FormatInt(rng.Off, 10)+"-")
	case !c.checksumsOff.Load():
		set(r.header, "X-Amz-Checksum-Mode", "ENABLED")
	}
	if opt.IfMatch != "" {
		set(r.header, "If-Match", opt.IfMatch.Header())
	}
	return nil
}

// openBody checks that the answer is the range that was asked for.
func (c *Client) openBody(ctx context.Context, r *request, resp *http.Response, rng s3client.Range) (*s3client.Object, error) {
	size, length := resp.ContentLength, resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		off, n, whole, ok := parseContentRange(first(resp.Header, "Content-Range"))
		if !ok || off != rng.Off || rng.Len > 0 && n > rng.Len || length >= 0 && n != length {
			return nil, c.badRange(r, resp)
		}
		size, length = whole, n
	} else if rng.Off > 0 || rng.Len > 0 && (size < 0 || size > rng.Len) {
		return nil, c.badRange(r, resp)
	}
	b := &getBody{ctx: ctx, c: c, r: r, resp: resp, left: length}
	if rng == (s3client.Range{}) {
		b.verify = newVerifier(resp.Header)
	}
	return &s3client.Object{Info: describe(r.key, resp.Header, max(0, size)), Body: b}, nil
}

// otherVersion is the error for a service, or a cache before it, that does not know If-Match.
func (c *Client) otherVersion(r *request, resp *http.Response, got s3client.ETag) error {
	_ = resp.Body.Close() // the rest is of no use
	e := c.newError(r, s3client.ErrPrecondition)
	e.Status, e.RequestID = resp.StatusCode, requestID(resp.Header)
	e.Message = fmt.Sprintf("asked for the version %s, got %q", first(r.header, "If-Match"), got)
	return e
}

// badRange is the error for a service that answers another range, or ignores ranges.
func (c *Client) badRange(r *request, resp *http.Response) error {
	_ = resp.Body.Close() // the rest is of no use
	e := c.newError(r, s3client.ErrUnsupported)
	e.Status, e.RequestID = resp.StatusCode, requestID(resp.Header)
	e.Message = fmt.Sprintf("asked for %s, got Content-Range %q", first(r.header, "Range"), first(resp.Header, "Content-Range"))
	return e
}

// parseContentRange reads "bytes 5-9/100".
func parseContentRange(s string) (off, n, whole int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(s, "/")
	from, to, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, false
	}
	off, err := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	whole, err3 := strconv.ParseInt(total, 10, 64)
	if err != nil || err2 != nil || err3 != nil || off < 0 || last < off || whole <= last {
		return 0, 0, 0, false
	}
	return off, last - off + 1, whole, true
}
