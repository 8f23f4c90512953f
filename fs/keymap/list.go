package keymap

import (
	"slices"
	"strings"

	"pail/s3client"
)

// Name is one entry of a directory.
type Name struct {
	Name string
	// Key is the object's key, or of a directory the key of its marker in today's form, which need not exist.
	// A synthetic directory has none.
	Key  string
	Dir  bool
	Info *s3client.ObjectInfo // as listed: of the file, or of a directory's marker where the listing shows it
	// Marker says that Info is a directory's marker in an old form: "a_$folder$", or "a" with the Content-Type of a
	// directory.
	Marker bool
	// Bare says that a directory has no marker in today's form.
	Bare bool
	// Unsure says that a file of no bytes may be a directory's marker of the form "a": only the Content-Type that a
	// Head answers can tell.
	Unsure    bool
	Synthetic bool // see Map.Synthetic
}

// Lister turns the pages of one listing of a directory (prefix Map.Prefix, delimiter "/") into names, each once. An
// object "a" stays back until the listing is past "a/", which may be on a later page; with keys in order, as S3
// lists, no more are held back than the last key has bytes. It is for one goroutine.
type Lister struct {
	base    string   // what the elements' keys begin with
	conts   []string // of a synthetic directory
	empty   bool     // the path can hold nothing
	pending []group
	out     []Name
	cont    string // last synthetic directory put out
	last    string // key, without base
}

// group is what a listing says about one key element.
type group struct {
	elem        string
	file, mark  *s3client.ObjectInfo // mark: a marker object
	dir, legacy bool                 // legacy: mark is in an old form
	bare        bool                 // there is no mark in today's form
}

// List starts the listing of the directory at path.
func (m Map) List(path string) *Lister {
	if path == "" {
		return &Lister{base: m.prefix}
	}
	p := parse(path)
	switch {
	case !p.legalDir():
		return &Lister{empty: true}
	case p.open:
		return &Lister{base: m.prefix + p.dir, conts: p.conts}
	}
	return &Lister{base: p.key(m.prefix) + "/"}
}

// Names returns the entries on the only page of a listing. A listing of several pages needs a Lister.
func (m Map) Names(path string, page s3client.ListPage) []Name {
	page.NextToken = ""
	return m.List(path).Page(page)
}

// Page takes the next page and returns the names that are certain now: after the last page, all that are left.
func (l *Lister) Page(page s3client.ListPage) []Name {
	l.out = nil
	if l.empty {
		return nil
	}
	objects, prefixes, markers := page.Objects, page.Prefixes, page.Markers
	for len(objects) > 0 || len(prefixes) > 0 {
		if len(prefixes) == 0 || len(objects) > 0 && objects[0].Key < prefixes[0] {
			l.object(&objects[0])
			objects = objects[1:]
		} else {
			l.prefix(prefixes[0], markers)
			prefixes, markers = prefixes[1:], markers[min(1, len(markers)):]
		}
	}
	if page.NextToken == "" {
		l.flush(func(string) bool { return true })
	}
	return l.out
}

// Passed reports whether l has put out a name of a directory that was renamed since, and is listed by again from the
// beginning.
func (l *Lister) Passed(n Name, again *Lister) bool {
	rest := strings.TrimPrefix(n.Key, again.base)
	elem := strings.TrimSuffix(rest, "/")
	return rest <= l.last && !slices.ContainsFunc(l.pending, func(g group) bool { return g.elem == elem })
}

// prefix takes a common prefix, and the object that is first in markers if any is there.
func (l *Lister) prefix(key string, markers []s3client.ObjectInfo) {
	rest, ok := strings.CutPrefix(key, l.base)
	l.last = rest
	elem, slash := strings.CutSuffix(rest, "/")
	if !ok || !slash || strings.Contains(elem, "/") {
		return
	}
	g := l.group(elem)
	g.dir = true
	switch {
	case len(markers) == 0:
	case markers[0].Key == key:
		g.mark, g.legacy = &markers[0], false
	default:
		g.bare = true
	}
}

