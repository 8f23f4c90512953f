package attr

import (
	"strings"
	"time"

	"pail/s3client"
)

// File type bits of Attr.Mode, as Linux has them in st_mode (inode(7)).
const (
	TypeMask = 0o170000
	FIFO     = 0o010000
	Char     = 0o020000
	Dir      = 0o040000
	Block    = 0o060000
	Regular  = 0o100000
	Symlink  = 0o120000
	Socket   = 0o140000

	// PermMask covers the permission bits with setuid, setgid and sticky.
	PermMask = 0o7777
)

// Content-Types that mean something to the filesystem.
const (
	TypeDirectory     = "application/x-directory"
	TypeUnixDirectory = "httpd/unix-directory" // Nextcloud
	TypeOctetStream   = "application/octet-stream"
)

// FolderSuffix ends the key of an old directory marker, as Hadoop and s3fs's compat_dir write it.
const FolderSuffix = "_$folder$"

// IsDir reports whether mode is that of a directory.
func IsDir(mode uint32) bool { return mode&TypeMask == Dir }

// IsRegular reports whether mode is that of a regular file.
func IsRegular(mode uint32) bool { return mode&TypeMask == Regular }

// IsSymlink reports whether mode is that of a symbolic link.
func IsSymlink(mode uint32) bool { return mode&TypeMask == Symlink }

// IsDevice reports whether mode is that of a character or block device, the only kinds with an Rdev.
func IsDevice(mode uint32) bool { return mode&TypeMask == Char || mode&TypeMask == Block }

// Attr holds the POSIX attributes that live in metadata. Size is not among them.
type Attr struct {
	Mode                uint32 // whole st_mode, with type bits
	UID, GID            uint32
	Rdev                uint64 // device nodes only, as in st_rdev
	Links               uint32 // names of the file, where it is kept as one with several (package links); else 0
	Mtime, Atime, Ctime time.Time
	Xattrs              map[string][]byte // full names ("user.a"); nil: the object has none and never had
	LinkTarget          string            // target of a symlink kept in metadata (geesefs); pail keeps it in the body
}

// Defaults apply to objects without metadata.
type Defaults struct {
	UID, GID uint32
	FileMode uint32 // permission bits
	DirMode  uint32 // permission bits
}

// Decode reads the attributes of an object from its metadata. A key that ends in "/" (or in "_$folder$", with no
// bytes) is a directory whatever its metadata says; a key that does not is one if its mode says so, or else its
// Content-Type does. info.Meta may be nil: then everything is a default. Decode never fails.
func Decode(info s3client.ObjectInfo, d Defaults) Attr {
	m := reader{meta: info.Meta}
	modified := info.LastModified
	if modified.IsZero() {
		modified = time.Unix(0, 0)
	}
	modified = modified.UTC().Truncate(time.Second) // a listing may tell it more exactly than the headers of the same object
	mode, octal := m.mode()
	a := Attr{
		UID:    m.id(d.UID, "uid", "owner", "file-owner", "goog-reserved-posix-uid"),
		GID:    m.id(d.GID, "gid", "group", "file-group", "goog-reserved-posix-gid"),
		Mtime:  m.time(modified, "mtime", "file-mtime", "goog-reserved-file-mtime"),
		Ctime:  m.time(modified, "ctime"),
		Xattrs: decodeXattrs(info.Meta["xattr"]),
	}
	if n, ok := parseUint(info.Meta[LinksName], 10, 1<<31-1); ok {
		a.Links = uint32(n)
	}
	a.Atime = m.time(a.Mtime, "atime", "file-atime")
	target, isLink := m.linkTarget()
	a.Mode = fullMode(info, mode, d, isLink)
	if IsDevice(a.Mode) {
		a.Rdev = m.rdev(octal)
	}
	if IsSymlink(a.Mode) {
		a.LinkTarget = target
	}
	return a
}

// fullMode completes what metadata says about the mode: known is a whole mode, permission bits alone, or absent.
func fullMode(info s3client.ObjectInfo, known modeValue, d Defaults, isLink bool) uint32 {
	dirKey := strings.HasSuffix(info.Key, "/") || strings.HasSuffix(info.Key, FolderSuffix) && info.Size == 0
	typ := known.mode & TypeMask
	switch {
	case dirKey:
		typ = Dir
	case typ != 0:
	case isLink:
		typ = Symlink
	case IsDirContentType(info.System.ContentType):
		typ = Dir
	default:
		typ = Regular
	}
	perm := known.mode & PermMask
	switch {
	case typ == Symlink:
		perm = 0o777
	case !known.ok && typ == Dir:
		perm = d.DirMode & PermMask
	case !known.ok:
		perm = d.FileMode & PermMask
	case known.mode&TypeMask == 0 && perm&0o777 == 0: // as s3fs: an object that nobody could open
		perm |= 0o400
		if typ == Dir {
			perm |= 0o100
		}
	}
	return typ | perm
}

// IsDirContentType reports whether a Content-Type, possibly with parameters, marks a directory.
func IsDirContentType(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	return t == TypeDirectory || t == TypeUnixDirectory
}
