// Package passwd reads credentials from files in the format of s3fs's passwd files, for the mount and for the server.
//
// A line is one of
//
//	ACCESS_KEY:SECRET_KEY          default credentials
//	BUCKET:ACCESS_KEY:SECRET_KEY   for one bucket; split at the first and the last colon
//	AWSAccessKeyId=ACCESS_KEY      these two together, for every bucket; they win over the other lines
//	AWSSecretKey=SECRET_KEY
//
// Spaces around a line, empty lines and lines that begin with "#" do not count, nor do other NAME=value lines. Any other line is an
// error, as are spaces inside a line, "[" at its beginning (an AWS credentials file), and two lines for one bucket.
//
// A file that others can read is refused: no permission for others and none for the group (mode 600), but for
// /etc/passwd-s3fs and /etc/passwd-pail, which a group may read (mode 640). Errors name the file, the line and the
// remedy, and never what the line holds.
//
// A File looks at its file each time it is asked, and reads it again when modification time, size or inode differ. A
// new version that is bad is reported once and the version before it stays in use, so that an editor saving in two
// steps breaks nothing.
package passwd
