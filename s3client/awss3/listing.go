package awss3

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pail/s3client"
)

// listing is a page being read.
type listing struct {
	x         *scanner
	page      s3client.ListPage
	encoded   bool // keys are URL-encoded
	truncated bool
	marker    string // NextMarker, of version 1

	texts map[string]string // of the metadata, of which objects have much the same
}

// same is text as a string that the page has once.
func (l *listing) same(text []byte) string {
	if s, ok := l.texts[string(text)]; ok {
		return s
	}
	if l.texts == nil {
		l.texts = map[string]string{}
	}
	s := string(text)
	l.texts[s] = s
	return s
}

func parseList(body []byte, v1 bool) (s3client.ListPage, error) {
	l := &listing{x: newScanner(body), encoded: saysURLEncoded(body)}
	if root, ok := l.x.child(); !ok || string(root) != "ListBucketResult" {
		return l.page, errors.New("the answer is no listing")
	}
	if n := bytes.Count(body, []byte("<Contents>")); n > 0 {
		l.page.Objects = make([]s3client.ObjectInfo, 0, min(n, s3client.MaxMetaKeys))
	}
	for {
		name, ok := l.x.child()
		if !ok {
			break
		}
		if err := l.element(name); err != nil {
			return l.page, err
		}
	}
	if l.x.err != nil {
		return l.page, l.x.err
	}
	return l.page, l.finish(v1)
}

// saysURLEncoded looks for <EncodingType>url</EncodingType>, which may stand before or behind the keys. Text cannot
// hold a raw '>' after that name where names are escaped, and elsewhere only by intent of a hostile service.
func saysURLEncoded(body []byte) bool {
	const tag = "EncodingType>"
	i := bytes.Index(body, []byte(tag))
	return i >= 0 && bytes.HasPrefix(bytes.TrimLeft(body[i+len(tag):], " \t\r\n"), []byte("url"))
}

func (l *listing) element(name []byte) error {
	switch string(name) {
	case "Contents":
		return l.contents()
	case "CommonPrefixes":
		return l.commonPrefixes()
	case "IsTruncated":
		l.truncated = string(bytes.TrimSpace(l.x.text())) == "true"
	case "NextContinuationToken":
		l.page.NextToken = l.x.string()
	case "NextMarker":
		marker, err := l.key(l.x.text())
		l.marker = marker
		return err
	default:
		l.x.skip()
	}
	return nil
}

func (l *listing) contents() error {
	l.page.Objects = append(l.page.Objects, s3client.ObjectInfo{})
	return l.object(&l.page.Objects[len(l.page.Objects)-1])
}

func (l *listing) object(info *s3client.ObjectInfo) error {
	for {
		name, ok := l.x.child()
		if !ok {
			return nil
		}
		var err error
		switch string(name) {
		case "Key":
			info.Key, err = l.key(l.x.text())
		case "Size":
			info.Size, err = strconv.ParseInt(string(bytes.TrimSpace(l.x.text())), 10, 64)
		case "ETag":
			info.ETag = etagOf(l.x.text())
		case "LastModified":
			err = info.LastModified.UnmarshalText(bytes.TrimSpace(l.x.text()))
		case "StorageClass":
			info.StorageClass = storageClass(l.x.text())
		case "UserMetadata":
			l.metadata(info)
		default:
			l.x.skip()
		}
		if err != nil {
			return fmt.Errorf("element %s: %w", name, err)
		}
	}
}

// metadata reads the listing extension that MinIO began: one element for each header, named like it. It is taken whole or
// not at all: every object has a content type at least, so no header means that none is told, and a replaced character
// that XML could not hold one.
func (l *listing) metadata(info *s3client.ObjectInfo) {
	meta, whole, headers := s3client.Meta{}, true, 0
	for ; ; headers++ {
		name, ok := l.x.child()
		if !ok {
			break
		}
		header := strings.ToLower(l.same(name))
		value := l.same(l.x.text())
		whole = whole && !strings.ContainsRune(value, utf8.RuneError)
		if name, ok := strings.CutPrefix(header, "x-amz-meta-"); ok {
			meta[name] = value
		} else if field := systemField(&info.System, header); field != nil {
			*field = value
		}
	}
	if whole && headers > 0 {
		info.Meta = meta
	}
}

// commonPrefixes reads the names and, where the service tells, what objects there are under them. What is told of some but
// not of all, is not told.
func (l *listing) commonPrefixes() error {
	before := len(l.page.Prefixes)
	var marker s3client.ObjectInfo
	told := false
	for {
		name, ok := l.x.child()
		if !ok {
			break
		}
		switch string(name) {
		case "Prefix":
			prefix, err := l.key(l.x.text())
			if err != nil {
				return err
			}
			l.page.Prefixes = append(l.page.Prefixes, prefix)
		case "Marker":
			marker, told = s3client.ObjectInfo{}, true
			if err := l.object(&marker); err != nil {
				return err
			}
		default:
			l.x.skip()
		}
	}
	if told && len(l.page.Prefixes) == before+1 && len(l.page.Markers) == before {
		if marker.ETag != "" {
			marker.Key = l.page.Prefixes[before]
		}
		l.page.Markers = append(l.page.Markers, marker)
	}
	return nil
}

func (l *listing) finish(v1 bool) error {
	if len(l.page.Markers) != len(l.page.Prefixes) {
		l.page.Markers = nil
	}
	if !l.truncated {
		l.page.NextToken = ""
		return nil
	}
	if v1 && l.page.NextToken == "" {
		l.page.NextToken = l.lastName()
	}
	if l.page.NextToken == "" {
		return errors.New("the listing is truncated and names no token")
	}
	return nil
}

// lastName is where version 1 goes on: services name it only with a delimiter.
func (l *listing) lastName() string {
	last := l.marker
	if last != "" {
		return last
	}
	if n := len(l.page.Objects); n > 0 {
		last = l.page.Objects[n-1].Key
	}
	if n := len(l.page.Prefixes); n > 0 {
		last = max(last, l.page.Prefixes[n-1])
	}
	return last
}

// key decodes a key, prefix or marker.
func (l *listing) key(text []byte) (string, error) {
	if !l.encoded || !bytes.ContainsAny(text, "%+") {
		return string(text), nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(text) || hexDigit(text[i+1]) < 0 || hexDigit(text[i+2]) < 0 {
				return "", fmt.Errorf("key %q is not URL-encoded", text)
			}
			out = append(out, byte(hexDigit(text[i+1])<<4|hexDigit(text[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return string(out), nil
}

func etagOf(text []byte) s3client.ETag {
	text = bytes.TrimSpace(text)
	text = bytes.TrimPrefix(text, []byte("W/"))
	return s3client.ETag(bytes.Trim(text, `"`))
}

// storageClass avoids an allocation for the usual ones.
func storageClass(text []byte) string {
	switch string(text) {
	case "STANDARD":
		return "STANDARD"
	case "STANDARD_IA":
		return "STANDARD_IA"
	case "INTELLIGENT_TIERING":
		return "INTELLIGENT_TIERING"
	}
	return string(text)
}

// parseTime reads the times of XML answers; the zero time if it is none.
func parseTime(text []byte) time.Time {
	var t time.Time
	if t.UnmarshalText(bytes.TrimSpace(text)) != nil {
		return time.Time{}
	}
	return t
}
