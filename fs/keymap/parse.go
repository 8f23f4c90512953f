package keymap

import (
	"slices"
	"strings"
)

// parsed is a path taken apart: the key of the file is the mount's prefix + dir + last.
type parsed struct {
	dir   string   // key elements of the directories above, each with its slash
	last  string   // last key element; where open, its beginning
	conts []string // names of the chain that the path ends in, where open
	open  bool     // the path ends inside a chain
	clash bool     // last was named by the alias of a clash
	bad   bool     // there is a name that no path can have
	alien bool     // there is a reserved name that is no alias of what it decodes to
}

func (p parsed) legalFile() bool { return !p.bad && !p.alien && !p.open }
func (p parsed) legalDir() bool  { return !p.bad && !p.alien && !p.clash }

// key returns the key of the file below a mount's prefix.
func (p parsed) key(prefix string) string { return prefix + p.dir + p.last }

// parse takes a path apart. It returns early at the first name that makes the path illegal.
func parse(path string) parsed {
	var p parsed
	for more := true; more; {
		var name string
		name, path, more = strings.Cut(path, "/")
		if !legalName(name) || len(name) > MaxName {
			return parsed{bad: true}
		}
		if p.alien = !p.add(name, !more); p.alien {
			return p
		}
		if more && !p.open {
			p.dir += p.last + "/"
			p.last = ""
		}
	}
	if p.open {
		p.alien = !validConts(p.conts, p.last)
	}
	return p
}

// add resolves the next name of the path into p.last. It reports false for an alias that is none.
func (p *parsed) add(name string, final bool) bool {
	tag := tagOf(name)
	body := strings.TrimSuffix(name, tag)
	switch {
	case tag == tagCont:
		p.last += unescape(body)
		p.conts = append(p.conts, name)
		p.open = true
		return true
	case p.open:
		p.last += unescape(body)
		names := append(p.conts, name)
		p.open, p.conts = false, nil
		p.clash = tag == tagFile
		return tag == tagEnd && slices.Equal(names, elementNames(p.last)) ||
			p.clash && final && slices.Equal(names, clashNames(p.last))
	case tag == "":
		p.last = encodeName(name)
		return true
	case tag == tagRaw:
		p.last = unescape(body)
		return isName(name, elementNames(p.last))
	case tag == tagFile && final && legalName(body):
		p.clash = true
		p.last = encodeName(body)
		if raw, ok := strings.CutSuffix(body, tagRaw); ok {
			p.last = unescape(raw)
		}
		return isName(name, clashNames(p.last))
	}
	return false
}

func isName(name string, names []string) bool { return len(names) == 1 && names[0] == name }

// validConts reports whether some element that begins with elem has a chain that begins with conts.
func validConts(conts []string, elem string) bool {
	const widest = 4 // bytes of one rune, escaped
	names := chain(elem, tagCont)
	return slices.Equal(conts, names) && len(conts[len(conts)-1])-len(tagCont) > chunkSize-widest
}
