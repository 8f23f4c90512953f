package owner

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Locks of the open file, not of the process: closing another descriptor of the same file does not end them, and two
// owners in one process exclude each other.
const (
	setLock = unix.F_OFD_SETLK
	getLock = unix.F_OFD_GETLK
)

var errRemoved = errors.New("the file was removed")

// freshSize asks the file system itself, past the attributes that a client of a network file system keeps.
func freshSize(f *os.File) (int64, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC, unix.STATX_SIZE|unix.STATX_NLINK, &st)
	switch {
	case err != nil:
		return 0, &os.PathError{Op: "statx", Path: f.Name(), Err: err}
	case st.Nlink == 0:
		return 0, &os.PathError{Op: "statx", Path: f.Name(), Err: errRemoved}
	}
	return int64(st.Size), nil
}

// freshTime gives the time of a directory's last change; asking for it makes a network file system's client forget what
// it has listed of a directory that changed.
func freshTime(path string) (time.Time, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_FORCE_SYNC, unix.STATX_MTIME, &st); err != nil {
		return time.Time{}, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)), nil
}
