package keymap

import (
	"strings"
	"unicode/utf8"
)

// The private runes that stand for bytes: U+E000+byte, as s3fs's use_wtf8 has them.
const (
	byteRuneFirst = 0xE000
	byteRuneLast  = 0xE0FF
)

// encodeName returns the key element of a name that has no alias: valid UTF-8 without any ambiguity.
func encodeName(name string) string {
	stem, folder := strings.CutSuffix(name, FolderSuffix)
	if !folder && cleanUTF8(name) {
		return name
	}
	var b strings.Builder
	encodeBytes(&b, stem)
	if folder {
		b.WriteByte('_')
		b.WriteRune(byteRuneFirst + '$')
		b.WriteString(FolderSuffix[2:])
	}
	return b.String()
}

func encodeBytes(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1: // not UTF-8
			b.WriteRune(byteRuneFirst + rune(s[i]))
		case isByteRune(r):
			for _, c := range []byte(s[i : i+n]) {
				b.WriteRune(byteRuneFirst + rune(c))
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
}

// decodeName returns the name whose encoding might be elem; only encodeName tells whether it is.
func decodeName(elem string) string {
	if cleanUTF8(elem) {
		return elem
	}
	var b strings.Builder
	for i := 0; i < len(elem); {
		r, n := utf8.DecodeRuneInString(elem[i:])
		if isByteRune(r) {
			b.WriteByte(byte(r - byteRuneFirst))
		} else {
			b.WriteString(elem[i : i+n])
		}
		i += n
	}
	return b.String()
}

// cleanUTF8 reports whether s is valid UTF-8 without private byte runes, so that it stands for itself.
func cleanUTF8(s string) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || isByteRune(r) {
			return false
		}
		i += n
	}
	return true
}

func isByteRune(r rune) bool { return r >= byteRuneFirst && r <= byteRuneLast }
