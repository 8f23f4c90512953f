package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pail/s3client"
)

// maxErrorBody bounds what is read of an error's body.
const maxErrorBody = 64 << 10

// codes maps S3's error codes, and those that other services are known to use, to what they mean. What is not here is
// decided by the status.
var codes = map[string]error{
	"NoSuchKey":     s3client.ErrNotFound,
	"NoSuchVersion": s3client.ErrNotFound,
	"NoSuchUpload":  s3client.ErrNotFound,
	"NoSuchBucket":  s3client.ErrNoBucket,

	"DirectoryNotEmpty": s3client.ErrNotEmpty,

	"PreconditionFailed":         s3client.ErrPrecondition,
	"ConditionalRequestConflict": s3client.ErrConflict,
	"OperationAborted":           s3client.ErrConflict,

	"AccessDenied":                s3client.ErrAccess,
	"RequestTimeTooSkewed":        s3client.ErrAccess,
	"InvalidAccessKeyId":          s3client.ErrCredentials,
	"SignatureDoesNotMatch":       s3client.ErrCredentials,
	"ExpiredToken":                s3client.ErrCredentials,
	"ExpiredTokenException":       s3client.ErrCredentials,
	"InvalidToken":                s3client.ErrCredentials,
	"TokenRefreshRequired":        s3client.ErrCredentials,
	"UnrecognizedClientException": s3client.ErrCredentials,

	"SlowDown":             s3client.ErrThrottled,
	"SlowDownRead":         s3client.ErrThrottled,
	"SlowDownWrite":        s3client.ErrThrottled,
	"Throttling":           s3client.ErrThrottled,
	"ThrottlingException":  s3client.ErrThrottled,
	"RequestLimitExceeded": s3client.ErrThrottled,
	"TooManyRequests":      s3client.ErrThrottled,
	"RequestTimeout":       s3client.ErrUnavailable,
	"InternalError":        s3client.ErrUnavailable,
	"ServiceUnavailable":   s3client.ErrUnavailable,
	"IncompleteBody":       s3client.ErrUnavailable,

	"InvalidRange":     s3client.ErrRange,
	"EntityTooLarge":   s3client.ErrTooLarge,
	"KeyTooLongError":  s3client.ErrTooLarge,
	"MetadataTooLarge": s3client.ErrTooLarge,

	"NotImplemented":   s3client.ErrUnsupported,
	"MethodNotAllowed": s3client.ErrUnsupported,

	"BadDigest":                   s3client.ErrIntegrity,
	"XAmzContentSHA256Mismatch":   s3client.ErrIntegrity,
	"XAmzContentChecksumMismatch": s3client.ErrIntegrity,

	"QuotaExceeded":                  s3client.ErrNoSpace,
	"XMinioAdminBucketQuotaExceeded": s3client.ErrNoSpace,
	"XMinioStorageFull":              s3client.ErrNoSpace,
	"InsufficientStorage":            s3client.ErrNoSpace,

	"PermanentRedirect":                  s3client.ErrRedirect,
	"TemporaryRedirect":                  s3client.ErrRedirect,
	"AuthorizationHeaderMalformed":       s3client.ErrRedirect,
	"IllegalLocationConstraintException": s3client.ErrRedirect,
}

var statuses = map[int]error{
	http.StatusUnauthorized:                 s3client.ErrCredentials,
	http.StatusForbidden:                    s3client.ErrAccess,
	http.StatusNotFound:                     s3client.ErrNotFound,
	http.StatusMethodNotAllowed:             s3client.ErrUnsupported,
	http.StatusRequestTimeout:               s3client.ErrUnavailable,
	http.StatusConflict:                     s3client.ErrConflict,
	http.StatusPreconditionFailed:           s3client.ErrPrecondition,
	http.StatusRequestEntityTooLarge:        s3client.ErrTooLarge,
	http.StatusRequestedRangeNotSatisfiable: s3client.ErrRange,
	http.StatusTooManyRequests:              s3client.ErrThrottled,
	http.StatusNotImplemented:               s3client.ErrUnsupported,
	http.StatusInsufficientStorage:          s3client.ErrNoSpace,
}

