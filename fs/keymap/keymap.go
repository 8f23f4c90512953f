package keymap

import (
	"errors"
	"fmt"
	"strings"

	"pail/s3client"
)

// MaxName is the longest name in bytes (NAME_MAX).
const MaxName = 255

// FolderSuffix ends the key of a directory marker in an old form (Hadoop, s3fs's compat_dir).
const FolderSuffix = "_$folder$"

// Why a path has no key; match with errors.Is.
var (
	ErrTooLong  = errors.New("key is longer than 1024 bytes")
	ErrName     = errors.New("not a file name")                      // "", ".", "..", NUL, over 255 bytes
	ErrReserved = errors.New("name has a suffix that pail reserves") // looks like an alias and is none
)

// PathError is a path without a key. Err is one of the errors above.
type PathError struct {
	Path string
	Err  error
}

// Error quotes the path.
func (e *PathError) Error() string { return fmt.Sprintf("%q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *PathError) Unwrap() error { return e.Err }

// Map is the mapping of one mount. The zero Map is that of a whole bucket. It is safe for concurrent use.
type Map struct{ prefix string }

// New returns the mapping below prefix: "" or keys' common beginning with its slash at the end ("a/b/"). A missing
// last slash is added.
func New(prefix string) Map {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return Map{prefix: prefix}
}

// Root returns what every key of the mount begins with; it is "" or ends in "/".
func (m Map) Root() string { return m.prefix }

// RootMarker returns the key that holds the root's own attributes. Of a whole bucket it is "/", as in s3fs.
func (m Map) RootMarker() string {
	if m.prefix == "" {
		return "/"
	}
	return m.prefix
}

// File returns the key of the file at path. Aliases are resolved.
func (m Map) File(path string) string {
	p := parse(path)
	if !p.legalFile() || p.key(m.prefix) == "" {
		return m.prefix + path
	}
	return p.key(m.prefix)
}

// Dir returns the key of the marker of the directory at path. Of the root it is Root(), which may be "".
// Of a synthetic directory it is a key where nothing lives.
func (m Map) Dir(path string) string {
	if path == "" {
		return m.prefix
	}
	p := parse(path)
	if !p.legalDir() || p.open {
		return m.prefix + path + "/"
	}
	return p.key(m.prefix) + "/"
}

// FolderMarker returns the key of the old form "dir_$folder$" of a directory's marker, or "" where it has none.
func (m Map) FolderMarker(path string) string {
	p := parse(path)
	if !p.legalDir() || p.open || p.last == "" {
		return ""
	}
	return p.key(m.prefix) + FolderSuffix
}

// Prefix returns what the keys in the directory at path begin with: what to list. It is Dir(path) except for a
// synthetic directory.
func (m Map) Prefix(path string) string {
	if p := parse(path); p.open && p.legalDir() {
		return p.key(m.prefix)
	}
	return m.Dir(path)
}

// Synthetic reports whether the directory at path is part of a chain that stands for one long key element. Such a
// directory exists while Lister finds something in it, has no marker, and cannot be made, removed or renamed.
func (m Map) Synthetic(path string) bool {
	p := parse(path)
	return p.open && p.legalDir()
}

// ClashAlias reports whether path names an object by the alias that it has only while a directory takes its plain
// name, and returns the path of that directory.
func (m Map) ClashAlias(path string) (dir string, ok bool) {
	p := parse(path)
	if !p.clash || !p.legalFile() {
		return "", false
	}
	dir, _, _ = m.Path(p.key(m.prefix) + "/")
	return dir, true
}

// MarkerContent reports whether path is the alias of the bytes in a directory marker, and returns the path of that
// directory. The file lives and dies with the directory's marker.
func (m Map) MarkerContent(path string) (dir string, ok bool) {
	p := parse(path)
	if !p.legalFile() {
		return "", false
	}
	dir, marker, ok := m.Path(p.key(m.prefix))
	if !marker || !ok {
		return "", false
	}
	return dir, true
}

// Path returns the path of the object with this key; marker says that it marks a directory, and path is that
// directory. ok is false for keys that are not below the prefix.
func (m Map) Path(key string) (path string, marker, ok bool) {
	rest, ok := strings.CutPrefix(key, m.prefix)
	if !ok || key == "" {
		return "", false, false
	}
	if rest == "" {
		return "", true, true
	}
	dir, last := splitKey(rest)
	switch elem, folder := strings.CutSuffix(last, FolderSuffix); {
	case last == "": // "a/b/": the marker of b in a
		dir, last = splitKey(strings.TrimSuffix(rest, "/"))
		marker = true
	case folder && elem != "":
		last, marker = elem, true
	}
	names := make([]string, 0, strings.Count(dir, "/")+1)
	for dir != "" {
		elem, tail, _ := strings.Cut(dir, "/")
		names = append(names, elementNames(elem)...)
		dir = tail
	}
	return strings.Join(append(names, elementNames(last)...), "/"), marker, true
}

// splitKey cuts a key after its last slash.
func splitKey(key string) (dir, last string) {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i], key[i:]
}

// CheckFile says why no file can be made at path: *PathError, or nil. It refuses the alias of a marker's content, and
// passes the alias of a clash, for which see ClashAlias.
func (m Map) CheckFile(path string) error {
	p := parse(path)
	key := p.key(m.prefix)
	_, marker, _ := m.Path(key)
	return check(path, p, p.legalFile() && key != "" && !marker, len(key))
}

// CheckDir says why no directory can be made at path: *PathError, or nil. Synthetic directories cannot be made.
func (m Map) CheckDir(path string) error {
	p := parse(path)
	return check(path, p, p.legalDir() && !p.open, len(p.key(m.prefix))+len("/"))
}

func check(path string, p parsed, legal bool, length int) error {
	switch {
	case p.bad:
		return &PathError{Path: path, Err: ErrName}
	case !legal:
		return &PathError{Path: path, Err: ErrReserved}
	case length > s3client.MaxKeyLength:
		return &PathError{Path: path, Err: ErrTooLong}
	}
	return nil
}
