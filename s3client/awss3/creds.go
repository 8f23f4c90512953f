package awss3

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"pail/s3client"
)

// Static returns credentials that never change. token may be "".
func Static(accessKey, secretKey, token string) s3client.CredentialsProvider {
	return fixed{s3client.Credentials{AccessKey: accessKey, SecretKey: secretKey, SessionToken: token}}
}

// Anonymous leaves requests unsigned.
func Anonymous() s3client.CredentialsProvider { return fixed{s3client.Credentials{Anonymous: true}} }

type fixed struct{ creds s3client.Credentials }

func (f fixed) Retrieve(context.Context) (s3client.Credentials, error) { return f.creds, nil }
func (f fixed) Invalidate()                                            {}

// Times of cached credentials.
const (
	renewBefore = 5 * time.Minute  // how long before they expire new ones are asked for
	renewEvery  = 30 * time.Second // how often, while the source does not answer and they are still valid
)

var _ s3client.CredentialsRefuser = (*cached)(nil)

// cached keeps the credentials of a source that is slow to ask.
type cached struct {
	fetch func(context.Context) (s3client.Credentials, error)
	now   func() time.Time

	asking chan struct{} // holds one token: whoever has it asks the source
	kept   atomic.Pointer[kept]
}

type kept struct {
	creds s3client.Credentials
	renew time.Time // zero: never
}

// Cached wraps a source of credentials so that it is asked by one caller at a time, renewed before they expire, and
// kept in use while the source is away and they are still valid.
func Cached(fetch func(context.Context) (s3client.Credentials, error)) s3client.CredentialsProvider {
	return newCached(fetch, time.Now)
}

func newCached(fetch func(context.Context) (s3client.Credentials, error), now func() time.Time) *cached {
	c := &cached{fetch: fetch, now: now, asking: make(chan struct{}, 1)}
	c.asking <- struct{}{}
	return c
}

// Retrieve returns kept credentials, or asks the source.
func (c *cached) Retrieve(ctx context.Context) (s3client.Credentials, error) {
	k := c.kept.Load()
	if k.fresh(c.now()) {
		return k.creds, nil
	}
	if k.valid(c.now()) {
		select {
		case <-c.asking:
		default: // somebody is at it already
			return k.creds, nil
		}
	} else {
		select {
		case <-c.asking:
		case <-ctx.Done():
			return s3client.Credentials{}, ctx.Err()
		}
	}
	defer func() { c.asking <- struct{}{} }()
	return c.ask(ctx)
}

func (c *cached) ask(ctx context.Context) (s3client.Credentials, error) {
	old := c.kept.Load()
	if old.fresh(c.now()) {
		return old.creds, nil
	}
	creds, err := c.fetch(ctx)
	if err == nil {
		c.kept.Store(&kept{creds: creds, renew: c.renewal(creds)})
		return creds, nil
	}
	if !old.valid(c.now()) {
		return creds, err
	}
	c.kept.CompareAndSwap(old, &kept{creds: old.creds, renew: c.now().Add(renewEvery)})
	return old.creds, nil
}

// renewal is when to ask again: some minutes before the end, or half-way to an end that is nearer.
func (c *cached) renewal(creds s3client.Credentials) time.Time {
	if creds.Expires.IsZero() {
		return time.Time{}
	}
	left := creds.Expires.Sub(c.now())
	return creds.Expires.Add(-min(renewBefore, left/2))
}

// Invalidate drops what is kept.
func (c *cached) Invalidate() { c.kept.Store(nil) }

// Refused drops what is kept if it is what the service refused: others may have asked the source again by now.
func (c *cached) Refused(creds s3client.Credentials) {
	k := c.kept.Load()
	if k != nil && k.creds.AccessKey == creds.AccessKey && k.creds.SessionToken == creds.SessionToken {
		c.kept.CompareAndSwap(k, nil)
	}
}

func (k *kept) fresh(now time.Time) bool {
	return k != nil && (k.renew.IsZero() || now.Before(k.renew))
}

func (k *kept) valid(now time.Time) bool {
	return k != nil && (k.creds.Expires.IsZero() || now.Before(k.creds.Expires))
}

// credentialsError makes an error of a provider's failure.
func (c *Client) credentialsError(ctx context.Context, r *request, err error) error {
	if ctx.Err() != nil {
		return c.newError(r, ctx.Err())
	}
	if errors.Is(err, s3client.ErrCredentials) || errors.Is(err, s3client.ErrUnavailable) {
		return c.newError(r, err)
	}
	return c.newError(r, fmt.Errorf("%w: %v", s3client.ErrCredentials, err))
}
