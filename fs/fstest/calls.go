package fstest

import (
	"encoding/binary"
	"fmt"
	"slices"
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

func chownCall(flags int) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		n, err := numbers(args[1:]...)
		if err != nil {
			return "", err
		}
		return "", unix.Fchownat(unix.AT_FDCWD, args[0], int(n[0]), int(n[1]), flags)
	}
}

func utimensCall(flags int) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		ts, err := times(args[1:])
		if err != nil {
			return "", err
		}
		return "", unix.UtimesNanoAt(unix.AT_FDCWD, args[0], ts, flags)
	}
}

func futimensCall(a *Actor, args []string) (string, error) {
	ts, err := times(args[1:])
	if err != nil {
		return "", err
	}
	_, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(a.fd(args[0])), 0, uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
	if e != 0 {
		return "", e
	}
	return "", nil
}

// times reads two of "now", "omit" or seconds.nanoseconds.
func times(args []string) ([]unix.Timespec, error) {
	ts := make([]unix.Timespec, 2)
	for i, arg := range args {
		switch arg {
		case "now":
			ts[i].Nsec = unix.UTIME_NOW
		case "omit":
			ts[i].Nsec = unix.UTIME_OMIT
		default:
			sec, nsec, _ := strings.Cut(arg, ".")
			n, err := numbers(sec, strings.TrimLeft(nsec, "0")+map[bool]string{true: "0"}[strings.Trim(nsec, "0") == ""])
			if err != nil {
				return nil, err
			}
			ts[i] = unix.Timespec{Sec: n[0], Nsec: n[1]}
		}
	}
	return ts, nil
}

func readlinkCall(_ *Actor, args []string) (string, error) {
	buf := make([]byte, 5000)
	n, err := unix.Readlink(args[0], buf)
	if err != nil {
		return "", err
	}
	return shorten(buf[:n]), nil
}

func statCall(f func(string, *unix.Stat_t) error) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		var st unix.Stat_t
		if err := f(args[0], &st); err != nil {
			return "", err
		}
		return describe(&st), nil
	}
}

func fstatCall(a *Actor, args []string) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(a.fd(args[0]), &st); err != nil {
		return "", err
	}
	return describe(&st), nil
}

func accessCall(_ *Actor, args []string) (string, error) {
	n, err := number(args[1])
	if err != nil {
		return "", err
	}
	return "", unix.Faccessat(unix.AT_FDCWD, args[0], uint32(n), unix.AT_EACCESS)
}

func listCall(_ *Actor, args []string) (string, error) {
	entries, err := readDir(args[0])
	if err != nil {
		return "", err
	}
	return strings.Join(entries, " "), nil
}

// dotsCall says whether the numbers of "." and ".." in a directory are those that stat(2) tells.
func dotsCall(_ *Actor, args []string) (string, error) {
	numbers, err := inodes(args[0])
	if err != nil {
		return "", err
	}
	var said []string
	for _, name := range []string{".", ".."} {
		var st unix.Stat_t
		if err := unix.Stat(args[0]+"/"+name, &st); err != nil {
			return "", err
		}
		said = append(said, fmt.Sprint(name, " ", numbers[name] == st.Ino))
	}
	return strings.Join(said, ", "), nil
}

// lockCall takes a slot, a type of lock of fcntl(2), an offset and a length.
func lockCall(a *Actor, args []string) (string, error) {
	n, err := numbers(args[1:]...)
	if err != nil {
		return "", err
	}
	lock := unix.Flock_t{Type: int16(n[0]), Start: n[1], Len: n[2]}
	return "", unix.FcntlFlock(uintptr(a.fd(args[0])), unix.F_OFD_SETLK, &lock)
}

// statfsCall returns what does not depend on the size of the disk.
func statfsCall(_ *Actor, args []string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(args[0], &st); err != nil {
		return "", err
	}
	sane := st.Blocks > 0 && st.Bfree <= st.Blocks && st.Bavail <= st.Bfree && st.Files > 0 && st.Ffree <= st.Files
	return fmt.Sprintf("names of %d, blocks of %d, sane %v", st.Namelen, st.Bsize, sane), nil
}

func umaskCall(_ *Actor, args []string) (string, error) {
	n, err := number(args[0])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%#o", unix.Umask(int(n))), nil
}

func setxattrCall(f func(_, _ string, _ []byte, _ int) error) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		n, err := number(append(args, "0")[3])
		if err != nil {
			return "", err
		}
		return "", f(args[0], args[1], []byte(args[2]), int(n))
	}
}

// setfaclCall takes a path, "access" or "default", and an ACL in the short text form, in the order that the kernel wants.
func setfaclCall(_ *Actor, args []string) (string, error) {
	tags := map[string]uint16{"u": 0x01, "u+": 0x02, "g": 0x04, "g+": 0x08, "m": 0x10, "o": 0x20} // linux/posix_acl.h
	acl := binary.LittleEndian.AppendUint32(nil, 2)
	for _, entry := range strings.Split(args[2], ",") {
		words := strings.Split(entry, ":")
		if len(words) != 3 {
			return "", fmt.Errorf("no entry of an ACL: %q", entry)
		}
		tag, id := words[0], int64(0xffffffff)
		if words[1] != "" {
			n, err := number(words[1])
			if err != nil {
				return "", err
			}
			tag, id = tag+"+", n
		}
		var perm uint16
		for i, c := range "xwr" {
			if strings.ContainsRune(words[2], c) {
				perm |= 1 << i
			}
		}
		acl = binary.LittleEndian.AppendUint16(acl, tags[tag])
		acl = binary.LittleEndian.AppendUint16(acl, perm)
		acl = binary.LittleEndian.AppendUint32(acl, uint32(id))
	}
	return "", unix.Setxattr(args[0], "system.posix_acl_"+args[1], acl, 0)
}

// getxattrCall takes a path, a name and optionally the size of the buffer.
func getxattrCall(f func(_, _ string, _ []byte) (int, error)) func(*Actor, []string) (string, error) {
	return func(_ *Actor, args []string) (string, error) {
		size, err := number(append(args, "4096")[2])
		if err != nil {
			return "", err
		}
		buf := make([]byte, size)
		n, err := f(args[0], args[1], buf)
		if err != nil {
			return "", err
		}
		return fmt.Sprint(n, " ", shorten(buf[:min(n, len(buf))])), nil
	}
}

func listxattrCall(_ *Actor, args []string) (string, error) {
	size, err := number(append(args, "4096")[1])
	if err != nil {
		return "", err
	}
	buf := make([]byte, size)
	n, err := unix.Listxattr(args[0], buf)
	if err != nil || size == 0 {
		return strconv.Itoa(n), err
	}
	list := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(list)
	return strings.Join(list, " "), nil
}

func setgroups(groups []uint32) error {
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); e != 0 {
		return e
	}
	return nil
}
