package fs

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
	"pail/s3client"
)

// toErrno is the one translation of errors into errno values. nil is 0; what it does not know is EIO.
func toErrno(err error) syscall.Errno {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return 0
	case is(context.Canceled):
		return syscall.EINTR
	case is(volume.ErrNotExist):
		return syscall.ENOENT
	case is(volume.ErrExist):
		return syscall.EEXIST
	case is(volume.ErrNotEmpty):
		return syscall.ENOTEMPTY
	case is(volume.ErrNotDir):
		return syscall.ENOTDIR
	case is(volume.ErrIsDir):
		return syscall.EISDIR
	case is(volume.ErrNoAttr):
		return syscall.ENODATA
	case is(volume.ErrNameTooLong):
		return syscall.ENAMETOOLONG
	case is(volume.ErrReadOnly):
		return syscall.EROFS
	case is(volume.ErrInvalid):
		return syscall.EINVAL
	case is(volume.ErrNotSupported, s3client.ErrUnsupported):
		return syscall.ENOTSUP
	case is(volume.ErrNoSpace, s3client.ErrNoSpace):
		return syscall.ENOSPC
	case is(volume.ErrTooBig, s3client.ErrTooLarge):
		return syscall.EFBIG
	case is(volume.ErrTooManyLinks):
		return syscall.EMLINK
	case is(volume.ErrCrossDevice):
		return syscall.EXDEV
	case is(volume.ErrPermission):
		return syscall.EPERM
	case is(s3client.ErrAccess):
		return syscall.EACCES
	case is(volume.ErrBadHandle):
		return syscall.EBADF
	case is(volume.ErrStale, s3client.ErrPrecondition):
		return syscall.ESTALE
	case is(context.DeadlineExceeded):
		return syscall.ETIMEDOUT
	case is(s3client.ErrNotFound):
		return syscall.ENOENT
	default:
		return syscall.EIO
	}
}

// telling says which failures a log reader wants to know about: those that no caller asked for.
func telling(errno syscall.Errno) bool {
	switch errno {
	case syscall.EIO, syscall.EACCES, syscall.ESTALE, syscall.ETIMEDOUT, syscall.ENOSPC, syscall.EFBIG:
		return true
	}
	return false
}

// errno translates the failure of op on v and logs it where it tells something.
func (f *filesystem) errno(op string, v *volume.Inode, err error) syscall.Errno {
	errno := toErrno(err)
	if !telling(errno) {
		return errno
	}
	args := []any{"op", op, "inode", v.Ino(), "errno", errno.Error(), "error", err}
	if s3err := (*s3client.Error)(nil); errors.As(err, &s3err) && s3err.RequestID != "" {
		args = append(args, "request_id", s3err.RequestID)
	}
	level := slog.LevelWarn
	if errno == syscall.EIO {
		level = slog.LevelError
	}
	f.log.Log(context.Background(), level, "request failed", args...)
	return errno
}

// refuse is errno for what wants room. A program that goes on writing to a full disk is logged once, until it gets room again.
func (n *node) refuse(op string, err error) syscall.Errno {
	errno := toErrno(err)
	full := errno == syscall.ENOSPC || errno == syscall.EFBIG
	if full && n.refused.Swap(uint32(errno)) == uint32(errno) {
		return errno
	}
	return n.fs.errno(op, n.v, err)
}

// admitted says that there was room.
func (n *node) admitted() {
	if n.refused.Load() != 0 {
		n.refused.Store(0)
	}
}

// panicHandler answers a request whose handler panicked.
func panicHandler(log *slog.Logger) func(any) fuse.Status {
	return func(reason any) fuse.Status {
		log.Error("panic in a request; it fails with EIO", "panic", reason, "stack", string(debug.Stack()))
		return fuse.EIO
	}
}
