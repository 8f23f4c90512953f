package tags

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"pail/server/internal/s3err"
)

// Limits of S3. Lengths are in characters (UTF-16 units at AWS, code points here).
const (
	MaxObjectTags = 10
	MaxBucketTags = 50
	MaxKeyLength  = 128
	MaxValueLen   = 256
)

// Tag is a key with a value, which may be empty.
type Tag = struct{ Key, Value string }

// Set is a set of tags, without two of one key.
type Set []Tag

// Get gives the value of a key.
func (s Set) Get(key string) (value string, ok bool) {
	for _, t := range s {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// Has reports whether the set has each tag of want.
func (s Set) Has(want Set) bool {
	for _, t := range want {
		if v, ok := s.Get(t.Key); !ok || v != t.Value {
			return false
		}
	}
	return true
}

// Encode writes the set as x-amz-tagging has it.
func (s Set) Encode() string {
	var b strings.Builder
	for i, t := range s {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value))
	}
	return b.String()
}

// ParseHeader reads x-amz-tagging: URL query parameters. It checks the set as one of an object.
func ParseHeader(v string) (Set, error) {
	var set Set
	for pair := range strings.SplitSeq(v, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || set.has(key) {
			return nil, s3err.Newf(s3err.InvalidArgument, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
				With("ArgumentName", "x-amz-tagging").With("ArgumentValue", v)
		}
		set = append(set, Tag{key, value})
	}
	return set, set.Check(MaxObjectTags)
}

func (s Set) has(key string) bool {
	_, ok := s.Get(key)
	return ok
}

// Check tells whether S3 takes a set of at most limit tags. Too many are a BadRequest, as the service says on the wire.
func (s Set) Check(limit int) error {
	switch {
	case len(s) <= limit:
	case limit == MaxBucketTags:
		return s3err.Newf(s3err.BadRequest, "Bucket tag count cannot be greater than %d", limit)
	default:
		return s3err.Newf(s3err.BadRequest, "Object tags cannot be greater than %d", limit)
	}
	for i, t := range s {
		switch {
		case t.Key == "" || !valid(t.Key, MaxKeyLength):
			return s3err.Newf(s3err.InvalidTag, "The TagKey you have provided is invalid").With("TagKey", t.Key)
		case !valid(t.Value, MaxValueLen):
			return s3err.Newf(s3err.InvalidTag, "The TagValue you have provided is invalid").With("TagKey", t.Key).With("TagValue", t.Value)
		case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
			return s3err.Newf(s3err.InvalidTag, "System tags cannot be added/updated by requester")
		case s[:i].has(t.Key):
			return s3err.Newf(s3err.InvalidTag, "Cannot provide multiple Tags with the same key").With("TagKey", t.Key)
		}
	}
	return nil
}

// valid takes letters, numbers, white space and _ . : / = + - @, at most limit characters.
func valid(s string, limit int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit {
		return false
	}
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.IsMark(c) && !unicode.IsSpace(c) && !strings.ContainsRune("_.:/=+-@", c) {
			return false
		}
	}
	return true
}
