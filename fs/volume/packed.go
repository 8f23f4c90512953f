package volume

import (
	"encoding/binary"
	"time"
	"unique"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// names is the cache of names. It holds objects packed, as there may be hundreds of thousands of them: in less than half
// of the memory.
type names struct{ *tree.Cache[packed] }

// NameMemory is about what a name takes, with the metadata of an object that was written here, in bytes.
const NameMemory = 600

// Get is tree.Cache.Get.
func (c names) Get(path string) (object, tree.State, tree.Stamp) {
	p, state, s := c.Cache.Get(path)
	if state != tree.Present && state != tree.WasPresent {
		return object{}, state, s
	}
	return p.unpack(), state, s
}

// State is Get without the object.
func (c names) State(path string) (tree.State, tree.Stamp) {
	_, state, s := c.Cache.Get(path)
	return state, s
}

// Put is tree.Cache.Put.
func (c names) Put(path string, o object, s tree.Stamp) bool { return c.Cache.Put(path, pack(o), s) }

// PutPart is tree.Cache.PutPart.
func (c names) PutPart(path string, o object, s tree.Stamp) bool {
	return c.Cache.PutPart(path, pack(o), s)
}

// yieldsToDir reports whether a name is a directory's where there is one, too: what is known of the object tells nothing of it.
func yieldsToDir(p packed) bool { return !p.dir }

// Set is tree.Cache.Set.
func (c names) Set(path string, o object, since tree.Stamp) tree.Stamp {
	return c.Cache.Set(path, pack(o), since)
}

// Sure is tree.Cache.Sure.
func (c names) Sure(path string, since tree.Stamp) (object, tree.State) {
	p, state := c.Cache.Sure(path, since)
	if state != tree.Present {
		return object{}, state
	}
	return p.unpack(), state
}

// AbsentSince reports whether path is surely not there.
func (c names) AbsentSince(path string, since tree.Stamp) bool {
	_, state := c.Cache.Sure(path, since)
	return state == tree.Absent
}

// WasNoDir reports whether the last that was heard of path is that it is not there, or a file, however long ago.
func (c names) WasNoDir(path string) bool {
	p, state, _ := c.Cache.Get(path)
	if (state == tree.Present || state == tree.WasPresent) && !p.dir {
		return true
	}
	return state == tree.Absent || state == tree.WasAbsent || c.AbsentSince(path, tree.Stamp{})
}

// packed is an object in little memory.
type packed struct {
	text   string // key, ETag, and names and values of the metadata, each after its length
	common unique.Handle[common]
	rare   *rare // nil: all zero

	at                             time.Time
	modified, mtime, atime, ctime  instant
	size                           int64
	mode, uid, gid, links          uint32
	meta                           bool // metadata is known
	full, sys, dir, file, asMarker bool
}

// common is what many objects have the same of.
type common struct {
	class  string
	system s3client.System
}

// rare is what few objects have.
type rare struct {
	version, link string
	rdev          uint64
	xattrs        map[string][]byte
}

// instant is a time without a zone.
type instant struct {
	high, low uint32 // of its seconds
	nsec      uint32
}

func instantOf(t time.Time) instant {
	sec := uint64(t.Unix())
	return instant{uint32(sec >> 32), uint32(sec), uint32(t.Nanosecond())}
}

func (i instant) time() time.Time {
	return time.Unix(int64(uint64(i.high)<<32|uint64(i.low)), int64(i.nsec)).UTC()
}

func pack(o object) packed {
	i, a := &o.info, &o.attr
	p := packed{
		common: unique.Make(common{i.StorageClass, i.System}), at: o.at,
		modified: instantOf(i.LastModified), mtime: instantOf(a.Mtime), atime: instantOf(a.Atime), ctime: instantOf(a.Ctime),
		size: i.Size, mode: a.Mode, uid: a.UID, gid: a.GID, links: a.Links,
		meta: i.Meta != nil, full: o.full, sys: o.sys, dir: o.dir, file: o.file, asMarker: o.view,
	}
	if i.VersionID != "" || a.LinkTarget != "" || a.Rdev != 0 || a.Xattrs != nil {
		p.rare = &rare{i.VersionID, a.LinkTarget, a.Rdev, a.Xattrs}
	}
	size := len(i.Key) + len(i.ETag) + 2*binary.MaxVarintLen32
	for name, value := range i.Meta {
		size += len(name) + len(value) + 2*binary.MaxVarintLen32
	}
	text := make([]byte, 0, size)
	add := func(s string) { text = append(binary.AppendUvarint(text, uint64(len(s))), s...) }
	add(i.Key)
	add(string(i.ETag))
	for name, value := range i.Meta {
		add(name)
		add(value)
	}
	p.text = string(text)
	return p
}

func (p *packed) unpack() object {
	text := p.text
	next := func() (s string) {
		n, head := uvarint(text)
		s, text = text[head:head+n], text[head+n:]
		return s
	}
	c := p.common.Value()
	o := object{full: p.full, sys: p.sys, dir: p.dir, file: p.file, view: p.asMarker, at: p.at}
	o.info = s3client.ObjectInfo{
		Key: next(), ETag: s3client.ETag(next()), Size: p.size, LastModified: p.modified.time(),
		StorageClass: c.class, System: c.system,
	}
	o.attr = attr.Attr{
		Mode: p.mode, UID: p.uid, GID: p.gid, Links: p.links,
		Mtime: p.mtime.time(), Atime: p.atime.time(), Ctime: p.ctime.time(),
	}
	if p.meta {
		o.info.Meta = s3client.Meta{}
	}
	for len(text) > 0 {
		name := next()
		o.info.Meta[name] = next()
	}
	if r := p.rare; r != nil {
		o.info.VersionID, o.attr.LinkTarget, o.attr.Rdev, o.attr.Xattrs = r.version, r.link, r.rdev, r.xattrs
	}
	return o
}

// uvarint reads a length, and returns how many bytes it takes.
func uvarint(s string) (n, size int) {
	for shift := 0; ; shift += 7 {
		b := s[size]
		n |= int(b&0x7f) << shift
		if size++; b < 0x80 {
			return n, size
		}
	}
}
