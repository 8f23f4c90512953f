package xmltext

import (
	"fmt"
	"unicode/utf8"
)

// Append appends s as character data. What XML 1.0 cannot hold becomes U+FFFD, so that one odd key does not
// make a whole listing unreadable; encoding-type=url carries every key exactly.
func Append(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= 0x20 && c < utf8.RuneSelf && c != '<' && c != '>' && c != '&' && c != '"' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = append(dst, s[start:i]...)
		dst = appendRune(dst, r)
		i += n
		start = i
	}
	return append(dst, s[start:]...)
}

func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '<':
		return append(dst, "&lt;"...)
	case '>':
		return append(dst, "&gt;"...)
	case '&':
		return append(dst, "&amp;"...)
	case '"':
		return append(dst, "&quot;"...)
	case '\t', '\n', '\r':
		return fmt.Appendf(dst, "&#x%X;", r)
	}
	if r < 0x20 || r == 0xFFFE || r == 0xFFFF {
		r = utf8.RuneError
	}
	return utf8.AppendRune(dst, r)
}
