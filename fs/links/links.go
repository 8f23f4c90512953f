package links

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pail/s3client"
)

// Hidden is the name in the root of a mount that listings do not show and that cannot be looked up.
const Hidden = ".pail"

const (
	inodes = Hidden + "/inodes/"
	lists  = Hidden + "/links/"
)

// Unlinked is where copies of files are that were removed while they are open, from the root of a mount.
const Unlinked = Hidden + "/unlinked/"

// Max is how many names a file may have. The list has to be read and written at once for each change.
const Max = 1000

// Metadata of a name.
const (
	metaInode = "pail-inode" // the key of the file, URL-encoded
	metaName  = "pail-name"  // which of its names
	metaMoved = "pail-moved" // of a file: it is a plain object again, and this is nothing
)

// NewID returns an ID for the file with this inode number, which it says.
func NewID(ino uint64) string { return fmt.Sprintf("%016x-%s", ino, strings.ToLower(rand.Text()[:16])) }

// NewName returns what tells a name from the others, whatever it is renamed to.
func NewName() string { return strings.ToLower(rand.Text()[:16]) }

// Inode returns the path, from the root of a mount, of the file with this ID.
func Inode(id string) string { return inodes + id }

// ParseInode reads a path, or a key, that ends as Inode makes them: what comes before, and the ID. ok is false for others.
func ParseInode(path string) (prefix, id string, ok bool) {
	i := strings.LastIndexByte(path, '/') + 1
	prefix, ok = strings.CutSuffix(path[:i], inodes)
	if !ok || prefix != "" && !strings.HasSuffix(prefix, "/") || !validID(path[i:]) {
		return "", "", false
	}
	return prefix, path[i:], true
}

func validID(id string) bool {
	number, rest, ok := strings.Cut(id, "-")
	_, err := strconv.ParseUint(number, 16, 64)
	return ok && err == nil && len(number) == 16 && rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// ParseList reads the path of a list of names, from the root of a mount.
func ParseList(path string) (id string, ok bool) {
	id, ok = strings.CutPrefix(path, lists)
	return id, ok && validID(id)
}

// Number returns the inode number that an ID says.
func Number(id string) uint64 {
	n, _ := strconv.ParseUint(id[:min(16, len(id))], 16, 64)
	return n
}

// Pointer is what the object of a name says.
type Pointer struct {
	Key  string // of the file
	Name string // which of its names
}

// Meta returns keep with the metadata of p; keep itself is not changed.
func (p Pointer) Meta(keep s3client.Meta) s3client.Meta {
	m := s3client.Meta{metaInode: url.PathEscape(p.Key), metaName: p.Name}
	for name, value := range keep {
		m[name] = value
	}
	return m
}

// Body returns the bytes of p's object, for people.
func (p Pointer) Body() []byte {
	return fmt.Appendf(nil, "This is one of several names of a file (a hard link of pail). Its content is in the object\n%s\n", p.Key)
}

// ID returns the ID of the file.
func (p Pointer) ID() string {
	_, id, _ := ParseInode(p.Key)
	return id
}

// List returns the key of the list of names.
func (p Pointer) List() string {
	prefix, id, _ := ParseInode(p.Key)
	return prefix + lists + id
}

// ParsePointer reads metadata. ok is false where it is not that of a name.
func ParsePointer(meta s3client.Meta) (p Pointer, ok bool) {
	value, ok := meta[metaInode]
	if !ok {
		return Pointer{}, false
	}
	key, err := url.PathUnescape(value)
	if err != nil || meta[metaName] == "" {
		return Pointer{}, false
	}
	if _, _, ok := ParseInode(key); !ok {
		return Pointer{}, false
	}
	return Pointer{Key: key, Name: meta[metaName]}, true
}

// MovedMeta returns the metadata of the empty object that takes a file's place when the file is a plain object again.
func MovedMeta() s3client.Meta { return s3client.Meta{metaMoved: "1"} }

// Moved reports whether an object says that the file with this key is a plain object again: then the file is not there.
func Moved(info s3client.ObjectInfo) bool {
	_, _, ok := ParseInode(info.Key)
	return ok && info.Size == 0 && info.Meta[metaMoved] != ""
}

// Names is the list of a file's names.
type Names struct {
	// Keys has a key for each name: where it was made or last renamed to by itself. A directory above it may have been
	// renamed since.
	Keys map[string]string `json:"names"`
	// Copies has further keys that a name may be at: where it was copied from and to by renames that are copies.
	Copies map[string][]string `json:"copies,omitempty"`
	// Closed says that the last name is becoming a plain object again; no other may be added.
	Closed bool `json:"closed,omitempty"`
	// Origins says that this has been so: a name may be a copy of the file (Origin), not a pointer.
	Origins bool `json:"origins,omitempty"`
}

// Places returns all keys that a name may be known to be at.
func (n Names) Places(name string) []string {
	places := n.Copies[name]
	if at, ok := n.Keys[name]; ok {
		places = append([]string{at}, places...)
	}
	return places
}

// Arrived says that a name was moved by itself, for certain.
func (n Names) Arrived(name, from, to string) {
	n.Keys[name] = to
	rest := slices.DeleteFunc(n.Copies[name], func(key string) bool { return key == from || key == to })
	if delete(n.Copies, name); len(rest) > 0 {
		n.Copies[name] = rest
	}
}

// Encode returns the body of the list.
func (n Names) Encode() []byte {
	body, _ := json.Marshal(n) // strings and a bool
	return body
}

// MaxList is the largest list in bytes: JSON takes up to six for one of a key's. A name is rarely at more than four.
const MaxList = 4 * Max * (6*s3client.MaxKeyLength + 64)

var errList = errors.New("not a list of a file's names")

// ParseNames reads the body of a list.
func ParseNames(body []byte) (Names, error) {
	var n Names
	if err := json.Unmarshal(body, &n); err != nil {
		return Names{}, fmt.Errorf("%w: %w", errList, err)
	}
	if n.Keys == nil {
		return Names{}, errList
	}
	return n, nil
}
