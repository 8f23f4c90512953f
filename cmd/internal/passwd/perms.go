package passwd

import (
	"fmt"
	"io/fs"
	"os"
)

// PermError is a file that others may read, or that is no file. Its text has the command that helps.
type PermError struct {
	File string
	What string
}

// Error gives file and remedy.
func (e *PermError) Error() string { return "passwd file " + e.File + ": " + e.What }

// CheckPerms looks whether the file at path is a regular one that only its owner may use: *PermError, or the error of
// stat, or nil. The group may read /etc/passwd-s3fs and /etc/passwd-pail.
func CheckPerms(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return checkMode(path, info.Mode())
}

func checkMode(path string, mode fs.FileMode) error {
	groupMayRead := path == "/etc/passwd-s3fs" || path == "/etc/passwd-pail"
	right := "600"
	if groupMayRead {
		right = "640"
	}
	what := ""
	switch perm := mode.Perm(); {
	case mode.IsDir():
		return &PermError{File: path, What: "is a directory"}
	case !mode.IsRegular():
		return &PermError{File: path, What: "is not a regular file"}
	case perm&0o007 != 0:
		what = "other users have permissions on it"
	case perm&0o070 != 0 && !groupMayRead:
		what = "its group has permissions on it"
	case perm&0o020 != 0:
		what = "its group may write it"
	case perm&0o110 != 0:
		what = "it is executable"
	}
	if what == "" {
		return nil
	}
	return &PermError{File: path, What: fmt.Sprintf("%s (mode %04o): chmod %s %s", what, mode.Perm(), right, path)}
}
