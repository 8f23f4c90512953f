package s3client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What an error of a Client can mean to its caller; match with errors.Is.
var (
	ErrNotFound     = errors.New("not found")               // no such key, bucket or upload
	ErrNoBucket     = errors.New("no such bucket")          // also matches ErrNotFound
	ErrPrecondition = errors.New("precondition failed")     // another version is in place
	ErrConflict     = errors.New("conflicting operation")   // 409: retried by package retry
	ErrNotEmpty     = errors.New("directory not empty")     // of DeleteDirectory
	ErrAccess       = errors.New("access denied")           // refused, or the credentials are wrong
	ErrCredentials  = errors.New("credentials are refused") // unknown key, bad signature, expired; also matches ErrAccess
	ErrThrottled    = errors.New("slow down")               // 503 SlowDown, 429
	ErrUnavailable  = errors.New("service unavailable")     // 5xx, no connection, broken connection
	ErrRange        = errors.New("range not satisfiable")   //
	ErrTooLarge     = errors.New("too large")               // EntityTooLarge, key or metadata too long
	ErrUnsupported  = errors.New("not supported by the service")
	ErrIntegrity    = errors.New("checksum does not match") // what arrived is not what was sent
	ErrNoSpace      = errors.New("no space on the service") // 507, quota exceeded
	ErrUntrusted    = errors.New("server's certificate is not trusted")
	ErrRedirect     = errors.New("bucket is in another region")
	ErrInvalid      = errors.New("invalid request") // any other 4xx
)

// Error is the failure of one operation, as *fs.PathError is of a system call. Err is one of the sentinels above,
// possibly wrapping a transport or context error.
type Error struct {
	Op        string // the S3 operation, as "GetObject"
	Bucket    string
	Key       string // "" for a bucket operation
	Code      string // S3's error code, "" when no answer came
	Message   string // S3's own message; never holds a secret
	Status    int    // HTTP status, 0 when no answer came
	RequestID string
	Region    string // of the bucket, when the service named another one

	RetryAfter time.Duration // the service asked to wait this long; 0 when it did not

	Err error
}

// Error names operation, object, S3 code and request id, each where known.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Op, e.Bucket)
	if e.Key != "" {
		fmt.Fprintf(&b, "/%q", e.Key)
	}
	if e.Code != "" || e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, e.Code)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, " (%s)", e.Message)
	}
	if e.Region != "" && errors.Is(e.Err, ErrRedirect) {
		fmt.Fprintf(&b, ": it is in region %s", e.Region)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request %s]", e.RequestID)
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes the two narrower sentinels match their wider ones.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return errors.Is(e.Err, ErrNoBucket)
	case ErrAccess:
		return errors.Is(e.Err, ErrCredentials)
	}
	return false
}

// IsAny reports whether an error is one of several, as errors.Is does for one.
func IsAny(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(one error) bool { return errors.Is(err, one) })
}

// NotRemoved returns those of the keys given to Delete that may still be there after its error, each with what is known of
// the reason.
func NotRemoved(err error, keys []string) map[string]error {
	if err == nil {
		return nil
	}
	given := make(map[string]struct{}, len(keys))
	for _, key := range keys {
		given[key] = struct{}{}
	}
	left := map[string]error{}
	var general error // of keys that are not named
	for _, one := range flatten(err) {
		key := keyOf(one)
		if _, ok := given[key]; ok {
			left[key] = one
		} else {
			general = one
		}
	}
	for _, key := range keys {
		if _, named := left[key]; !named && general != nil {
			left[key] = general
		}
	}
	return left
}

// keyOf returns the key that an error names, or "".
func keyOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Key
}

// flatten returns the errors that one joins.
func flatten(err error) (list []error) {
	if _, one := err.(*Error); one {
		return []error{err}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, part := range joined.Unwrap() {
		list = append(list, flatten(part)...)
	}
	return list
}
