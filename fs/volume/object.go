package volume

import (
	"maps"
	"strings"
	"time"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/s3client"
)

// object is what is known of a name that exists.
type object struct {
	// info is the object's, or the one of a directory's marker. A directory without a marker has no Key; what kind it
	// is shows only when the object is full.
	info s3client.ObjectInfo
	attr attr.Attr // type and attributes, if full
	full bool      // attr is known
	sys  bool      // info.System is all there is, so that a copy that replaces metadata can keep it; listings tell a part
	dir  bool
	file bool      // a regular file, though attr is not known
	view bool      // the bytes of a directory's marker, shown as a file
	at   time.Time // when attr was read
}

// dirSize is what a directory shows as its size, as on most disks.
const dirSize = 4096

// maxLink is the longest target of a symlink (PATH_MAX without its end).
const maxLink = 4095

// newObject returns what an answer of the service tells. Without metadata it is partial: a name and a size.
func (v *Volume) newObject(info s3client.ObjectInfo) object {
	o := object{info: info, at: v.opt.Now()}
	if info.Meta == nil {
		o.dir = strings.HasSuffix(info.Key, "/")
		o.file = info.Size > maxLink || v.opt.NoSpecials && info.Size > 0 // an empty object may be a directory in an old form
		return o
	}
	o.full = true
	o.attr = attr.Decode(info, v.opt.Defaults)
	if _, _, shared := links.ParseInode(info.Key); !shared {
		o.attr.Links = 0 // a copy
	}
	switch o.dir = attr.IsDir(o.attr.Mode); {
	case !o.dir || strings.HasSuffix(info.Key, "/"):
	case info.Size > 0: // only an empty object stands for a directory
		o.dir = false
		o.attr.Mode = attr.Regular | o.attr.Mode&attr.PermMask
	}
	if v.opt.NoSpecials && !o.dir {
		o.attr.Mode, o.attr.Rdev, o.attr.LinkTarget = attr.Regular|o.attr.Mode&attr.PermMask, 0, ""
	}
	return o
}

// implicitDir returns a directory that is there because something is in it.
func (v *Volume) implicitDir() object {
	o := object{full: true, sys: true, dir: true, at: v.opt.Now()}
	o.attr = attr.Attr{
		Mode: attr.Dir | v.opt.Defaults.DirMode&attr.PermMask,
		UID:  v.opt.Defaults.UID, GID: v.opt.Defaults.GID,
		Mtime: v.started, Atime: v.started, Ctime: v.started,
	}
	return o
}

// asView returns the file that shows the bytes of a marker.
func (v *Volume) asView(o object) object {
	o.dir, o.view = false, true
	o.attr.Mode = attr.Regular | v.opt.Defaults.FileMode&attr.PermMask
	return o
}

// mode returns the file type, and 0 where it is not known yet. Nothing but a regular file has more bytes than the
// target of a symlink can have, and where there are no special files, nothing but one has any.
func (o object) mode() uint32 {
	switch {
	case o.dir:
		return attr.Dir
	case o.full:
		return o.attr.Mode & attr.TypeMask
	case o.file:
		return attr.Regular
	}
	return 0
}

// withHeaders completes what a listing told with the headers that are known of the same bytes.
func (o object) withHeaders(known object) object {
	if !o.sys && known.sys && o.info.Key == known.info.Key && o.info.ETag == known.info.ETag {
		o.info.System, o.sys = known.info.System, true
	}
	return o
}

// withTime gives o the exact time that a listing told of the same version, where the answer that o was made of came later
// and has whole seconds. If the metadata was changed in between, the next listing shows another time.
func (o object) withTime(known object) object {
	exact := known.info.LastModified
	if o.info.Key == known.info.Key && o.info.ETag == known.info.ETag && o.info.LastModified.Equal(exact.Truncate(time.Second)) {
		o.info.LastModified = exact
	}
	return o
}

// unchanged reports whether a listing shows what o was made of, so that o need not be asked for again. Changing metadata
// alone, which is a copy of an object onto itself, leaves the ETag and changes the time, if not by two clients at once; so the
// metadata counts where it is listed. A time in whole seconds hides a change where o was read within that second, give or
// take the difference between clocks, and one that is not known tells nothing; there the TTL counts, but not where what is
// believed for a moment would be relied on for as long as there is a lease.
func (v *Volume) unchanged(path string, o object, info s3client.ObjectInfo) bool {
	const unsure = 2 * time.Second
	t := o.info.LastModified
	exact := !t.IsZero() && (t.Nanosecond() != 0 || o.at.Sub(t) >= unsure)
	switch {
	case !o.full || !o.sameVersion(info):
		return false
	case info.Meta != nil:
		return maps.Equal(o.info.Meta, info.Meta)
	case exact:
		return true
	}
	return v.recent(o) && !v.outlives(path)
}

// sameVersion reports whether a listing shows the version that o was made of. A service that does not tell the time of its
// own PUT leaves it zero; its ETag then counts.
func (o object) sameVersion(info s3client.ObjectInfo) bool {
	return o.info.ETag == info.ETag && o.info.Size == info.Size && o.info.Key == info.Key &&
		(o.info.LastModified.IsZero() || o.info.LastModified.Equal(info.LastModified))
}

// complete reports whether attr may be used. A directory's listing in its parent tells nothing about its attributes, so
// they age by themselves.
func (v *Volume) complete(o object) bool {
	return o.full && (!o.dir || v.opt.Now().Sub(o.at) < v.opt.TTL)
}

// stat returns what stat(2) shows of o as n.
func (v *Volume) stat(n *Inode, o object) Stat {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.statLocked(o, o.info.Size)
}

func (n *Inode) statLocked(o object, size int64) Stat {
	st := Stat{Attr: o.attr, Ino: n.Ino(), Nlink: 1, Size: uint64(max(size, 0))}
	if o.dir {
		st.Size, st.Nlink = dirSize, 2+uint32(n.mu.subdirs.n)
	}
	if o.attr.Links > 0 {
		st.Nlink = o.attr.Links
	}
	n.timesLocked(&st.Attr)
	if n.mu.twice {
		st.Nlink++
	}
	if n.mu.removed {
		st.Nlink = 0
	}
	st.Blocks = (st.Size + 511) / 512
	st.Xattrs = maps.Clone(o.attr.Xattrs)
	n.v.override(n, &st)
	return st
}

// override applies the mount's own owner and permissions.
func (v *Volume) override(n *Inode, st *Stat) {
	w := v.opt.Override
	if w.UID != nil {
		st.UID = *w.UID
	}
	if w.GID != nil {
		st.GID = *w.GID
	}
	mask := w.Umask
	if n.Ino() == v.Root().Ino() && w.RootUmask != nil {
		mask = w.RootUmask
	}
	if mask != nil && !attr.IsSymlink(st.Mode) {
		st.Mode = st.Mode&attr.TypeMask | 0o777&^*mask
	}
}