func (l *Lister) object(info *s3client.ObjectInfo) {
	rest, ok := strings.CutPrefix(info.Key, l.base)
	l.last = rest
	elem, slash := strings.CutSuffix(rest, "/")
	if !ok || strings.Contains(elem, "/") {
		return
	}
	stem, folder := strings.CutSuffix(rest, FolderSuffix)
	switch {
	case rest == "":
		l.ownMarker(info)
	case slash:
		g := l.group(elem)
		g.dir, g.mark, g.legacy = true, info, false
	case folder && stem != "":
		l.folderMarker(stem, info)
	case dirType(info):
		if g := l.group(rest); g.mark == nil {
			g.mark, g.legacy = info, true
		}
	default:
		l.group(rest).file = info
	}
}

// ownMarker shows what bytes the marker of the listed directory itself has. A synthetic directory has no marker.
func (l *Lister) ownMarker(info *s3client.ObjectInfo) {
	if info.Size > 0 && !dirType(info) && l.conts == nil {
		l.group("").file = info
	}
}

// folderMarker takes "stem_$folder$": a directory, and where it has bytes, a file too.
func (l *Lister) folderMarker(stem string, info *s3client.ObjectInfo) {
	if g := l.group(stem); g.mark == nil {
		g.mark, g.legacy = info, true
	}
	if info.Size > 0 && !dirType(info) {
		l.group(stem + FolderSuffix).file = info
	}
}

// group returns the group of an element, after putting out the groups that no later key can join. The result is
// valid until the next call.
func (l *Lister) group(elem string) *group {
	l.flush(func(old string) bool { return !strings.HasPrefix(elem, old) })
	for i := range l.pending {
		if l.pending[i].elem == elem {
			return &l.pending[i]
		}
	}
	l.pending = append(l.pending, group{elem: elem})
	return &l.pending[len(l.pending)-1]
}

// flush puts out and forgets the pending groups whose element is done.
func (l *Lister) flush(done func(elem string) bool) {
	kept := l.pending[:0]
	for _, g := range l.pending {
		if done(g.elem) {
			l.emit(g)
		} else {
			kept = append(kept, g)
		}
	}
	clear(l.pending[len(kept):])
	l.pending = kept
}

// emit puts out the one or two names of an element.
func (l *Lister) emit(g group) {
	isDir := g.dir || g.mark != nil
	if isDir {
		l.add(elementNames(g.elem), Name{
			Key: l.base + g.elem + "/", Dir: true, Info: g.mark, Marker: g.mark != nil && g.legacy, Bare: g.bare,
		})
	}
	if g.file == nil {
		return
	}
	names := elementNames(g.elem)
	if isDir {
		names = clashNames(g.elem)
	}
	l.add(names, Name{Key: g.file.Key, Info: g.file, Unsure: g.file.Size == 0 && g.file.System.ContentType == ""})
}

// add puts out the one name of a chain that is in the listed directory, if any.
func (l *Lister) add(names []string, n Name) {
	depth := len(l.conts)
	if len(names) <= depth {
		return
	}
	for i, cont := range l.conts {
		if names[i] != cont {
			return
		}
	}
	n.Name = names[depth]
	if depth+1 < len(names) {
		if n.Name == l.cont {
			return
		}
		l.cont = n.Name
		n = Name{Name: n.Name, Dir: true, Synthetic: true}
	}
	l.out = append(l.out, n)
}

// dirType reports whether a listing that tells Content-Types says that the object is a directory.
func dirType(info *s3client.ObjectInfo) bool {
	switch t, _, _ := strings.Cut(info.System.ContentType, ";"); strings.TrimSpace(t) {
	case "application/x-directory", "httpd/unix-directory":
		return true
	}
	return false
}
