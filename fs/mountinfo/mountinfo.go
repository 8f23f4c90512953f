package mountinfo

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// Entry is one mount of the kernel's mount table.
type Entry struct {
	Device string // "major:minor"
	Dir    string // where it is mounted
	Source string // what is mounted, as the filesystem calls it
	Type   string // as "ext4", "fuse.pail"
}

// FUSE reports whether a process answers for the mount.
func (e Entry) FUSE() bool { return e.Type == "fuse" || strings.HasPrefix(e.Type, "fuse.") }

// Find returns the topmost mount at dir, which must be absolute and clean.
func Find(dir string) (Entry, bool, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Entry{}, false, err
	}
	defer f.Close()
	return find(f, dir)
}

// find reads the format of proc_pid_mountinfo(5); a later line is mounted over an earlier one.
func find(r io.Reader, dir string) (found Entry, ok bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if e, valid := parse(lines.Text()); valid && e.Dir == dir {
			found, ok = e, true
		}
	}
	return found, ok, lines.Err()
}

// parse reads "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw".
func parse(line string) (Entry, bool) {
	head, tail, cut := strings.Cut(line, " - ")
	fields, rest := strings.Fields(head), strings.Fields(tail)
	if !cut || len(fields) < 5 || len(rest) < 1 {
		return Entry{}, false
	}
	e := Entry{Device: fields[2], Dir: unescape(fields[4]), Type: unescape(rest[0])}
	if len(rest) > 1 {
		e.Source = unescape(rest[1])
	}
	return e, true
}

// unescape reads the octal escapes that the table has for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
