package attr

import (
	"bytes"
	"maps"
)

// Merge returns theirs with all that differs between base and mine: what was changed to mine from base counts, and what
// was not stays as others have it. The kind of file is theirs.
func Merge(base, mine, theirs Attr) Attr {
	a := theirs
	a.Xattrs = mergeXattrs(base.Xattrs, mine.Xattrs, theirs.Xattrs)
	if mine.UID != base.UID {
		a.UID = mine.UID
	}
	if mine.GID != base.GID {
		a.GID = mine.GID
	}
	if !mine.Mtime.Equal(base.Mtime) {
		a.Mtime = mine.Mtime
	}
	if !mine.Atime.Equal(base.Atime) {
		a.Atime = mine.Atime
	}
	if mine.Ctime.After(theirs.Ctime) {
		a.Ctime = mine.Ctime
	}
	if mine.Mode&PermMask != base.Mode&PermMask {
		a.Mode = theirs.Mode&TypeMask | mine.Mode&PermMask
	}
	if acl, ok := ParseACL(a.Xattrs[ACLAccess]); ok {
		a.Xattrs[ACLAccess] = acl.WithPerm(a.Mode & 0o777)
	}
	return a
}

func mergeXattrs(base, mine, theirs map[string][]byte) map[string][]byte {
	merged := maps.Clone(theirs)
	for name := range base {
		if _, kept := mine[name]; !kept {
			delete(merged, name)
		}
	}
	for name, value := range mine {
		if old, had := base[name]; had && bytes.Equal(old, value) {
			continue
		}
		if merged == nil {
			merged = map[string][]byte{}
		}
		merged[name] = value
	}
	return merged
}