func classify(code string, status int) error {
	if err, ok := codes[code]; ok {
		return err
	}
	if err, ok := statuses[status]; ok {
		return err
	}
	switch {
	case status >= 500:
		return s3client.ErrUnavailable
	case status >= 300 && status < 400:
		return s3client.ErrRedirect
	}
	return s3client.ErrInvalid
}

// answerError makes an error of an answer that is not 2xx, and closes it.
func (c *Client) answerError(r *request, resp *http.Response) *s3client.Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came is enough: the status decides without it
	finish(resp)
	e := c.newError(r, nil)
	e.Status = resp.StatusCode
	readErrorBody(e, body)
	e.Err = classify(e.Code, e.Status)
	if e.RequestID == "" {
		e.RequestID = requestID(resp.Header)
	}
	if e.Region == "" {
		e.Region = resp.Header.Get("X-Amz-Bucket-Region")
	}
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
	if r.op == s3client.OpProbe && e.Status == http.StatusNotFound {
		e.Err = s3client.ErrNoBucket
	}
	return e
}

// bodyError makes an error of an <Error> document that came with status 200, as CopyObject and
// CompleteMultipartUpload may answer after they began to; nil if body is none.
func (c *Client) bodyError(r *request, resp *http.Response, body []byte) error {
	e := c.newError(r, nil)
	if !readErrorBody(e, body) {
		return nil
	}
	e.Status = resp.StatusCode
	if e.RequestID == "" {
		e.RequestID = requestID(resp.Header)
	}
	e.Err = classify(e.Code, http.StatusInternalServerError)
	return e
}

// readErrorBody fills e from an <Error> document; it reports whether body is one. Of another body, as proxies send
// them, the beginning becomes the message.
func readErrorBody(e *s3client.Error, body []byte) bool {
	x := newScanner(body)
	if root, ok := x.child(); !ok || string(root) != "Error" {
		e.Message = snippet(body)
		return false
	}
	for {
		name, ok := x.child()
		if !ok {
			return true
		}
		switch string(name) {
		case "Code":
			e.Code = x.string()
		case "Message":
			e.Message = x.string()
		case "RequestId":
			e.RequestID = x.string()
		case "Region":
			e.Region = x.string()
		default:
			x.skip()
		}
	}
}

// snippet is the printable beginning of a body that is no XML.
func snippet(body []byte) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, string(body[:min(len(body), 200)]))
	return strings.TrimSpace(strings.ToValidUTF8(s, "?"))
}

func requestID(h http.Header) string {
	if id := h.Get("X-Amz-Request-Id"); id != "" {
		return id
	}
	return h.Get("X-Amz-Id-2")
}

func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(min(n, 3600))*time.Second)
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(0, min(t.Sub(now), time.Hour))
	}
	return 0
}

func (c *Client) newError(r *request, err error) *s3client.Error {
	return &s3client.Error{Op: r.op, Bucket: c.opt.Bucket, Key: r.key, Err: err}
}

// transportError makes an error of a request that got no whole answer. A context's error stays what it is; a body
// that could not be read is the caller's own error; the rest is the network's.
//
// The cause goes into the text only: net's timeouts claim to be context.DeadlineExceeded, which would tell the caller
// that its own deadline had passed.
func (c *Client) transportError(ctx context.Context, r *request, err error, body *uploadBody) error {
	var typed *s3client.Error
	switch cause := body.failure(); {
	case ctx.Err() != nil:
		return c.newError(r, ctx.Err())
	case cause != nil:
		return c.newError(r, fmt.Errorf("reading the body to send: %w", cause))
	case errors.As(err, &typed):
		return err
	}
	if advice := tlsAdvice(err); advice != "" {
		return c.newError(r, fmt.Errorf("%w: %v; %s", s3client.ErrUntrusted, err, advice))
	}
	return c.newError(r, fmt.Errorf("%w: %v", s3client.ErrUnavailable, err))
}
