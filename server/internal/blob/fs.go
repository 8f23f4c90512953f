package blob

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// FS is the file system a Store stands on. Paths are those of package filepath. Errors match fs.ErrNotExist and
// syscall.ENOSPC as those of package os do.
type FS interface {
	// Mkdir makes a directory, unless it is there. One that another process makes at the same time counts as made.
	Mkdir(dir string) (made bool, err error)
	// Create makes a file that is not there yet.
	Create(path string) (File, error)
	// Open opens a file to read.
	Open(path string) (File, error)
	Remove(path string) error
	// ReadDir gives the names in a directory.
	ReadDir(dir string) ([]string, error)
	Stat(path string) (Stat, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(dir string) error
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Allocate reserves room for n bytes, if the file system can.
	Allocate(n int64) error
	// Sync makes data and length durable.
	Sync() error
	// OSFile gives the file of the operating system, or nil.
	OSFile() *os.File
}

var errNotDirectory = errors.New("not a directory")

// OS is the operating system's file system.
type OS struct{}

var _ FS = OS{}

// Mkdir implements FS.
func (OS) Mkdir(dir string) (made bool, err error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return false, &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDirectory}
	}
	if err == nil {
		return false, nil
	}
	// A client of NFS may not see for a while what another one has made.
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	return true, nil
}

// Create implements FS.
func (OS) Create(path string) (File, error) {
	return wrapOS(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open implements FS.
func (OS) Open(path string) (File, error) { return wrapOS(os.Open(path)) }

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// ReadDir implements FS.
func (OS) ReadDir(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Stat implements FS.
func (OS) Stat(path string) (Stat, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Stat{}, err
	}
	if !info.Mode().IsRegular() {
		return Stat{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrInvalid}
	}
	return Stat{Bytes: info.Size(), Modified: info.ModTime()}, nil
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// osFile is an open file. Only one goroutine writes to it.
type osFile struct {
	*os.File
	direct *os.File // of the same file, to write around the page cache; nil before the first such write
	tried  bool     // to open direct
}

func wrapOS(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) OSFile() *os.File { return f.File }

// Close implements File.
func (f *osFile) Close() error {
	if f.direct != nil {
		return errors.Join(f.direct.Close(), f.File.Close())
	}
	return f.File.Close()
}
