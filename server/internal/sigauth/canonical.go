package sigauth

import (
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
)

const isoBasic = "20060102T150405Z"

// target gives the raw path, never empty, and the raw query of a request.
func target(r *http.Request) (path, query string) {
	if r.RequestURI == "" {
		path, query = r.URL.EscapedPath(), r.URL.RawQuery
	} else {
		path, query = splitTarget(r.RequestURI)
	}
	if path == "" {
		path = "/"
	}
	return path, query
}

func splitTarget(uri string) (path, query string) {
	if !strings.HasPrefix(uri, "/") {
		if _, rest, ok := strings.Cut(uri, "://"); ok { // absolute, as sent to proxies
			i := strings.IndexAny(rest, "/?")
			if i < 0 {
				return "", ""
			}
			uri = rest[i:]
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// param is one parameter of a query, decoded.
type param struct {
	name, value string
	bare        bool // without "="
}

type params []param

// parseQuery takes a raw query apart. Unlike url.ParseQuery it keeps the order and takes ";" for an ordinary byte.
func parseQuery(raw string) (params, error) {
	if raw == "" {
		return nil, nil
	}
	var out params
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, s3err.New(s3err.InvalidURI).With("URI", "?"+raw)
		}
		out = append(out, param{name, value, !found})
	}
	return out, nil
}

func (p params) has(name string) bool {
	return slices.ContainsFunc(p, func(q param) bool { return q.name == name })
}

// get gives the value of a parameter, and whether it is there exactly once.
func (p params) get(name string) (value string, once bool) {
	for _, q := range p {
		if q.name == name {
			if once {
				return "", false
			}
			value, once = q.value, true
		}
	}
	return value, once
}

// appendCanonical appends the canonical query of V4, which leaves the parameter omit out.
func (p params) appendCanonical(dst []byte, omit string) []byte {
	encoded := make(params, 0, len(p))
	for _, q := range p {
		if q.name != omit {
			encoded = append(encoded, param{name: escape(q.name), value: escape(q.value)})
		}
	}
	slices.SortStableFunc(encoded, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	for i, q := range encoded {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(append(dst, q.name...), '='), q.value...)
	}
	return dst
}

// escape encodes every byte that is not an unreserved character of RFC 3986.
func escape(s string) string {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return string(appendEscaped(nil, s, false))
		}
	}
	return s
}

func appendEscaped(dst []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case unreserved(c), c == '/' && keepSlash:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// paths gives the forms of the path that a client may have signed: the canonical one, and the one sent. Both name the
// same key.
func (in *input) paths() ([]string, error) {
	if isCanonical(in.path) {
		return []string{in.path}, nil
	}
	decoded, err := url.PathUnescape(in.path)
	if err != nil {
		return nil, s3err.New(s3err.InvalidURI).With("URI", in.path)
	}
	canonical := string(appendEscaped(nil, decoded, true))
	if canonical == in.path {
		return []string{canonical}, nil
	}
	return []string{canonical, in.path}, nil
}

// isCanonical reports whether decoding a path and encoding it again would give the same: it escapes all that must be
// escaped, in capitals, and nothing else.
func isCanonical(path string) bool {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if unreserved(c) || c == '/' {
			continue
		}
		if c != '%' || i+2 >= len(path) || 'a' <= path[i+1] || 'a' <= path[i+2] {
			return false
		}
		high, low := unhex(path[i+1]), unhex(path[i+2])
		if high < 0 || low < 0 {
			return false
		}
		if c = byte(high<<4 | low); unreserved(c) || c == '/' {
			return false
		}
		i += 2
	}
	return true
}

// virtualBucket gives the bucket that the Host header names, or "".
func (v *Verifier) virtualBucket(host string) string {
	if len(v.domains) == 0 {
		return ""
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, d := range v.domains {
		if bucket, ok := strings.CutSuffix(host, d); ok && bucket != "" {
			return bucket
		}
	}
	return ""
}

// signedValue gives the value of a signed header, which net/http may have taken out of the map. An absent header is
// an empty one.
func (in *input) signedValue(name string) string {
	r := in.http
	switch name {
	case "host":
		return r.Host
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	if values := headerValues(r.Header, name); len(values) > 0 {
		return joinValues(values)
	}
	switch {
	case name == "content-length" && r.ContentLength >= 0:
		return strconv.FormatInt(r.ContentLength, 10)
	case name == "expect":
		return "100-continue" // HTTP/2 drops it once answered
	}
	return ""
}

// headerValues looks a header up by its name in lower case, without making the name that the map has.
func headerValues(h http.Header, name string) []string {
	var buf [64]byte
	if len(name) > len(buf) {
		return h[textproto.CanonicalMIMEHeaderKey(name)]
	}
	first := true
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z':
			if first {
				c -= 'a' - 'A'
			}
		case '0' <= c && c <= '9', c == '-':
		default:
			return h[textproto.CanonicalMIMEHeaderKey(name)]
		}
		buf[i], first = c, c == '-'
	}
	return h[string(buf[:len(name)])]
}

func joinValues(values []string) string {
	if len(values) == 1 {
		return trimSpaces(values[0])
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = trimSpaces(v)
	}
	return strings.Join(trimmed, ",")
}

// trimSpaces cuts spaces at the ends and makes runs of them single.
func trimSpaces(s string) string {
	s = strings.Trim(s, " \t")
	if !strings.Contains(s, "  ") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != ' ' || s[i-1] != ' ' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// parseDate reads the forms of a date that clients send in Date and x-amz-date.
func parseDate(s string) (time.Time, bool) {
	if t, ok := parseISO(s); ok {
		return t, true
	}
	if t, err := time.Parse(isoBasic, s); err == nil {
		return t, true
	}
	if t, err := http.ParseTime(s); err == nil {
		return t, true
	}
	t, err := time.Parse(time.RFC1123Z, s)
	return t, err == nil
}

// parseISO reads a valid date as isoBasic has it. What it does not take, time.Parse may yet.
func parseISO(s string) (t time.Time, ok bool) {
	if len(s) != len(isoBasic) || s[8] != 'T' || s[15] != 'Z' {
		return t, false
	}
	year, month, day := digits(s[:4]), digits(s[4:6]), digits(s[6:8])
	hour, minute, second := digits(s[9:11]), digits(s[11:13]), digits(s[13:15])
	if min(year, month, day, hour, minute, second) < 0 || hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day && int(t.Month()) == month
}

// digits gives the number that s is, or -1.
func digits(s string) (n int) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

// date gives the time of a request from x-amz-date or Date, and its text.
func (in *input) date() (t time.Time, sent string, err error) {
	sent = in.http.Header.Get("X-Amz-Date")
	if sent == "" {
		sent = in.http.Header.Get("Date")
	}
	t, ok := parseDate(sent)
	if !ok {
		return t, sent, badDate()
	}
	return t, sent, nil
}
