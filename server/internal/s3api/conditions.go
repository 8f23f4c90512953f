package s3api

import (
	"net/http"
	"strings"
	"time"

	"pail/server/internal/store"
)

// readConditions are those of GET and HEAD.
func (r *request) readConditions() store.Conditions { return conditionsOf(r.http.Header, "") }

// writeConditions are those of PUT, COPY's destination and CompleteMultipartUpload. S3 knows ETags only, and
// If-None-Match only as "*".
func (r *request) writeConditions() (store.Conditions, error) {
	c := store.Conditions{IfMatch: etags(r.http.Header, "If-Match"), IfNoneMatch: etags(r.http.Header, "If-None-Match")}
	if len(c.IfNoneMatch) > 0 && (len(c.IfNoneMatch) != 1 || c.IfNoneMatch[0] != "*") {
		return c, notImplementedHeader("If-None-Match")
	}
	return c, nil
}

// sourceConditions are those of a copy's source (prefix "X-Amz-Copy-Source-") or a rename's ("X-Amz-Rename-Source-").
func (r *request) sourceConditions(prefix string) store.Conditions {
	return conditionsOf(r.http.Header, prefix)
}

// deleteConditions are those of DeleteObject.
func (r *request) deleteConditions() (store.Conditions, error) {
	h := r.http.Header
	c := store.Conditions{IfMatch: etags(h, "If-Match")}
	if v := h.Get("X-Amz-If-Match-Size"); v != "" {
		n, ok := parseSize(v)
		if !ok {
			return c, invalidArgument("x-amz-if-match-size", v, "x-amz-if-match-size must be a number of bytes")
		}
		c.Size = &n
	}
	if v := h.Get("X-Amz-If-Match-Last-Modified-Time"); v != "" {
		t, ok := parseTime(v)
		if !ok {
			return c, invalidArgument("x-amz-if-match-last-modified-time", v, "x-amz-if-match-last-modified-time must be a date")
		}
		c.LastModified = t
	}
	return c, nil
}

func conditionsOf(h http.Header, prefix string) store.Conditions {
	return store.Conditions{
		IfMatch:           etags(h, prefix+"If-Match"),
		IfNoneMatch:       etags(h, prefix+"If-None-Match"),
		IfModifiedSince:   httpDate(h.Get(prefix + "If-Modified-Since")),
		IfUnmodifiedSince: httpDate(h.Get(prefix + "If-Unmodified-Since")),
	}
}

// etags reads a list of entity tags. S3's clients often leave the quotes out.
func etags(h http.Header, name string) []string {
	var tags []string
	for _, v := range h.Values(name) {
		for tag := range strings.SplitSeq(v, ",") {
			if tag = unquoteETag(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
		if len(tags) == 0 {
			tags = append(tags, "") // a condition that nothing meets, not the absence of one
		}
	}
	return tags
}

// unquoteETag strips white space, quotes and the mark of a weak tag.
func unquoteETag(tag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
}

// httpDate reads a date; one that is none is no condition, as RFC 9110 has it.
func httpDate(v string) time.Time {
	if v == "" {
		return time.Time{}
	}
	t, _ := parseTime(v)
	return t
}

func parseTime(v string) (time.Time, bool) {
	if t, err := http.ParseTime(v); err == nil {
		return t, true
	}
	for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z} {
		if t, err := time.Parse(layout, v); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
