package stage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// disk makes local files; tests put a small one in place of the real one.
type disk interface {
	create() (diskFile, error)
	space() (free, total int64, err error)
}

// diskFile is a file without a name.
type diskFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Punch(off, n int64) error
}

// osDisk makes files in a directory. They have no name, so that a crash leaves nothing behind.
type osDisk struct{ dir string }

func (d osDisk) create() (diskFile, error) {
	f, err := os.OpenFile(d.dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOENT) {
		f, err = d.createNamed()
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// createNamed serves filesystems that do not know O_TMPFILE.
func (d osDisk) createNamed() (*os.File, error) {
	f, err := os.CreateTemp(d.dir, ".pail-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d osDisk) space() (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}

type osFile struct{ *os.File }

func (f osFile) Punch(off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// asNoSpace makes errors that mean a full disk, a full quota or a too small filesystem match ErrNoSpace.
func asNoSpace(err error) error {
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return err
}
