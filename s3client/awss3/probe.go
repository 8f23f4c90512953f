package awss3

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"pail/s3client"
)

// Probe asks for the bucket and finds out what the service can do.
//
// pail's own server says so in X-Pail-Extensions. AWS has conditional writes, and RenameObject in directory buckets.
// Other services get one PUT that must not succeed: of a new name, on condition that it has a certain ETag. Those that
// know conditions refuse it, those that do not store an empty object, which is removed again.
func (c *Client) Probe(ctx context.Context) (s3client.Capabilities, error) {
	caps, told, err := c.headBucket(ctx)
	caps.ListMetadata = caps.ListMetadata && !c.opt.ListV1
	if err != nil || told {
		return caps, err
	}
	if strings.HasSuffix(c.opt.Bucket, expressSuffix) {
		caps.RenameObject = true
	}
	if isAWS(c.target.Load().host) {
		caps.ConditionalPut = true
		return caps, nil
	}
	if !c.opt.ReadOnly {
		caps.ConditionalPut, err = c.probeConditions(ctx)
	}
	return caps, err
}

func isAWS(host string) bool {
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// headBucket returns the capabilities that the answer tells. A refusal has no body, so the reason is asked for by a
// listing, which credentials that are limited to a prefix may also be allowed.
func (c *Client) headBucket(ctx context.Context) (caps s3client.Capabilities, told bool, err error) {
	r := c.newRequest(s3client.OpProbe, http.MethodHead, "")
	resp, err := c.do(ctx, r)
	if err == nil {
		finish(resp)
		values := resp.Header.Values("X-Pail-Extensions")
		return parseExtensions(strings.Join(values, ",")), len(values) > 0, nil
	}
	var e *s3client.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden && e.Status != http.StatusBadRequest && e.Status != http.StatusMethodNotAllowed {
		return caps, false, err
	}
	_, err = c.List(ctx, s3client.ListQuery{Prefix: c.opt.ProbePrefix, MaxKeys: 1})
	return caps, false, err
}

func parseExtensions(value string) s3client.Capabilities {
	var caps s3client.Capabilities
	for word := range strings.SplitSeq(value, ",") {
		switch strings.TrimSpace(word) {
		case "rename-object":
			caps.RenameObject = true
		case "rename-prefix":
			caps.RenamePrefix = true
		case "list-metadata":
			caps.ListMetadata = true
		case "conditional-put":
			caps.ConditionalPut = true
		}
	}
	return caps
}

// probeConditions reports whether PUT honours If-Match. Services that may not be written to do not count as errors.
func (c *Client) probeConditions(ctx context.Context) (bool, error) {
	key := c.opt.ProbePrefix + ".pail-probe-" + rand.Text()
	_, err := c.Put(ctx, key, nil, s3client.PutOptions{IfMatch: "00000000000000000000000000000000"})
	switch {
	case err == nil:
		return false, c.Delete(ctx, key)
	case errors.Is(err, s3client.ErrNoBucket):
		return false, err
	case errors.Is(err, s3client.ErrPrecondition), errors.Is(err, s3client.ErrNotFound):
		return true, nil
	case errors.Is(err, s3client.ErrThrottled), errors.Is(err, s3client.ErrUnavailable), errors.Is(err, s3client.ErrCredentials), ctx.Err() != nil:
		return false, err
	}
	return false, nil
}
