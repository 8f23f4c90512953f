package attr

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"pail/s3client"
)

// linkTargetName is geesefs's default --symlink-attr.
const linkTargetName = "--symlink-target"

// LinksName is the number of names of a file with several.
const LinksName = "pail-nlink"

// modeValue is a mode found in metadata; ok is false where there was none.
type modeValue struct {
	mode uint32
	ok   bool
}

// reader looks fields up by their names in order of preference, and skips values that do not parse.
type reader struct{ meta s3client.Meta }

// mode returns the mode, and whether the name "mode" was written in octal, as rclone does.
func (r reader) mode() (m modeValue, octal bool) {
	if v, ok := r.meta["mode"]; ok {
		if mode, octal, ok := ParseMode(v); ok {
			return modeValue{mode, true}, octal
		}
	}
	if mode, ok := parseUint(r.meta["permissions"], 0, 0o177777); ok {
		return modeValue{cleanType(uint32(mode)), true}, false
	}
	for _, name := range []string{"file-permissions", "goog-reserved-posix-mode"} {
		if mode, ok := parseUint(r.meta[name], 8, 0o177777); ok {
			return modeValue{cleanType(uint32(mode)), true}, false
		}
	}
	return modeValue{}, false
}

// ParseMode reads the value of x-amz-meta-mode: s3fs's decimal ("33188"), rclone's octal ("100644"), or a number with
// C's prefix for octal ("0100644") or hexadecimal. octal reports rclone's form. A number without a type that exists
// and above the permission bits is not a mode.
func ParseMode(s string) (mode uint32, octal, ok bool) {
	s = strings.TrimSpace(s)
	if n, ok := parseUint(s, 0, 0o177777); ok {
		mode := uint32(n)
		prefixed := len(s) > 1 && s[0] == '0'
		if typeExists(mode) && (prefixed || !octalDir(s, mode)) || mode <= PermMask {
			return mode, false, true
		}
	}
	if n, ok := parseUint(s, 8, 0o177777); ok && typeExists(uint32(n)) && s[0] != '0' {
		return uint32(n), true, true
	}
	return 0, false, false
}

// octalDir reports whether decimal, the reading of s as s3fs's number, is a symlink that no s3fs writes (they are all
// 0120777, "41471") while s read as octal is a directory: rclone's "41777" and "42755".
func octalDir(s string, decimal uint32) bool {
	if !IsSymlink(decimal) || decimal&PermMask == 0o777 {
		return false
	}
	n, ok := parseUint(s, 8, 0o177777)
	return ok && IsDir(uint32(n))
}

// typeExists reports whether mode has type bits that Linux knows.
func typeExists(mode uint32) bool {
	switch mode & TypeMask {
	case FIFO, Char, Dir, Block, Regular, Symlink, Socket:
		return true
	}
	return false
}

// cleanType drops type bits that mean nothing.
func cleanType(mode uint32) uint32 {
	if typeExists(mode) {
		return mode
	}
	return mode & PermMask
}

// id reads an owner or group. The largest number is chown(2)'s "leave it" and no owner.
func (r reader) id(def uint32, names ...string) uint32 {
	for _, name := range names {
		if n, ok := parseUint(r.meta[name], 0, 1<<32-2); ok {
			return uint32(n)
		}
	}
	return def
}

// rdev reads a device number: rclone, told by its octal mode, writes hexadecimal; pail and geesefs decimal.
func (r reader) rdev(octalMode bool) uint64 {
	base := 0
	if octalMode {
		base = 16
	}
	n, _ := parseUint(r.meta["rdev"], base, 1<<64-1)
	return n
}

func (r reader) time(def time.Time, names ...string) time.Time {
	for _, name := range names {
		parse := parseTime
		if strings.HasPrefix(name, "file-") {
			parse = parseAWSTime
		}
		if t, ok := parse(r.meta[name]); ok {
			return t
		}
	}
	return def
}

// linkTarget reads a symlink's target that geesefs keeps, path-escaped, in metadata.
func (r reader) linkTarget() (string, bool) {
	v := r.meta[linkTargetName]
	if v == "" {
		return "", false
	}
	if t, err := url.PathUnescape(v); err == nil && !strings.ContainsRune(t, 0) {
		return t, true
	}
	return "", false
}

// parseTime reads seconds with an optional fraction of any number of digits. The fraction counts up from the seconds
// also when these are negative, as in a timespec.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	whole, fraction, _ := strings.Cut(s, ".")
	sec, ok := parseInt(whole)
	if !ok {
		return time.Time{}, false
	}
	if len(fraction) > 9 {
		fraction = fraction[:9]
	}
	nsec := int64(0)
	for i := range 9 {
		digit := byte('0')
		if i < len(fraction) {
			digit = fraction[i]
		}
		if digit < '0' || digit > '9' {
			return time.Time{}, false
		}
		nsec = nsec*10 + int64(digit-'0')
	}
	return time.Unix(sec, nsec).UTC(), true
}

// parseAWSTime reads a time of FSx for Lustre, DataSync and Storage Gateway: nanoseconds with the suffix "ns", else
// milliseconds, with or without "ms"
// (https://docs.aws.amazon.com/fsx/latest/LustreGuide/posix-metadata-support.html).
func parseAWSTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if digits, ok := strings.CutSuffix(s, "ns"); ok {
		n, ok := parseInt(digits)
		return time.Unix(0, n).UTC(), ok
	}
	n, ok := parseInt(strings.TrimSuffix(s, "ms"))
	return time.UnixMilli(n).UTC(), ok
}

// parseInt reads a decimal number. Most attributes that may be there are not, of which strconv would make an error each.
func parseInt(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// parseUint reads a whole number of at most limit. Base 0 means C's strtol: 0x is hexadecimal, a leading 0 octal.
// Go's own base 0 would also take underscores, 0b and 0o.
func parseUint(s string, base int, limit uint64) (uint64, bool) {
	s = strings.TrimSpace(s)
	if s == "" { // as in parseInt
		return 0, false
	}
	if base == 0 {
		base = 10
		switch {
		case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
			s, base = s[2:], 16
		case len(s) > 1 && s[0] == '0':
			s, base = s[1:], 8
		}
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil && n <= limit
}
