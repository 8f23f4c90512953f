package awss3

import (
	"bytes"
	"errors"
)

// scanner walks an XML document in memory, element by element, without building anything. It knows what S3's answers
// are made of: elements, attributes (skipped), text with entities, CDATA, comments, processing instructions and a
// document type (skipped). Name spaces are dropped from names.
//
// The walk is a nest of loops: child enters the next child of the current element, and each child must be consumed by
// string, by skip, or by a loop over its own children. The first error ends all loops; err keeps it.
type scanner struct {
	data  []byte
	pos   int
	empty bool // the element just entered was <x/>
	depth int
	err   error

	scratch []byte // of unescape
}

var (
	errXML       = errors.New("malformed XML")
	errTruncated = errors.New("truncated XML")
)

// maxXMLDepth bounds nesting; S3's answers have five levels.
const maxXMLDepth = 32

func newScanner(data []byte) *scanner { return &scanner{data: data} }

// child enters the next child of the current element and returns its name; at the element's end it leaves the element
// and returns false. At the top it enters the root element.
func (x *scanner) child() ([]byte, bool) {
	if x.empty {
		x.empty = false
		x.depth--
		return nil, false
	}
	for x.err == nil {
		if !x.toMarkup() {
			return nil, false
		}
		switch {
		case x.skipNonElement():
		case x.at("</"):
			x.leave()
			return nil, false
		default:
			return x.enter()
		}
	}
	return nil, false
}

// toMarkup moves to the next '<'. The document's end is an error inside an element only.
func (x *scanner) toMarkup() bool {
	i := bytes.IndexByte(x.data[x.pos:], '<')
	if i >= 0 {
		x.pos += i
		return true
	}
	x.pos = len(x.data)
	if x.depth > 0 {
		x.err = errTruncated
	}
	return false
}

func (x *scanner) at(s string) bool { return bytes.HasPrefix(x.data[x.pos:], []byte(s)) }

// skipNonElement skips a comment, a CDATA section, a processing instruction or a declaration.
func (x *scanner) skipNonElement() bool {
	switch {
	case x.at("<!--"):
		x.past("-->")
	case x.at("<![CDATA["):
		x.past("]]>")
	case x.at("<?"):
		x.past("?>")
	case x.at("<!"):
		x.past(">")
	default:
		return false
	}
	return true
}

// past moves behind the next end.
func (x *scanner) past(end string) {
	i := bytes.Index(x.data[x.pos:], []byte(end))
	if i < 0 {
		x.err = errTruncated
		return
	}
	x.pos += i + len(end)
}

// enter reads a start tag.
func (x *scanner) enter() ([]byte, bool) {
	name, end := x.tag(1)
	if x.err != nil {
		return nil, false
	}
	if x.depth++; x.depth > maxXMLDepth {
		x.err = errXML
		return nil, false
	}
	x.empty = x.data[end-1] == '/'
	x.pos = end + 1
	if len(name) == 0 {
		x.err = errXML
		return nil, false
	}
	return name, true
}

// leave reads an end tag. That its name is the one that was entered is not checked: depth keeps the balance.
func (x *scanner) leave() {
	_, end := x.tag(2)
	if x.err != nil {
		return
	}
	if x.depth--; x.depth < 0 {
		x.err = errXML
	}
	x.pos = end + 1
}

// tag returns the local name of the tag at pos, whose name begins skip bytes on, and the index of its '>'.
func (x *scanner) tag(skip int) (name []byte, end int) {
	i := x.pos + skip
	begin := i
	for i < len(x.data) && !isSpace(x.data[i]) && x.data[i] != '>' && x.data[i] != '/' {
		if x.data[i] == ':' {
			begin = i + 1
		}
		i++
	}
	name = x.data[min(begin, len(x.data)):i]
	var quote byte
	for ; i < len(x.data); i++ {
		switch c := x.data[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return name, i
		}
	}
	x.err = errTruncated
	return nil, 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skip consumes the current element.
func (x *scanner) skip() {
	for {
		if _, ok := x.child(); !ok {
			return
		}
		x.skip()
	}
}

// text consumes the current element and returns its own text, which lies in the document or in the scanner's memory and
// holds until the next call. Text around child elements, which S3 does not have, is joined.
func (x *scanner) text() []byte {
	if x.empty {
		x.empty = false
		x.depth--
		return nil
	}
	var out []byte
	for x.err == nil {
		begin := x.pos
		if !x.toMarkup() {
			x.err = errTruncated
			return nil
		}
		if piece := x.unescape(x.data[begin:x.pos]); len(out) == 0 {
			out = piece
		} else {
			out = append(out, piece...)
		}
		if x.at("</") {
			x.leave()
			return out
		}
		out = bytes.Clone(out) // more text may follow, and need the same memory
		switch begin := x.pos; {
		case x.at("<![CDATA["):
			x.past("]]>")
			if x.err == nil {
				out = append(out, x.data[begin+len("<![CDATA["):x.pos-len("]]>")]...)
			}
		case x.skipNonElement():
		default:
			if _, ok := x.enter(); ok {
				x.skip()
			}
		}
	}
	return nil
}

// string is text as a string.
func (x *scanner) string() string { return string(x.text()) }
