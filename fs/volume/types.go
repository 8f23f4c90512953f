package volume

import (
	"time"

	"pail/fs/attr"
	"pail/s3client"
)

// Stat is what stat(2) shows.
type Stat struct {
	attr.Attr
	Ino    uint64
	Size   uint64
	Blocks uint64 // of 512 bytes
	Nlink  uint32
}

// Caller is who asked: the owner of what is made, and the permissions that it is not to have, unless the default ACL of the
// directory says which it has.
type Caller struct{ UID, GID, Umask uint32 }

// OpenFlags are the flags of open(2) that matter here. Cached is the version of which the caller may have bytes, so that
// none need to come with the answer; "" is none.
type OpenFlags struct {
	Read, Write, Append, Truncate, Excl bool
	Cached                              s3client.ETag

	Admit func(*Handle) error // is asked before anything is changed: an error refuses the open
}

// RenameFlags are the flags of renameat2(2).
type RenameFlags struct{ NoReplace, Exchange bool }

// SetAttr names what changes; nil fields stay. Mode holds permission bits, type bits are ignored.
type SetAttr struct {
	Mode, UID, GID *uint32
	Size           *uint64
	Atime, Mtime   *time.Time
	Loss           *Loss // what the change costs
}

// DirEntry is a name in a directory. The type bits of Mode are all there is, and 0 where the listing did not tell.
// Off is the position after the entry, for DirHandle.Seek.
type DirEntry struct {
	Name string
	Ino  uint64
	Mode uint32
	Off  uint64
}

// Statfs is what statfs(2) shows: bytes, and numbers of files.
type Statfs struct {
	Size, Free, Available uint64
	Files, FilesFree      uint64
	BlockSize, NameLen    uint32
}

// Flags of Setxattr, as in setxattr(2). XattrDropSetgid says that whoever sets an ACL is not in the file's group, so that
// the file loses its setgid bit.
const (
	XattrCreate     = 1
	XattrReplace    = 2
	XattrDropSetgid = 1 << 16
)
