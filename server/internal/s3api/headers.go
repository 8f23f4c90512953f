package s3api

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"unicode/utf8"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

const (
	metaPrefix  = "X-Amz-Meta-"
	maxMetaSize = 2 << 10 // names without the prefix, and values (S3: 2 KB)

	defaultContentType  = "binary/octet-stream"
	defaultStorageClass = "STANDARD"
)

// storageClasses are the names that S3 knows. The class is kept and given back; all objects are stored alike.
var storageClasses = []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
	"DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"}

// checkHeaders refuses headers that mean nothing to the operation, and would promise what is not done, and such parameters.
func (r *request) checkHeaders() error {
	if r.http.Header[writeOffset] != nil && r.opName != "PutObject" {
		return notImplementedHeader(writeOffset)
	}
	if err := r.checkParameters(); err != nil {
		return err
	}
	return r.checkEncryptionHeaders()
}

// checkParameters refuses what would be ignored: a version without a name, and with what makes a whole new object, a
// version or the number of a part.
func (r *request) checkParameters() error {
	version, given := r.query["versionId"]
	part, isPart := r.query["partNumber"]
	makes := r.opName == "PutObject" || r.opName == "PatchObject" || r.opName == "CopyObject"
	switch {
	case makes && given:
		return invalidArgument("versionId", version[0], "This operation does not accept a version-id.")
	case makes && isPart:
		return invalidArgument("partNumber", part[0], "This operation does not accept partNumber without uploadId")
	case given && r.key != "" && version[0] == "":
		return invalidArgument("versionId", "", "Version id cannot be the empty string")
	}
	return nil
}

// attrs reads what the client says of a new object.
func (r *request) attrs() (store.Attrs, error) {
	a, err := r.description()
	if err != nil {
		return a, err
	}
	a.StorageClass = r.header("X-Amz-Storage-Class")
	a.WebsiteRedirect = r.header("X-Amz-Website-Redirect-Location")
	if err := checkStorageClass(a.StorageClass); err != nil {
		return a, err
	}
	if w := a.WebsiteRedirect; w != "" && !strings.HasPrefix(w, "/") && !strings.HasPrefix(w, "http://") && !strings.HasPrefix(w, "https://") {
		return a, s3err.New(s3err.InvalidRedirectLocation)
	}
	a.Tags, err = r.headerTags()
	return a, err
}

// description reads those attributes that say what the content is: its headers and the user's metadata.
func (r *request) description() (a store.Attrs, err error) {
	h := r.http.Header
	a = store.Attrs{
		ContentType:        h.Get("Content-Type"),
		CacheControl:       h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentEncoding:    contentEncoding(h.Values("Content-Encoding")),
		ContentLanguage:    h.Get("Content-Language"),
		Expires:            h.Get("Expires"),
	}
	if a.ContentType == "" {
		a.ContentType = defaultContentType
	}
	a.Meta, err = userMetadata(h)
	return a, err
}

func checkStorageClass(class string) error {
	if class != "" && !slices.Contains(storageClasses, class) {
		return s3err.New(s3err.InvalidStorageClass).With("StorageClassRequested", class)
	}
	return nil
}

// contentEncoding joins the header's values without "aws-chunked", which says how the request travelled and nothing
// about the object.
func contentEncoding(values []string) string {
	var keep []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" && !strings.EqualFold(part, "aws-chunked") {
				keep = append(keep, part)
			}
		}
	}
	return strings.Join(keep, ",")
}

// userMetadata collects x-amz-meta-*. A name sent twice has its values joined by commas, as AWS does.
func userMetadata(h http.Header) (map[string]string, error) {
	var meta map[string]string
	size := 0
	for name, values := range h {
		if !strings.HasPrefix(name, metaPrefix) {
			continue
		}
		if meta == nil {
			meta = map[string]string{}
		}
		name = strings.ToLower(name[len(metaPrefix):])
		value := strings.Join(values, ",")
		size += len(name) + len(value)
		meta[name] = value
	}
	if size > maxMetaSize {
		return nil, s3err.New(s3err.MetadataTooLarge).With("Size", itoa(size)).With("MaxSizeAllowed", itoa(maxMetaSize))
	}
	return meta, nil
}

// setAttrs writes an object's headers.
func setAttrs(h http.Header, a *store.Attrs) {
	set(h, "Content-Type", a.ContentType)
	set(h, "Cache-Control", a.CacheControl)
	set(h, "Content-Disposition", a.ContentDisposition)
	set(h, "Content-Encoding", a.ContentEncoding)
	set(h, "Content-Language", a.ContentLanguage)
	set(h, "Expires", a.Expires)
	set(h, "X-Amz-Website-Redirect-Location", a.WebsiteRedirect)
	if a.StorageClass != defaultStorageClass {
		set(h, "X-Amz-Storage-Class", a.StorageClass) // AWS leaves STANDARD out
	}
	for name, value := range a.Meta {
		// In lower case, as AWS sends them: Python's clients give a name as it came.
		h["x-amz-meta-"+name] = []string{headerValue(value)}
	}
}

func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// metaHeader is the header of a metadata name in the form of package net/http, which listings have.
func metaHeader(name string) string { return textproto.CanonicalMIMEHeaderKey(metaPrefix + name) }

// headerValue makes a stored value fit for a header: what is not US-ASCII travels as an encoded word of RFC 2047, as
// AWS documents. Bytes that are not UTF-8 are taken as Latin-1, the old charset of HTTP headers.
func headerValue(value string) string {
	ascii := true
	for i := 0; i < len(value) && ascii; i++ {
		ascii = value[i] >= 0x20 && value[i] < 0x7f || value[i] == '\t'
	}
	if ascii {
		return value
	}
	if !utf8.ValidString(value) {
		runes := make([]rune, 0, len(value))
		for i := range len(value) {
			runes = append(runes, rune(value[i]))
		}
		value = string(runes)
	}
	return "=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(value)) + "?=" // one word, as AWS sends it
}

// storageClass is the class as XML names it.
func storageClass(class string) string {
	if class == "" {
		return defaultStorageClass
	}
	return class
}
