package fstest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// node is what can be seen of a name.
type node struct {
	ino          uint64
	what         string // all but the times, in words
	links        uint64 // of a directory
	mtime, ctime unix.Timespec
	atime        unix.Timespec
}

// isDir reports whether it is a directory, of which what begins with the mode.
func (n node) isDir() bool { return strings.HasPrefix(n.what, "04") }

// state is what can be seen below a directory, by path.
type state map[string]node

// State reads everything below the actor's directory, as root.
func (a *Actor) State() (s state, err error) {
	s = state{}
	a.on(func() {
		var here int
		if here, err = unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer func() { _ = unix.Close(here) }() // only names a directory
		if err = unix.Chdir(a.root); err != nil {
			return
		}
		err = s.read(".")
		if back := unix.Fchdir(here); err == nil {
			err = back
		}
	})
	return s, err
}

func (s state) read(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("lstat %.80q: %w", path, err)
	}
	n := node{ino: st.Ino, what: describe(&st), mtime: st.Mtim, ctime: st.Ctim, atime: st.Atim}
	var err error
	var more string
	var entries []string
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		more, err = content(path)
	case unix.S_IFLNK:
		more, err = readlinkCall(nil, []string{path})
	case unix.S_IFDIR:
		n.links = uint64(st.Nlink)
		entries, err = readDir(path)
		more = strings.Join(entries, " ")
	}
	if err != nil {
		return fmt.Errorf("read %.80q: %w", path, err)
	}
	xattrs, err := xattrs(path)
	if err != nil {
		return fmt.Errorf("xattrs of %.80q: %w", path, err)
	}
	n.what += " " + more + xattrs
	s[path] = n
	for _, e := range entries {
		name, _, _ := strings.Cut(e, "\x00")
		if name == "." || name == ".." || path == "." && name == "lost+found" {
			continue
		}
		if err := s.read(path + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

// describe says what stat(2) tells but times and inode number. Size and link count of a directory are left out: the first
// is the filesystem's own affair, the second is compared apart.
func describe(st *unix.Stat_t) string {
	s := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return s
	case unix.S_IFCHR, unix.S_IFBLK:
		s += fmt.Sprintf(" dev %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	default:
		s += fmt.Sprintf(" size %d", st.Size)
	}
	return s + fmt.Sprintf(" links %d", st.Nlink)
}

func shorten(b []byte) string {
	if len(b) <= 64 {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%d bytes %.16q... %x", len(b), b, sha256.Sum256(b))
}

// content reads a file without changing its time of access.
func content(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }() // was only read
	sum, buf, all := sha256.New(), make([]byte, 1<<16), []byte(nil)
	for total := 0; ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return "", err
		}
		if n == 0 {
			if total > 64 {
				return fmt.Sprintf("%d bytes %x", total, sum.Sum(nil)), nil
			}
			return shorten(all), nil
		}
		total += n
		sum.Write(buf[:n])
		if total <= 64 {
			all = append(all, buf[:n]...)
		}
	}
}

// entry is what getdents(2) tells of a name. Where that is not the type, it is what programs find out then.
type entry struct {
	name string
	ino  uint64
	typ  byte
}

func getdents(path string) (entries []entry, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if err == unix.EPERM { // O_NOATIME is the owner's
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // was only read
	buf := make([]byte, 1<<15)
	for {
		n, err := unix.Getdents(fd, buf)
		if n == 0 || err != nil {
			return entries, err
		}
		for b := buf[:n]; len(b) > 0; {
			const header = 19 // inode, offset, length, type
			length := binary.NativeEndian.Uint16(b[16:])
			name, _, _ := strings.Cut(string(b[header:length]), "\x00")
			e := entry{name, binary.NativeEndian.Uint64(b), b[18]}
			if e.typ == unix.DT_UNKNOWN {
				var st unix.Stat_t
				if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
					return nil, err
				}
				e.typ = byte(st.Mode >> 12)
			}
			entries = append(entries, e)
			b = b[length:]
		}
	}
}

// readDir returns names and types in order: "name\x00type".
func readDir(path string) ([]string, error) {
	entries, err := getdents(path)
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = fmt.Sprintf("%s\x00%d", e.name, e.typ)
	}
	slices.Sort(list)
	return list, err
}

// inodes returns the numbers of names.
func inodes(path string) (map[string]uint64, error) {
	entries, err := getdents(path)
	numbers := map[string]uint64{}
	for _, e := range entries {
		numbers[e.name] = e.ino
	}
	return numbers, err
}

// xattrs returns names and values of extended attributes, but those of the kernel's security modules.
func xattrs(path string) (string, error) {
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return "", err
	}
	var all []string
	for _, name := range strings.Split(string(buf[:n]), "\x00") {
		if name == "" || strings.HasPrefix(name, "security.") && name != "security.capability" {
			continue
		}
		value := make([]byte, 1<<16)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", err
		}
		all = append(all, fmt.Sprintf(" %s=%s", name, shorten(value[:n])))
	}
	slices.Sort(all)
	return strings.Join(all, ""), nil
}
