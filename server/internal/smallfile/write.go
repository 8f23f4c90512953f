package smallfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write writes a file so that it is there whole or not at all, also after a power cut.
func Write(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, asOurs(mode), os.Rename)
}

// Replace is Write for a file that is there, which stays its owner's and keeps its mode. It fails where the caller cannot give
// it to its owner. The path must not end in a symbolic link, which it would take the place of.
func Replace(path string, data []byte) error {
	old, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return write(path, data, func(f *os.File) error { return makeLike(f, old) }, os.Rename)
}

// WriteNew is Write, but fails with fs.ErrExist where there is such a file, be it that another process has just made it.
// On a file system without hard links the file is empty at first, and stays so after a power cut at that moment.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, asOurs(mode), newName(os.Link))
}

// WriteNewOfDir is WriteNew for a file that the owner of its directory must be able to read: where root makes it, it is given
// to them.
func WriteNewOfDir(path string, data []byte, mode fs.FileMode) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	prepare := func(f *os.File) error {
		if os.Geteuid() == 0 {
			if err := giveToOwner(f, dir); err != nil {
				return err
			}
		}
		return f.Chmod(mode)
	}
	return write(path, data, prepare, newName(os.Link))
}

// newName gives a file a name that no other has. Where link fails, it takes the name first.
func newName(link func(from, to string) error) func(from, to string) error {
	return func(from, to string) error {
		err := link(from, to)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		err = f.Close()
		if err == nil {
			err = os.Rename(from, to)
		}
		if err != nil {
			return errors.Join(err, os.Remove(to))
		}
		return nil
	}
}

func asOurs(mode fs.FileMode) func(*os.File) error {
	return func(f *os.File) error { return f.Chmod(mode) }
}

// makeLike gives f the owner and the mode of old.
func makeLike(f *os.File, old fs.FileInfo) error {
	if err := giveToOwner(f, old); err != nil {
		return err
	}
	return f.Chmod(old.Mode().Perm())
}

// giveToOwner gives f to the user and group whose like is.
func giveToOwner(f *os.File, like fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want, ok1 := like.Sys().(*syscall.Stat_t)
	is, ok2 := info.Sys().(*syscall.Stat_t)
	if ok1 && ok2 && (want.Uid != is.Uid || want.Gid != is.Gid) {
		if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return fmt.Errorf("a file must be that of user %d and group %d, as %s is: %w", want.Uid, want.Gid, like.Name(), err)
		}
	}
	return nil
}

func write(path string, data []byte, prepare func(*os.File) error, name func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		err = prepare(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = name(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the entries of a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
