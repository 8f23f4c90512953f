package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"pail/server/internal/s3err"
	"pail/server/internal/xmltext"
)

const (
	xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xmlNS     = "http://s3.amazonaws.com/doc/2006-03-01/"

	maxXMLDepth = 16
)

// xmlBuf is an answer under construction, appended by hand: a listing of 1000 objects is the server's largest XML, and
// a reflecting encoder would cost more than reading the rows did. Element names are constants of the program.
type xmlBuf struct{ b []byte }

// root starts a document whose outermost element is in S3's name space.
func (x *xmlBuf) root(name string) {
	x.b = append(x.b, xmlHeader...)
	x.rootElement(name)
}

// rootElement is root without the XML declaration.
func (x *xmlBuf) rootElement(name string) {
	x.b = append(append(append(x.b, '<'), name...), ` xmlns="`+xmlNS+`">`...)
}

func (x *xmlBuf) open(name string) {
	x.b = append(append(append(x.b, '<'), name...), '>')
}

func (x *xmlBuf) close(name string) {
	x.b = append(append(append(x.b, '<', '/'), name...), '>')
}

func (x *xmlBuf) text(name, value string) {
	x.open(name)
	x.b = xmltext.Append(x.b, value)
	x.close(name)
}

// optional writes an element unless value is empty.
func (x *xmlBuf) optional(name, value string) {
	if value != "" {
		x.text(name, value)
	}
}

func (x *xmlBuf) int(name string, n int64) {
	x.open(name)
	x.b = strconv.AppendInt(x.b, n, 10)
	x.close(name)
}

func (x *xmlBuf) bool(name string, v bool) {
	x.open(name)
	x.b = strconv.AppendBool(x.b, v)
	x.close(name)
}

func (x *xmlBuf) time(name string, t time.Time) {
	x.open(name)
	x.b = appendTime(x.b, t)
	x.close(name)
}

// appendTime appends a time as S3's XML has it: 2006-01-02T15:04:05.000Z, in UTC. Time.AppendFormat takes three times as
// long, once for each object of a listing.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1e6, 3)
	return append(dst, 'Z')
}

// appendDigits appends the last n decimal digits of v.
func appendDigits(dst []byte, v, n int) []byte {
	var digits [4]byte
	for i := n - 1; i >= 0; i-- {
		digits[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, digits[:n]...)
}

// etag writes an ETag element with the quotes that S3 puts around it.
func (x *xmlBuf) etag(tag string) {
	x.b = append(x.b, "<ETag>&quot;"...)
	x.b = xmltext.Append(x.b, tag)
	x.b = append(x.b, "&quot;</ETag>"...)
}

// representable reports whether XML 1.0 can carry s unchanged.
func representable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF || r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// parseXML decodes one document into v, whose XMLName says the root. Documents with a DOCTYPE, deeper than
// maxXMLDepth, or followed by anything but white space are MalformedXML, as everything that does not parse.
func parseXML(data []byte, v any) error {
	inner := xml.NewDecoder(bytes.NewReader(data))
	guard := &xmlGuard{dec: inner}
	dec := xml.NewTokenDecoder(guard)
	if err := dec.Decode(v); err != nil {
		return s3err.New(s3err.MalformedXML).Wrap(err)
	}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s3err.New(s3err.MalformedXML).Wrap(err)
		}
		if !ignorable(tok) {
			return s3err.New(s3err.MalformedXML).Wrap(errors.New("content after the document"))
		}
	}
}

func ignorable(tok xml.Token) bool {
	switch t := tok.(type) {
	case xml.CharData:
		return len(bytes.TrimSpace(t)) == 0
	case xml.Comment, xml.ProcInst:
		return true
	}
	return false
}

// xmlGuard hands tokens on and stops at what no S3 request needs.
type xmlGuard struct {
	dec   *xml.Decoder
	depth int
}

func (g *xmlGuard) Token() (xml.Token, error) {
	tok, err := g.dec.RawToken()
	switch tok.(type) {
	case xml.Directive:
		return nil, errors.New("XML with a DOCTYPE")
	case xml.StartElement:
		if g.depth++; g.depth > maxXMLDepth {
			return nil, errors.New("XML nested too deep")
		}
	case xml.EndElement:
		g.depth--
	}
	return tok, err
}
