package bucketdoc

import (
	"bytes"
	"encoding/xml"
	"strings"
)

const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// Node is an element of a document.
type Node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []Node     `xml:",any"`
}

// Child gives the first element of that name, nil when there is none.
func (n *Node) Child(name string) *Node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return nil
}

// Value gives the text at a path of elements, "" when it is not there.
func (n *Node) Value(path ...string) string {
	for _, name := range path {
		if n = n.Child(name); n == nil {
			return ""
		}
	}
	return strings.TrimSpace(n.Text)
}

// Content writes what is inside the element.
func (n *Node) Content() []byte {
	var b bytes.Buffer
	n.content(&b)
	return b.Bytes()
}

func (n *Node) content(b *bytes.Buffer) {
	if len(n.Nodes) == 0 {
		_ = xml.EscapeText(b, []byte(n.Text)) // a bytes.Buffer takes all
		return
	}
	for i := range n.Nodes {
		child := &n.Nodes[i]
		b.WriteString("<" + child.XMLName.Local)
		for _, a := range child.Attrs {
			if a.Name.Space == schemaInstance && a.Name.Local == "type" {
				b.WriteString(` xmlns:xsi="` + schemaInstance + `" xsi:type="`)
				_ = xml.EscapeText(b, []byte(a.Value))
				b.WriteString(`"`)
			}
		}
		b.WriteString(">")
		child.content(b)
		b.WriteString("</" + child.XMLName.Local + ">")
	}
}
