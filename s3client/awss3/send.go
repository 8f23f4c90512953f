package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"pail/s3client"
)

// request is one S3 request, before it is signed.
type request struct {
	op      string
	method  string
	key     string // "": about the bucket
	query   string // escaped
	header  http.Header
	body    *body // nil: none
	needMD5 bool  // S3 wants it, or a checksum
	noSums  bool  // the body goes without a checksum
}

// newRequest copies the headers that every request has; room is for those to come.
func (c *Client) newRequest(op, method, key string) *request {
	h := make(http.Header, 16)
	for name, values := range c.common {
		h[name] = values
	}
	if c.opt.Headers != nil {
		for name, values := range c.opt.Headers(op, key) {
			h[name] = values
		}
	}
	if holder := c.leaseHolder.Load(); holder != nil && method != http.MethodGet && method != http.MethodHead {
		set(h, leaseHolder, *holder)
	}
	return &request{op: op, method: method, key: key, header: h}
}

// do sends r and returns an answer of 2xx, which the caller finishes. It repeats a request only to settle where the
// bucket is and whether the service takes checksums.
func (c *Client) do(ctx context.Context, r *request) (*http.Response, error) {
	if len(r.key) > s3client.MaxKeyLength {
		e := c.newError(r, s3client.ErrTooLarge)
		e.Message = fmt.Sprintf("the key has more than %d bytes", s3client.MaxKeyLength)
		return nil, e
	}
	for settled := 0; ; settled++ {
		if err := c.prepare(r); err != nil {
			return nil, c.newError(r, fmt.Errorf("reading the body to send: %w", err))
		}
		t := c.target.Load()
		resp, err := c.send(ctx, r, t)
		if err == nil {
			c.failures.Store(0)
			return resp, nil
		}
		c.moveOn(t, err)
		if settled == 2 || !c.settle(r, t, err) {
			return nil, err
		}
		r.header = r.header.Clone()
	}
}

// prepare computes the sums of the body and sets their headers.
func (c *Client) prepare(r *request) error {
	b := r.body
	if b == nil {
		return nil
	}
	if err := b.rewind(); err != nil {
		return err
	}
	if err := b.sum(c.sumsFor(r)); err != nil {
		return err
	}
	delete(r.header, checksumHeader)
	if b.checksum != "" {
		set(r.header, checksumHeader, b.checksum)
	}
	if b.md5 != "" {
		set(r.header, "Content-Md5", b.md5)
	}
	return nil
}

// settle draws the lasting conclusion from an error, if there is one, and reports whether to send again.
func (c *Client) settle(r *request, t *target, err error) bool {
	var e *s3client.Error
	if !errors.As(err, &e) || e.Status == 0 {
		return false
	}
	if e.Region != "" && e.Region != t.region && c.opt.Region == "" && mayBeElsewhere(e) {
		return c.adopt(t, e.Region)
	}
	if !c.opt.NoChecksum && r.usesChecksums() && refusesChecksums(e) {
		if !c.checksumsOff.Swap(true) {
			c.log.Warn("the service refuses checksum headers; going on without", "bucket", c.opt.Bucket, "error", err)
		}
		r.dropChecksums()
		return true
	}
	return false
}

// mayBeElsewhere tells the answers of a service that was addressed in the wrong region.
func mayBeElsewhere(e *s3client.Error) bool {
	return errors.Is(e, s3client.ErrRedirect) || e.Status == http.StatusBadRequest || e.Status == http.StatusForbidden
}

// adopt moves the client to region.
func (c *Client) adopt(old *target, region string) bool {
	t, err := c.targetAt(old.endpoint, region)
	if err != nil {
		return false
	}
	if c.target.CompareAndSwap(old, t) {
		c.log.Info("the bucket is in another region", "bucket", c.opt.Bucket, "region", region)
	}
	return true
}

// send makes one attempt.
func (c *Client) send(ctx context.Context, r *request, t *target) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, c.newError(r, err)
	}
	begin := time.Now()
	req := (&http.Request{
		Method: r.method, URL: t.url(r.key, r.query), Host: t.host, Header: r.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	var upload *uploadBody
	if r.body != nil && r.body.size > 0 {
		upload = newUploadBody(r.body.r, r.body.size)
		req.Body, req.ContentLength = upload, r.body.size
	}
	creds, err := c.sign(ctx, req, r, t)
	if err != nil {
		return nil, err
	}
	resp, err := c.transport.RoundTrip(req)
	upload.detach()
	if err != nil {
		err = c.transportError(ctx, r, err, upload)
		c.trace(ctx, r, begin, nil, err)
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		e := c.answerError(r, resp)
		c.judgeCredentials(ctx, e, creds)
		c.trace(ctx, r, begin, resp, e)
		return nil, e
	}
	c.trace(ctx, r, begin, resp, nil)
	return resp, nil
}

// genuine refuses an answer without an ETag, which S3 never gives about an object: something in between has answered, as a
// proxy or the login page of a network. It finishes the answer then.
func (c *Client) genuine(r *request, resp *http.Response) error {
	if first(resp.Header, "Etag") != "" {
		return nil
	}
	finish(resp)
	e := c.newError(r, s3client.ErrUnavailable)
	e.Status, e.RequestID = resp.StatusCode, requestID(resp.Header)
	e.Message = "the answer has no ETag: it does not come from an S3 service"
	return e
}

// judgeCredentials has refused credentials fetched anew. Expired ones are answered 400, and to a HEAD without a
// reason.
func (c *Client) judgeCredentials(ctx context.Context, e *s3client.Error, creds s3client.Credentials) {
	if e.Status == http.StatusBadRequest && e.Code == "" && e.Region == "" && creds.SessionToken != "" {
		e.Err = s3client.ErrCredentials
	}
	if errors.Is(e, s3client.ErrCredentials) {
		c.refuse(ctx, creds)
	}
}

func (c *Client) trace(ctx context.Context, r *request, begin time.Time, resp *http.Response, err error) {
	if !c.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", r.op), slog.String("key", r.key), slog.Duration("took", time.Since(begin))}
	if r.query != "" {
		attrs = append(attrs, slog.String("query", r.query)) // the signature is in a header
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request", requestID(resp.Header)))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	c.log.LogAttrs(ctx, slog.LevelDebug, "s3", attrs...)
}

// finish reads what is left of a short body, so that the connection can be used again, and closes it.
func finish(resp *http.Response) {
	// Errors mean a connection that cannot be used again, which is what closing sees to.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

// set sets a header whose name is canonical.
func set(h http.Header, name, value string) { h[name] = []string{value} }
