package awss3

import (
	"bytes"
	"unicode/utf8"
)

// unescape replaces entities and line ends.
func (x *scanner) unescape(b []byte) []byte {
	i := bytes.IndexAny(b, "&\r")
	if i < 0 {
		return b
	}
	out := append(x.scratch[:0], b[:i]...)
	for i < len(b) {
		switch {
		case b[i] == '&':
			end := bytes.IndexByte(b[i:], ';')
			if end < 0 {
				x.err = errXML
				return nil
			}
			r, ok := entity(b[i+1 : i+end])
			if !ok {
				x.err = errXML
				return nil
			}
			out = utf8.AppendRune(out, r)
			i += end + 1
		case b[i] == '\r':
			if i+1 == len(b) || b[i+1] != '\n' {
				out = append(out, '\n')
			}
			i++
		default:
			out = append(out, b[i])
			i++
		}
	}
	x.scratch = out
	return out
}

func entity(name []byte) (rune, bool) {
	switch string(name) {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	return charRef(name[1:])
}

// charRef reads the digits of &#10; or &#xA;.
func charRef(digits []byte) (rune, bool) {
	base := rune(10)
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var r rune
	for _, c := range digits {
		d := hexDigit(c)
		if d < 0 || d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, true
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
