//go:build !linux

package owner

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Locks of the process.
const (
	setLock = unix.F_SETLK
	getLock = unix.F_GETLK
)

func freshSize(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func freshTime(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
