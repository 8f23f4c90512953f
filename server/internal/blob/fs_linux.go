package blob

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Allocate implements File. File systems without fallocate are written without it.
func (f *osFile) Allocate(n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, n)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
			return nil
		}
		return err
	}
}

// Sync implements File: fdatasync brings the length too, but not the times.
func (f *osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Room implements roomFS.
func (OS) Room(path string) (free, total int64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Statfs(path, &st); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, err
}

const (
	directAlign = 4 << 10   // of offsets, lengths and memory: no file system asks for more
	directWrite = 256 << 10 // bytes of a write from which it is worth going around the page cache
)

// WriteAt implements File. Large writes go around the page cache: to fill it with what is seldom read back at once
// costs more processor time than all else that is done with the bytes. Those that are not aligned, and file systems that
// cannot, are written as usual. Neither kind of write touches a page of the other.
func (f *osFile) WriteAt(p []byte, off int64) (n int, err error) {
	if whole := len(p) &^ (directAlign - 1); whole >= directWrite && off%directAlign == 0 && aligned(p) && f.openDirect() {
		n, err = f.direct.WriteAt(p[:whole], off)
		if errors.Is(err, unix.EINVAL) {
			f.direct, n, err = nil, 0, f.direct.Close()
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
	m, err := f.File.WriteAt(p[n:], off+int64(n))
	return n + m, err
}

func aligned(p []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(p)))%directAlign == 0 }

// openDirect reports whether direct can be used.
func (f *osFile) openDirect() bool {
	if !f.tried {
		f.tried = true
		if d, err := os.OpenFile(f.Name(), os.O_WRONLY|unix.O_DIRECT, 0); err == nil {
			f.direct = d
		}
	}
	return f.direct != nil
}
