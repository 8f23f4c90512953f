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
