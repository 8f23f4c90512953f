package attr

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// encodeXattrs writes {"name":"base64",...} with names in byte order, URL-encoded as s3fs does: all but letters,
// digits and ".-_~/".
func encodeXattrs(xattrs map[string][]byte) string {
	var j strings.Builder
	j.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(xattrs)) {
		if i > 0 {
			j.WriteByte(',')
		}
		writeJSONString(&j, name)
		j.WriteString(`:"`)
		j.WriteString(base64.StdEncoding.EncodeToString(xattrs[name]))
		j.WriteByte('"')
	}
	j.WriteByte('}')
	return urlEncode(j.String())
}

// writeJSONString quotes s. s3fs escapes nothing; names with a quote, a backslash or a control character need it.
// Other bytes pass as they are, also those that are not UTF-8.
func writeJSONString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20:
			b.WriteString(`\u00`)
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

func urlEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(".-_~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// decodeXattrs reads what encodeXattrs and s3fs write. A pair that cannot be read is skipped, and what follows a
// syntax error is not read. "" gives nil, an empty object an empty map.
func decodeXattrs(s string) map[string][]byte {
	if s == "" {
		return nil
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return nil
	}
	p := xattrParser{rest: strings.TrimSpace(text)}
	if !p.take('{') {
		return nil
	}
	xattrs := map[string][]byte{}
	for {
		name, value, ok := p.pair()
		if !ok {
			return xattrs
		}
		if v, err := decodeBase64(value); err == nil && name != "" && !strings.ContainsRune(name, 0) {
			xattrs[name] = v
		}
		if !p.take(',') {
			return xattrs
		}
	}
}

// decodeBase64 takes values with and without padding.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// xattrParser walks a flat JSON object of strings. encoding/json would replace bytes that are not UTF-8.
type xattrParser struct{ rest string }

func (p *xattrParser) take(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *xattrParser) pair() (name, value string, ok bool) {
	if name, ok = p.str(); !ok || !p.take(':') {
		return "", "", false
	}
	value, ok = p.str()
	return name, value, ok
}

// str reads a quoted string with the escapes that JSON has.
func (p *xattrParser) str() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			n, ok := unescape(&b, p.rest[i+1:])
			if !ok {
				return "", false
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// unescape writes the character that a backslash before s stands for, and returns how many bytes of s that took.
func unescape(b *strings.Builder, s string) (int, bool) {
	if s == "" {
		return 0, false
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[0]); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return 1, true
	}
	if s[0] != 'u' || len(s) < 5 {
		return 0, false
	}
	r, err := strconv.ParseUint(s[1:5], 16, 16)
	if err != nil {
		return 0, false
	}
	b.WriteRune(rune(r))
	return 5, true
}
