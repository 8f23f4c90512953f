package store

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Names of conditions, as PreconditionError gives them.
const (
	ifMatch           = "If-Match"
	ifNoneMatch       = "If-None-Match"
	ifModifiedSince   = "If-Modified-Since"
	ifUnmodifiedSince = "If-Unmodified-Since"
	ifMatchSize       = "x-amz-if-match-size"
	ifMatchModified   = "x-amz-if-match-last-modified-time"
)

func (c Conditions) empty() bool {
	return len(c.IfMatch) == 0 && len(c.IfNoneMatch) == 0 && c.IfModifiedSince.IsZero() &&
		c.IfUnmodifiedSince.IsZero() && c.Size == nil && c.LastModified.IsZero()
}

// forRead decides a GET or HEAD of an existing object: nil, *PreconditionError or ErrNotModified. As RFC 9110 and S3
// have it, If-Match makes If-Unmodified-Since void, and If-None-Match does so to If-Modified-Since.
func (c Conditions) forRead(o *objectRow) error {
	switch {
	case len(c.IfMatch) > 0:
		if !matches(c.IfMatch, o) {
			return &PreconditionError{ifMatch}
		}
	case !c.IfUnmodifiedSince.IsZero() && modifiedSince(o, c.IfUnmodifiedSince):
		return &PreconditionError{ifUnmodifiedSince}
	}
	switch {
	case len(c.IfNoneMatch) > 0:
		if matches(c.IfNoneMatch, o) {
			return ErrNotModified
		}
	case !c.IfModifiedSince.IsZero() && !modifiedSince(o, c.IfModifiedSince):
		return ErrNotModified
	}
	return nil
}

// forSource decides about the source of a copy. What would be "not modified" is a failed precondition there.
func (c Conditions) forSource(o *objectRow) error {
	const source = "x-amz-copy-source-"
	err := c.forRead(o)
	var p *PreconditionError
	switch {
	case errors.As(err, &p):
		return &PreconditionError{source + p.Condition}
	case errors.Is(err, ErrNotModified) && len(c.IfNoneMatch) > 0:
		return &PreconditionError{source + ifNoneMatch}
	case errors.Is(err, ErrNotModified):
		return &PreconditionError{source + ifModifiedSince}
	}
	return err
}

// forWrite decides about an object that is written, renamed or deleted; o is nil when there is none. If-Match, which
// only an existing object can meet, is ErrNoSuchKey then, as S3 answers; size and time of what is to be deleted are met by
// there being nothing to delete.
func (c Conditions) forWrite(o *objectRow) error {
	if o == nil {
		if len(c.IfMatch) > 0 {
			return ErrNoSuchKey
		}
		return nil
	}
	switch {
	case len(c.IfMatch) > 0 && !matches(c.IfMatch, o):
		return &PreconditionError{ifMatch}
	case len(c.IfNoneMatch) > 0 && matches(c.IfNoneMatch, o):
		return &PreconditionError{ifNoneMatch}
	case len(c.IfMatch) == 0 && !c.IfUnmodifiedSince.IsZero() && modifiedSince(o, c.IfUnmodifiedSince):
		return &PreconditionError{ifUnmodifiedSince}
	case len(c.IfNoneMatch) == 0 && !c.IfModifiedSince.IsZero() && !modifiedSince(o, c.IfModifiedSince):
		return &PreconditionError{ifModifiedSince}
	case c.Size != nil && *c.Size != o.size:
		return &PreconditionError{ifMatchSize}
	case !c.LastModified.IsZero() && c.LastModified.Unix() != o.modified.Unix():
		return &PreconditionError{ifMatchModified}
	}
	return nil
}

func matches(list []string, o *objectRow) bool {
	etag := o.etagText()
	return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.Trim(s, `"`) == etag })
}

// modifiedSince compares whole seconds: the header has no more.
func modifiedSince(o *objectRow, t time.Time) bool { return o.modified.Unix() > t.Unix() }
