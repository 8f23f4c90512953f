package awss3

import (
	"bytes"
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
// Other services are tried, see probeWrites. MinIO's listings carry metadata, which shows in its name, or in a listing where
// a proxy hides that.
func (c *Client) Probe(ctx context.Context) (s3client.Capabilities, error) {
	caps, told, err := c.headBucket(ctx)
	caps.ListMetadata = caps.ListMetadata && !c.opt.ListV1
	if caps.Leases = caps.Leases && !c.opt.SigV2; caps.Leases { // which does not sign the holder's name
		c.nameHolder()
	}
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
	if !c.opt.ListV1 && !caps.ListMetadata {
		caps.ListMetadata = c.probeListing(ctx)
	}
	if !c.opt.ReadOnly {
		err = c.probeWrites(ctx, &caps)
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
		caps := c.parseExtensions(strings.Join(values, ","))
		caps.ListMetadata = caps.ListMetadata || strings.HasPrefix(resp.Header.Get("Server"), "MinIO")
		return caps, len(values) > 0, nil
	}
	var e *s3client.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden && e.Status != http.StatusBadRequest && e.Status != http.StatusMethodNotAllowed {
		return caps, false, err
	}
	_, err = c.List(ctx, s3client.ListQuery{Prefix: c.opt.ProbePrefix, MaxKeys: 1})
	return caps, false, err
}

// parseExtensions also notes those that are used by the client alone.
func (c *Client) parseExtensions(value string) s3client.Capabilities {
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
		case "complete-metadata":
			caps.CompleteMetadata = true
		case "patch":
			caps.Patch = true
		case "delete-directory":
			caps.DeleteDirectory = true
		case "lease":
			caps.Leases = true
		case "opaque-etags":
			c.opaqueTags.Store(true)
		}
	}
	return caps
}

// probeListing reports whether a listing carries metadata, if there is anything to list. A service that refuses to be asked
// so is not asked again.
func (c *Client) probeListing(ctx context.Context) bool {
	page, err := c.List(ctx, s3client.ListQuery{Prefix: c.opt.ProbePrefix, MaxKeys: 1, WithMeta: true})
	return err == nil && len(page.Objects) > 0 && page.Objects[0].Meta != nil
}

const noETag s3client.ETag = "00000000000000000000000000000000" // of no object

// probeWrites finds out whether writes heed conditions, and notes whether copies heed those on their source, with an object
// that it removes again. A service is believed only when it refuses what it must and takes what it must: Ceph's RGW 16
// takes no ETag for the right one, and ignores conditions of multipart uploads and of copies. Services that may not be
// written to do not count as errors.
func (c *Client) probeWrites(ctx context.Context, caps *s3client.Capabilities) error {
	key := c.opt.ProbePrefix + ".pail-probe-" + rand.Text()
	_, err := c.Put(ctx, key, nil, s3client.PutOptions{IfMatch: noETag})
	conditional := refuses(err)
	if err != nil && !conditional {
		return failed(ctx, err)
	}
	keys := []string{key}
	if conditional {
		caps.ConditionalPut, err = c.probeConditions(ctx, key)
	}
	if err == nil && !caps.ConditionalPut {
		_, refusal := c.Put(ctx, key, nil, s3client.PutOptions{IfNoneMatch: true})
		caps.ExclusivePut = refuses(refusal)
	}
	if err == nil && c.probeCopy(ctx, key+"-copy", key) {
		c.ignoresCopySource.Store(true)
		keys = append(keys, key+"-copy")
	}
	return errors.Join(failed(ctx, err), failed(ctx, c.Delete(ctx, keys...)))
}

// probeConditions stores the object and reports whether its ETag lets it be replaced, and whether Complete heeds that
// it is there.
func (c *Client) probeConditions(ctx context.Context, key string) (bool, error) {
	stored, err := c.Put(ctx, key, nil, s3client.PutOptions{})
	if err != nil {
		return false, err
	}
	if _, err := c.Put(ctx, key, nil, s3client.PutOptions{IfMatch: stored.ETag}); err != nil {
		if refuses(err) {
			err = nil
		}
		return false, err
	}
	up, err := c.NewUpload(ctx, key, s3client.PutOptions{IfNoneMatch: true})
	if err != nil {
		return true, failed(ctx, err) // a service without multipart uploads
	}
	part, err := up.Part(ctx, 1, bytes.NewReader([]byte{0}))
	if err == nil {
		_, err = up.Complete(ctx, []s3client.Part{part}, nil)
	}
	if err == nil {
		return false, nil
	}
	return refuses(err), errors.Join(failed(ctx, err), up.Abort(ctx))
}

// probeCopy reports whether a copy is made of another version than the one that was asked for.
func (c *Client) probeCopy(ctx context.Context, dst, src string) bool {
	_, err := c.Copy(ctx, dst, src, s3client.CopyOptions{SrcIfMatch: noETag})
	return err == nil
}

// refuses reports whether err says that a condition is not met.
func refuses(err error) bool {
	return errors.Is(err, s3client.ErrPrecondition) || errors.Is(err, s3client.ErrNotFound) && !errors.Is(err, s3client.ErrNoBucket)
}

// failed gives an error of a probe that says nothing of what the service can do: the mount must not go on with it.
func failed(ctx context.Context, err error) error {
	fatal := s3client.IsAny(err, s3client.ErrNoBucket, s3client.ErrThrottled, s3client.ErrUnavailable, s3client.ErrCredentials)
	if fatal || ctx.Err() != nil {
		return err
	}
	return nil
}
