package awss3

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"pail/s3client"
)

const metaPrefix = "X-Amz-Meta-"

// setMeta adds user metadata. It refuses what a header cannot carry, before net/http does with a vaguer word.
func (c *Client) setMeta(r *request, meta s3client.Meta) error {
	for name, value := range meta {
		value = strings.Trim(value, " \t")
		if !isToken(name) || !isHeaderValue(value) {
			e := c.newError(r, s3client.ErrInvalid)
			e.Message = "metadata " + strconv.Quote(name) + " cannot be sent as a header"
			return e
		}
		set(r.header, textproto.CanonicalMIMEHeaderKey(metaPrefix+name), value)
	}
	return nil
}

func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func isHeaderValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// systemField returns the field of sys for a header's lower-case name, nil if there is none.
func systemField(sys *s3client.System, header string) *string {
	switch header {
	case "content-type":
		return &sys.ContentType
	case "cache-control":
		return &sys.CacheControl
	case "content-disposition":
		return &sys.ContentDisposition
	case "content-encoding":
		return &sys.ContentEncoding
	case "content-language":
		return &sys.ContentLanguage
	case "expires":
		return &sys.Expires
	}
	return nil
}

var systemHeaders = []string{
	"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires",
}

func (c *Client) setSystem(r *request, sys s3client.System) error {
	for _, name := range systemHeaders {
		value := *systemField(&sys, strings.ToLower(name))
		if value == "" {
			continue
		}
		if !isHeaderValue(value) {
			e := c.newError(r, s3client.ErrInvalid)
			e.Message = name + " cannot be sent as a header"
			return e
		}
		set(r.header, name, value)
	}
	return nil
}

// setNew adds the headers of a request that creates an object.
func (c *Client) setNew(r *request, meta s3client.Meta, sys s3client.System) error {
	if c.opt.ACL != "" {
		set(r.header, "X-Amz-Acl", c.opt.ACL)
	}
	if c.opt.StorageClass != "" {
		set(r.header, "X-Amz-Storage-Class", c.opt.StorageClass)
	}
	c.setEncryption(r.header)
	if err := c.setMeta(r, meta); err != nil {
		return err
	}
	return c.setSystem(r, sys)
}

// setConditions adds those on the version in place.
func setConditions(h http.Header, ifMatch s3client.ETag, ifNoneMatch bool) {
	if ifMatch != "" {
		set(h, "If-Match", ifMatch.Header())
	}
	if ifNoneMatch {
		set(h, "If-None-Match", "*")
	}
}

// describe reads the attributes of an object from the headers of a HEAD or GET; size is that of the whole object.
func describe(key string, h http.Header, size int64) s3client.ObjectInfo {
	info := s3client.ObjectInfo{
		Key: key, Size: size, ETag: s3client.ParseETag(first(h, "Etag")),
		VersionID: first(h, "X-Amz-Version-Id"), StorageClass: first(h, "X-Amz-Storage-Class"), Meta: s3client.Meta{},
		System: s3client.System{
			ContentType: first(h, "Content-Type"), CacheControl: first(h, "Cache-Control"),
			ContentDisposition: first(h, "Content-Disposition"), ContentEncoding: first(h, "Content-Encoding"),
			ContentLanguage: first(h, "Content-Language"), Expires: first(h, "Expires"),
		},
	}
	if t, err := http.ParseTime(first(h, "Last-Modified")); err == nil {
		info.LastModified = t
	}
	for name, values := range h {
		if strings.HasPrefix(name, metaPrefix) {
			info.Meta[strings.ToLower(name[len(metaPrefix):])] = strings.Join(values, ",")
		}
	}
	return info
}

// first is h.Get for a name known to be canonical.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
