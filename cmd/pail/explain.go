package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pail/s3client"
)

const (
	// probeTimeout bounds the first requests: a person is waiting for the answer.
	probeTimeout  = 60 * time.Second
	probeAttempts = 3
	probePause    = time.Second
)

// target is what a mount talks to, for messages.
type target struct {
	bucket, prefix, url string
	fallbacks           int    // further URLs
	credentials         string // where they come from
}

// probe makes the first requests. Their failure is the user's to mend, so it is explained, and nothing is repeated but
// what a healthy service answers too at times.
func (t target) probe(ctx context.Context, client s3client.Client) (s3client.Capabilities, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		caps, err := client.Probe(ctx)
		if err == nil {
			err = t.checkPrefix(ctx, client)
		}
		if err == nil {
			return caps, nil
		}
		if attempt >= probeAttempts*(1+t.fallbacks) || !passing(err) && !(t.fallbacks > 0 && errors.Is(err, s3client.ErrUnavailable)) {
			return caps, t.explain(err)
		}
		select {
		case <-ctx.Done():
			return caps, t.explain(err)
		case <-time.After(probePause):
		}
	}
}

// passing reports whether the service answered, but could not serve just then.
func passing(err error) bool {
	var s3err *s3client.Error
	return errors.Is(err, s3client.ErrThrottled) || errors.As(err, &s3err) && s3err.Status >= 500
}

// errNoPrefix is for explain.
var errNoPrefix = errors.New("prefix is not there")

// checkPrefix asks whether there is anything at the prefix. Its marker is enough.
func (t target) checkPrefix(ctx context.Context, client s3client.Client) error {
	if t.prefix == "" {
		return nil
	}
	page, err := client.List(ctx, s3client.ListQuery{Prefix: t.prefix, MaxKeys: 1})
	if err != nil {
		return err
	}
	if len(page.Objects) == 0 && len(page.Prefixes) == 0 {
		return errNoPrefix
	}
	return nil
}

// explain makes one line of the first request's failure that names the thing and the remedy.
func (t target) explain(err error) error {
	var s3err *s3client.Error
	if !errors.As(err, &s3err) {
		s3err = &s3client.Error{}
	}
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(errNoPrefix):
		dir := strings.TrimSuffix(t.prefix, "/")
		return fmt.Errorf("bucket %s has no directory %s: make it first, in a mount of the bucket (mkdir -p %s), or as an empty object of the name %s", t.bucket, dir, dir, t.prefix)
	case is(s3client.ErrCredentials):
		return t.refused(s3err)
	case is(s3client.ErrNoBucket), is(s3client.ErrNotFound):
		return fmt.Errorf("no bucket %s at %s: check the name, or make the bucket first (s3cmd mb s3://%s)", t.bucket, t.url, t.bucket)
	case is(s3client.ErrAccess):
		return fmt.Errorf("%s allows no access to bucket %s with the credentials of %s (%s): check the bucket's name and what the key may do", t.url, t.bucket, t.credentials, code(s3err))
	case is(s3client.ErrRedirect):
		return fmt.Errorf("bucket %s is in region %s: mount with -o endpoint=%s", t.bucket, s3err.Region, s3err.Region)
	}
	if remedy := t.transport(s3err); remedy != nil {
		return remedy
	}
	return fmt.Errorf("bucket %s at %s cannot be used: %w", t.bucket, t.url, err)
}

// refused tells an unknown key from a wrong secret by S3's codes.
func (t target) refused(err *s3client.Error) error {
	switch err.Code {
	case "SignatureDoesNotMatch":
		return fmt.Errorf("%s refuses the secret key (%s): correct it in %s", t.url, code(err), t.credentials)
	case "InvalidAccessKeyId":
		return fmt.Errorf("%s does not know the access key (%s): correct it in %s", t.url, code(err), t.credentials)
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%s refuses the request's date (%s): set the clock of this machine", t.url, code(err))
	case "ExpiredToken", "TokenRefreshRequired":
		return fmt.Errorf("%s says that the session has expired (%s): renew the key and token in %s", t.url, code(err), t.credentials)
	}
	return fmt.Errorf("%s refuses the access key or the secret key (%s): correct them in %s", t.url, code(err), t.credentials)
}

func code(err *s3client.Error) string {
	if err.Code != "" {
		return err.Code
	}
	return fmt.Sprintf("status %d", err.Status)
}

// transport explains a failure below S3, or returns nil.
func (t target) transport(err *s3client.Error) error {
	switch {
	case errors.Is(err, s3client.ErrUntrusted):
		return fmt.Errorf("the certificate of %s is not trusted: %w", t.url, cause(err.Err, s3client.ErrUntrusted))
	case err.Status != 0:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from %s within %v: check that the server runs, or correct url=", t.url, probeTimeout)
	case errors.Is(err, s3client.ErrUnavailable):
		return fmt.Errorf("no server answers at %s (%w): start it, or correct url=", t.url, cause(err.Err, s3client.ErrUnavailable))
	}
	return nil
}

// cause is err without the sentinel's own words before it.
func cause(err, sentinel error) error {
	return errors.New(strings.TrimPrefix(err.Error(), sentinel.Error()+": "))
}
