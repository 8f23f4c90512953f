package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is the directory of a journal. Names have no directories in them. Errors match fs.ErrNotExist and ErrFull. It is
// safe for concurrent use.
type FS interface {
	// Create makes a file that is not there yet.
	Create(name string) (File, error)
	// Adopt gives a file of the operating system another name, or its first, which is not there yet, and opens it by that. It
	// fails where the file lies on another disk.
	Adopt(f *os.File, name string) (File, error)
	// Open opens a file to read.
	Open(name string) (File, error)
	Remove(name string) error
	Rename(from, to string) error
	// List gives the names of all files.
	List() ([]string, error)
	// SyncDir makes the names durable.
	SyncDir() error
	// Free is how many bytes may still be written.
	Free() (int64, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes data and length durable.
	Sync() error
}

// Dir is a directory of the operating system, locked.
type Dir struct {
	path string
	lock *os.File
}

var _ FS = (*Dir)(nil)

const lockName = "lock"

// OpenDir makes a directory for its user alone, if it is not there, and locks it until Close: ErrLocked if another
// process has it.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return nil, &os.PathError{Op: "lock", Path: lock.Name(), Err: err}
	}
	return &Dir{path: path, lock: lock}, nil
}

// private refuses a directory that others could put entries into, or read what was written from.
func private(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return fmt.Errorf("%s must be a directory that only its user may enter (mode 0700)", path)
	}
	return nil
}

// Path returns where the directory is.
func (d *Dir) Path() string { return d.path }

// Close unlocks the directory.
func (d *Dir) Close() error { return d.lock.Close() }

func (d *Dir) join(name string) string { return filepath.Join(d.path, name) }

// Create implements FS.
func (d *Dir) Create(name string) (File, error) {
	return wrap(os.OpenFile(d.join(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Adopt implements FS. f may be closed meanwhile.
func (d *Dir) Adopt(f *os.File, name string) (File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var linkErr error
	err = conn.Control(func(fd uintptr) { // which no other file gets until then
		from := fmt.Sprintf("/proc/self/fd/%d", fd) // the way that takes no privilege, open(2)
		linkErr = unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, d.join(name), unix.AT_SYMLINK_FOLLOW)
	})
	if err = errors.Join(err, linkErr); err != nil {
		return nil, &os.LinkError{Op: "link", Old: f.Name(), New: d.join(name), Err: err}
	}
	own, err := d.Open(name)
	if err != nil {
		return nil, errors.Join(err, d.Remove(name))
	}
	return own, nil
}

// Open implements FS.
func (d *Dir) Open(name string) (File, error) {
	return wrap(os.OpenFile(d.join(name), os.O_RDONLY|unix.O_NOFOLLOW, 0))
}

// Remove implements FS.
func (d *Dir) Remove(name string) error { return os.Remove(d.join(name)) }

// Rename implements FS.
func (d *Dir) Rename(from, to string) error { return os.Rename(d.join(from), d.join(to)) }

// List implements FS.
func (d *Dir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// SyncDir implements FS.
func (d *Dir) SyncDir() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Free implements FS.
func (d *Dir) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.path, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: d.path, Err: err}
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

func wrap(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, full(err)
	}
	return osFile{f}, nil
}

// WriteAt implements File.
func (f osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, full(err)
}

// Sync implements File. The length of the file is data here.
func (f osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return full(err)
		}
	}
}

// Size implements File.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// full makes errors that mean a full disk or quota match ErrFull.
func full(err error) error {
	for _, reason := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, reason) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}
