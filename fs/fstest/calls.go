package fstest

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operation is a call that scripts may make.
type operation struct {
	min, max int // arguments
	do       func(a *Actor, args []string) (string, error)
}

// operations are all of them; numbers are decimal, octal with a leading 0, or names joined by "|".
var operations = map[string]operation{
	"open":      {3, 4, openCall},
	"close":     {1, 1, closeCall},
	"read":      {2, 3, readCall},
	"write":     {2, 3, writeCall},
	"seek":      {3, 3, seekCall},
	"mmap":      {3, 3, mmapCall},
	"copy":      {5, 5, copyCall},
	"fsync":     {1, 1, onFD(unix.Fsync)},
	"ftruncate": {2, 2, fdNumber(func(fd int, n int64) error { return unix.Ftruncate(fd, n) })},
	"fchmod":    {2, 2, fdNumber(func(fd int, n int64) error { return unix.Fchmod(fd, uint32(n)) })},
	"fchown":    {3, 3, fchownCall},
	"fallocate": {4, 4, fallocateCall},
	"fstat":     {1, 1, fstatCall},
	"futimens":  {3, 3, futimensCall},

	"truncate": {2, 2, pathNumber(func(p string, n int64) error { return unix.Truncate(p, n) })},
	"mkdir":    {2, 2, pathNumber(func(p string, n int64) error { return unix.Mkdir(p, uint32(n)) })},
	"chmod":    {2, 2, pathNumber(func(p string, n int64) error { return unix.Chmod(p, uint32(n)) })},
	"rmdir":    {1, 1, onPath(unix.Rmdir)},
	"unlink":   {1, 1, onPath(unix.Unlink)},
	"chdir":    {1, 1, onPath(unix.Chdir)},
	"symlink":  {2, 2, onTwo(unix.Symlink)},
	"link":     {2, 2, onTwo(unix.Link)},
	"linkfd":   {2, 2, linkfdCall},
	"linkproc": {2, 2, linkprocCall},
	"rename":   {2, 3, renameCall},
	"mknod":    {3, 3, mknodCall},
	"chown":    {3, 3, chownCall(0)},
	"lchown":   {3, 3, chownCall(unix.AT_SYMLINK_NOFOLLOW)},
	"utimens":  {3, 3, utimensCall(0)},
	"lutimens": {3, 3, utimensCall(unix.AT_SYMLINK_NOFOLLOW)},
	"readlink": {1, 1, readlinkCall},
	"stat":     {1, 1, statCall(unix.Stat)},
	"lstat":    {1, 1, statCall(unix.Lstat)},
	"access":   {2, 2, accessCall},
	"list":     {1, 1, listCall},
	"dots":     {1, 1, dotsCall},
	"flock":    {2, 2, fdNumber(func(fd int, n int64) error { return unix.Flock(fd, int(n)) })},
	"lock":     {4, 4, lockCall},
	"statfs":   {1, 1, statfsCall},
	"umask":    {1, 1, umaskCall},

	"setfacl":      {3, 3, setfaclCall},
	"setxattr":     {3, 4, setxattrCall(unix.Setxattr)},
	"lsetxattr":    {3, 4, setxattrCall(unix.Lsetxattr)},
	"getxattr":     {2, 3, getxattrCall(unix.Getxattr)},
	"lgetxattr":    {2, 3, getxattrCall(unix.Lgetxattr)},
	"removexattr":  {2, 2, onTwo(unix.Removexattr)},
	"lremovexattr": {2, 2, onTwo(unix.Lremovexattr)},
	"listxattr":    {1, 2, listxattrCall},
}

