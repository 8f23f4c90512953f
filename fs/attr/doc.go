// Package attr turns an object's user metadata into POSIX attributes and back, in the format of s3fs.
//
// s3fs keeps mode, owner, times and extended attributes in x-amz-meta-* headers: mode is the DECIMAL text of the
// whole st_mode, times are seconds with an optional fraction of nine digits, xattr is URL-encoded JSON with base64
// values. Encode writes exactly that, so that every s3fs reads it; Decode reads more:
//
//	mode   mode, permissions (s3sync), file-permissions (AWS, octal), goog-reserved-posix-mode (octal)
//	uid    uid, owner (s3sync), file-owner (AWS), goog-reserved-posix-uid; gid alike
//	mtime  mtime, file-mtime (AWS, milliseconds or "...ns"), goog-reserved-file-mtime; else Last-Modified
//	atime  atime, file-atime; else mtime.  ctime: ctime; else Last-Modified
//
// Two programs write the name "mode" with different meaning: s3fs in decimal, rclone in octal without a leading zero.
// ParseMode tells them apart by which reading gives a file type that exists. s3fs reads the digits after the point of
// a time as a plain number of nanoseconds, rclone writes a decimal fraction with its trailing zeros cut; the two agree
// on nine digits, so that is what Encode writes, and Decode scales by the number of digits. s3fs keeps no device
// number; for device nodes Encode adds "rdev" in decimal, which s3fs carries along as any header that it does not
// know. rclone's "rdev" is hexadecimal, told by its octal mode.
//
// Metadata is input from strangers: a value that cannot be read (garbage, overflow, sign) counts as absent, one field
// at a time, and nothing here fails or panics. Names that are not known survive Encode untouched; the POSIX names of
// AWS and Google are brought up to date where an object has them, so that their tools do not read stale values.
//
// Objects without metadata get the mount's defaults (pail: 0644 and 0755 and the owner of the mount, where s3fs
// has 0640 and 0750) and Last-Modified for all three times.
package attr
