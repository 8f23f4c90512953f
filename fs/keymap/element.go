package keymap

import (
	"strings"
	"unicode/utf8"
)

// Suffixes of aliases.
const (
	tagRaw  = "~pail-raw"  // %-escaped element
	tagFile = "~pail-file" // object beside a directory of its name
	tagCont = "~pail-cont" // first bytes of an element, which goes on below
	tagEnd  = "~pail-end"  // last bytes of such an element
)

// chunkSize bounds the escaped bytes in one name of a chain; small enough that an element whose alias with tagFile is
// too long always makes two.
const chunkSize = 200

const hexDigits = "0123456789ABCDEF"

// tagOf returns the suffix of a name that is reserved, or "".
func tagOf(name string) string {
	i := strings.LastIndex(name, "~pail-")
	if i < 0 {
		return ""
	}
	switch tag := name[i:]; tag {
	case tagRaw, tagFile, tagCont, tagEnd:
		return tag
	}
	return ""
}

// elementNames returns the name that a key element has, or the chain of names.
func elementNames(elem string) []string {
	if name := shortName(elem); len(name) <= MaxName {
		return []string{name}
	}
	return chain(elem, tagEnd)
}

// clashNames returns the name or chain of a file beside a directory of the same element.
func clashNames(elem string) []string {
	name := shortName(elem) + tagFile
	if len(name) <= MaxName {
		return []string{name}
	}
	return chain(elem, tagFile)
}

// shortName returns the name of an element without regard to length.
func shortName(elem string) string {
	if plainElement(elem) {
		return elem
	}
	name := decodeName(elem)
	if legalName(name) && tagOf(name) == "" && encodeName(name) == elem {
		return name
	}
	return escape(elem) + tagRaw
}

// plainElement is the fast path of shortName: printable ASCII without anything special.
func plainElement(elem string) bool {
	for i := range len(elem) {
		if c := elem[i]; c < ' ' || c >= utf8.RuneSelf {
			return false
		}
	}
	return elem != "" && elem != "." && elem != ".." && tagOf(elem) == "" && !strings.HasSuffix(elem, FolderSuffix)
}

// legalName reports whether a path can have this name, apart from its length.
func legalName(name string) bool {
	return name != "" && name != "." && name != ".." && strings.IndexByte(name, 0) < 0 && strings.IndexByte(name, '/') < 0
}

// chain cuts an element into names of escaped pieces, at rune boundaries; the last has the tag last.
func chain(elem, last string) []string {
	var names []string
	for start := 0; start < len(elem); {
		end, size := start, 0
		for end < len(elem) {
			_, n := utf8.DecodeRuneInString(elem[end:])
			w := len(escapeBytes(elem[end : end+n]))
			if size+w > chunkSize {
				break
			}
			end, size = end+n, size+w
		}
		tag := tagCont
		if end == len(elem) {
			tag = last
		}
		names = append(names, escapeBytes(elem[start:end])+tag)
		start = end
	}
	return names
}

// escape returns the body of an element's alias: escapeBytes, and the first dot of "." and ".." so that ls shows it.
func escape(elem string) string {
	if elem == "." || elem == ".." {
		return "%2E" + elem[1:]
	}
	return escapeBytes(elem)
}

// escapeBytes writes NUL, "/" and "%" as %XX.
func escapeBytes(elem string) string {
	if !strings.ContainsAny(elem, "\x00%/") {
		return elem
	}
	var b strings.Builder
	for i := range len(elem) {
		if c := elem[i]; c == 0 || c == '%' || c == '/' {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape. What is no escape stays; parse's round trip finds such names out.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