// names are the constants that arguments may be made of.
var names = map[string]int64{
	"O_RDONLY": unix.O_RDONLY, "O_WRONLY": unix.O_WRONLY, "O_RDWR": unix.O_RDWR, "O_CREAT": unix.O_CREAT,
	"O_EXCL": unix.O_EXCL, "O_TRUNC": unix.O_TRUNC, "O_APPEND": unix.O_APPEND, "O_DIRECTORY": unix.O_DIRECTORY,
	"O_NOFOLLOW": unix.O_NOFOLLOW, "O_DIRECT": unix.O_DIRECT, "O_SYNC": unix.O_SYNC, "O_DSYNC": unix.O_DSYNC,
	"O_PATH": unix.O_PATH, "O_NONBLOCK": unix.O_NONBLOCK, "O_NOATIME": unix.O_NOATIME, "O_TMPFILE": unix.O_TMPFILE,
	"S_IFREG": unix.S_IFREG, "S_IFIFO": unix.S_IFIFO, "S_IFSOCK": unix.S_IFSOCK, "S_IFCHR": unix.S_IFCHR,
	"S_IFBLK": unix.S_IFBLK, "S_IFDIR": unix.S_IFDIR, "S_IFLNK": unix.S_IFLNK,
	"NOREPLACE": unix.RENAME_NOREPLACE, "EXCHANGE": unix.RENAME_EXCHANGE, "WHITEOUT": unix.RENAME_WHITEOUT,
	"KEEP_SIZE": unix.FALLOC_FL_KEEP_SIZE, "PUNCH_HOLE": unix.FALLOC_FL_PUNCH_HOLE,
	"ZERO_RANGE": unix.FALLOC_FL_ZERO_RANGE, "COLLAPSE_RANGE": unix.FALLOC_FL_COLLAPSE_RANGE,
	"INSERT_RANGE": unix.FALLOC_FL_INSERT_RANGE, "SEEK_SET": unix.SEEK_SET, "SEEK_END": unix.SEEK_END,
	"SEEK_DATA": unix.SEEK_DATA, "SEEK_HOLE": unix.SEEK_HOLE,
	"LOCK_EX": unix.LOCK_EX, "LOCK_SH": unix.LOCK_SH, "LOCK_UN": unix.LOCK_UN, "LOCK_NB": unix.LOCK_NB,
	"F_WRLCK": unix.F_WRLCK, "F_RDLCK": unix.F_RDLCK, "F_UNLCK": unix.F_UNLCK,
	"create": unix.XATTR_CREATE, "replace": unix.XATTR_REPLACE,
}

func number(s string) (int64, error) {
	var all int64
	for _, word := range strings.Split(s, "|") {
		n, ok := names[word]
		if !ok {
			var err error
			if n, err = strconv.ParseInt(word, 0, 64); err != nil {
				return 0, err
			}
		}
		all |= n
	}
	return all, nil
}

func numbers(args ...string) ([]int64, error) {
	list := make([]int64, len(args))
	for i, arg := range args {
		n, err := number(arg)
		if err != nil {
			return nil, err
		}
		list[i] = n
	}
	return list, nil
}

// fd returns the descriptor of a slot; an empty slot is a closed descriptor.
func (a *Actor) fd(slot string) int {
	if fd, ok := a.fds[slot]; ok {
		return fd
	}
	return -1
}

func onPath(f func(string) error) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) { return "", f(args[0]) }
}

func onTwo(f func(_, _ string) error) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) { return "", f(args[0], args[1]) }
}

func onFD(f func(int) error) func(*Actor, []string) (string, error) {
	return func(a *Actor, args []string) (string, error) { return "", f(a.fd(args[0])) }
}

func pathNumber(f func(string, int64) error) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		n, err := number(args[1])
		if err != nil {
			return "", err
		}
		return "", f(args[0], n)
	}
}

func fdNumber(f func(int, int64) error) func(*Actor, []string) (string, error) {
	return func(a *Actor, args []string) (string, error) {
		n, err := number(args[1])
		if err != nil {
			return "", err
		}
		return "", f(a.fd(args[0]), n)
	}
}

