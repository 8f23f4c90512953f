package bucketdoc

import (
	"slices"
	"strconv"
	"strings"

	"pail/server/internal/s3err"
)

// Shape is what an element of a document must be. Shapes are built once and never written to.
type Shape struct {
	name     string
	least    int
	many     bool
	children []Shape                // of an element that has elements
	value    func(text string) bool // of an element that has text
}

func one(name string, children ...Shape) Shape {
	return Shape{name: name, least: 1, children: children}
}
func opt(name string, children ...Shape) Shape { return Shape{name: name, children: children} }
func any0(name string, children ...Shape) Shape {
	return Shape{name: name, many: true, children: children}
}
func any1(name string, children ...Shape) Shape {
	return Shape{name: name, least: 1, many: true, children: children}
}

// is makes an element of text that ok takes.
func (s Shape) is(ok func(string) bool) Shape {
	s.value = ok
	return s
}

func text(string) bool       { return true }
func nonEmpty(s string) bool { return s != "" }

func of(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func number(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && n >= 0
}

// Check holds a document against its shape: MalformedXML when it does not fit.
func (s Shape) Check(n *Node) error {
	if n.XMLName.Local != s.name || !s.fits(n) {
		return s3err.New(s3err.MalformedXML)
	}
	return nil
}

func (s Shape) fits(n *Node) bool {
	if s.value != nil {
		return len(n.Nodes) == 0 && s.value(strings.TrimSpace(n.Text))
	}
	if strings.TrimSpace(n.Text) != "" {
		return false
	}
	count := map[string]int{}
	for i := range n.Nodes {
		child := &n.Nodes[i]
		at := slices.IndexFunc(s.children, func(c Shape) bool { return c.name == child.XMLName.Local })
		if at < 0 || !s.children[at].fits(child) {
			return false
		}
		count[child.XMLName.Local]++
	}
	for _, c := range s.children {
		if k := count[c.name]; k < c.least || k > 1 && !c.many {
			return false
		}
	}
	return true
}
