package attr

import (
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"

	"pail/fs/links"
	"pail/s3client"
)

// Encode returns the metadata that holds a, in s3fs's format. Names in keep that pail does not know survive, but not what
// says of what keep's version is a copy (links.Origin); keep itself is not changed. Permission bits of a symlink are
// written as 0777, as Linux and s3fs have them.
func Encode(a Attr, keep s3client.Meta) s3client.Meta {
	m := make(s3client.Meta, len(keep)+8)
	maps.Copy(m, keep)
	delete(m, links.OriginName)
	mode := a.Mode
	if IsSymlink(mode) {
		mode |= 0o777
		mode &^= 0o7000
	}
	m["mode"] = strconv.FormatUint(uint64(mode), 10)
	m["uid"] = strconv.FormatUint(uint64(a.UID), 10)
	m["gid"] = strconv.FormatUint(uint64(a.GID), 10)
	m["mtime"] = formatTime(a.Mtime)
	m["atime"] = formatTime(a.Atime)
	m["ctime"] = formatTime(a.Ctime)
	setOrDelete(m, "rdev", strconv.FormatUint(a.Rdev, 10), IsDevice(mode))
	setOrDelete(m, linkTargetName, url.PathEscape(a.LinkTarget), IsSymlink(mode) && a.LinkTarget != "")
	setOrDelete(m, LinksName, strconv.FormatUint(uint64(a.Links), 10), a.Links > 0)
	setOrDelete(m, "xattr", encodeXattrs(a.Xattrs), a.Xattrs != nil)
	refresh(m, a, mode)
	return m
}

// refresh rewrites the POSIX names of AWS and Google that an object already has.
func refresh(m s3client.Meta, a Attr, mode uint32) {
	octal := fmt.Sprintf("%07o", mode)
	for name, value := range map[string]string{
		"file-permissions":         octal,
		"file-owner":               m["uid"],
		"file-group":               m["gid"],
		"file-mtime":               formatAWSTime(a.Mtime),
		"file-atime":               formatAWSTime(a.Atime),
		"goog-reserved-posix-mode": fmt.Sprintf("%o", mode&PermMask),
		"goog-reserved-posix-uid":  m["uid"],
		"goog-reserved-posix-gid":  m["gid"],
		"goog-reserved-file-mtime": strconv.FormatInt(a.Mtime.Unix(), 10),
	} {
		if _, ok := m[name]; ok {
			m[name] = value
		}
	}
}

func setOrDelete(m s3client.Meta, name, value string, set bool) {
	if set {
		m[name] = value
	} else {
		delete(m, name)
	}
}

// formatTime writes whole seconds alone and a fraction with nine digits, the only form that s3fs reads right.
func formatTime(t time.Time) string {
	if t.Nanosecond() == 0 {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// formatAWSTime writes nanoseconds where they fit (the years 1678 to 2262), else milliseconds.
func formatAWSTime(t time.Time) string {
	if y := t.Year(); y < 1678 || y > 2261 {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strconv.FormatInt(t.UnixNano(), 10) + "ns"
}