func openCall(a *Actor, args []string) (string, error) {
	n, err := numbers(append(args[2:], "0")[:2]...)
	if err != nil {
		return "", err
	}
	fd, err := unix.Open(args[1], int(n[0])|unix.O_CLOEXEC, uint32(n[1]))
	if err != nil {
		return "", err
	}
	if old, ok := a.fds[args[0]]; ok {
		_ = unix.Close(old) // as dup2(2) does
	}
	a.fds[args[0]] = fd
	return "", nil
}

// linkfdCall gives the file of a descriptor a name.
func linkfdCall(a *Actor, args []string) (string, error) {
	return "", unix.Linkat(a.fd(args[0]), "", unix.AT_FDCWD, args[1], unix.AT_EMPTY_PATH)
}

// linkprocCall is linkfdCall for whoever may not do that: open(2), O_TMPFILE.
func linkprocCall(a *Actor, args []string) (string, error) {
	return "", unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", a.fd(args[0])), unix.AT_FDCWD, args[1], unix.AT_SYMLINK_FOLLOW)
}

func closeCall(a *Actor, args []string) (string, error) {
	err := unix.Close(a.fd(args[0]))
	delete(a.fds, args[0])
	return "", err
}

// aligned returns a buffer that O_DIRECT takes.
func aligned(n int) []byte {
	const page = 4096
	buf := make([]byte, n+page)
	skip := page - int(uintptr(unsafe.Pointer(&buf[0]))%page)
	return buf[skip : skip+n]
}

// readCall takes a slot, a length and optionally an offset.
func readCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	buf := aligned(int(n[0]))
	var got int
	if len(n) == 2 {
		got, err = unix.Pread(a.fd(args[0]), buf, n[1])
	} else {
		got, err = unix.Read(a.fd(args[0]), buf)
	}
	if err != nil {
		return "", err
	}
	return shorten(buf[:got]), nil
}

// writeCall takes a slot, data and optionally an offset.
func writeCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[2:]...)
	if err != nil {
		return "", err
	}
	buf := aligned(len(args[1]))
	copy(buf, args[1])
	var put int
	if len(n) == 1 {
		put, err = unix.Pwrite(a.fd(args[0]), buf, n[0])
	} else {
		put, err = unix.Write(a.fd(args[0]), buf)
	}
	return strconv.Itoa(put), err
}

func seekCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	off, err := unix.Seek(a.fd(args[0]), n[0], int(n[1]))
	return strconv.FormatInt(off, 10), err
}

// mmapCall writes data at an offset through a shared mapping.
func mmapCall(a *Actor, args []string) (string, error) {
	n, err := number(args[1])
	if err != nil {
		return "", err
	}
	data := args[2]
	m, err := unix.Mmap(a.fd(args[0]), 0, int(n)+len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return "", err
	}
	copy(m[n:], data)
	err = unix.Msync(m, unix.MS_SYNC)
	if unmap := unix.Munmap(m); err == nil {
		err = unmap
	}
	return "", err
}

// copyCall takes a slot and an offset to copy from, a slot and an offset to copy to, and a length.
func copyCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1], args[3], args[4])
	if err != nil {
		return "", err
	}
	done, err := unix.CopyFileRange(a.fd(args[0]), &n[0], a.fd(args[2]), &n[1], int(n[2]), 0)
	return strconv.Itoa(done), err
}

func fchownCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	return "", unix.Fchown(a.fd(args[0]), int(n[0]), int(n[1]))
}

// fallocateCall takes a slot, a mode, an offset and a length.
func fallocateCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	return "", unix.Fallocate(a.fd(args[0]), uint32(n[0]), n[1], n[2])
}

func renameCall(_ *Actor, args []string) (string, error) {
	n, err := number(append(args, "0")[2])
	if err != nil {
		return "", err
	}
	return "", unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], uint(n))
}

// mknodCall takes a path, a mode with a type, and a device number.
func mknodCall(_ *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	return "", unix.Mknod(args[0], uint32(n[0]), int(n[1]))
}
