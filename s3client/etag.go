package s3client

import "strings"

// ETag names an object version's content; opaque but for equality. It is kept without the quotes of the header.
type ETag string

// ParseETag takes the value of an ETag header or element, quoted or not.
func ParseETag(s string) ETag {
	return ETag(strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`))
}

// Header returns the quoted form that HTTP headers carry.
func (t ETag) Header() string { return `"` + string(t) + `"` }
