package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestProgramCopies has rsync, cp and tar copy a tree with all that a file can have into the mount: nothing is lost there,
// nor after a remount, nor on the way back. rsync then finds nothing to do.
func TestProgramCopies(t *testing.T) {
	rsync := harness.NeedProgram(t, "/usr/bin/rsync", "rsync")
	source := t.TempDir()
	makeTree(t, source)
	want := describe(t, source)
	inAllModes(t, func(t *testing.T, s *site) {
		tarOut, tarIn := []string{"--xattrs", "--sparse", "--numeric-owner", "-cf", "-"}, []string{"--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "-"}
		copiers := map[string]func(from, to string){
			"rsync": func(from, to string) { harness.Command{}.Run(t, rsync, "-aHXS", from+"/", to+"/") },
			"cp":    func(from, to string) { harness.Command{}.Run(t, "/bin/cp", "-a", from+"/.", to) },
			"tar": func(from, to string) {
				archive := harness.Command{Dir: from}.Run(t, "/bin/tar", append(tarOut, ".")...)
				harness.Command{Dir: to, Stdin: archive}.Run(t, "/bin/tar", tarIn...)
			},
		}
		for name, copy := range copiers {
			copy(source, s.mkdir(name))
			t.Run(name, func(t *testing.T) { sameLines(t, describe(t, s.Path(name)), want) })
		}
		s.remount()
		for name, copy := range copiers {
			t.Run(name+" after a remount", func(t *testing.T) { sameLines(t, describe(t, s.Path(name)), want) })
			back := t.TempDir()
			copy(s.Path(name), back)
			t.Run(name+" back", func(t *testing.T) { sameLines(t, describe(t, back), want) })
			for _, sums := range []string{"-i", "-ic"} {
				if out := (harness.Command{}).Run(t, rsync, "-aHX", sums, "--delete", source+"/", s.Path(name)+"/"); out != "" {
					t.Errorf("rsync -aHX %s after %s changes:\n%s", sums, name, out)
				}
			}
		}
	})
}

// makeTree makes one of everything.
func makeTree(t *testing.T, dir string) {
	t.Helper()
	files := map[string]string{"empty": "", "setuid": "x", "d1/d2/d3/deep": "deep", "two words \n\xff": "a name of any bytes"}
	for i := range 30 {
		files[fmt.Sprintf("many/%d", i)] = string(load.RandomBytes(uint64(i), i*3000))
	}
	writeFiles(t, dir, files)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Chmod(at("setuid"), 0o751|fs.ModeSetuid),
		os.Chmod(at("empty"), 0o400),
		os.Chmod(at("d1"), 0o777|fs.ModeSticky|fs.ModeSetgid),
		os.Symlink("many/7", at("link")),
		os.Symlink("/nowhere", at("dangling")),
		os.Link(at("many/3"), at("d1/third")),
		os.Link(at("many/3"), at("d1/d2/third")),
		syscall.Mkfifo(at("fifo"), 0o620),
		unix.Setxattr(at("many/5"), "user.colour", []byte("blue\x00green"), 0),
		unix.Setxattr(at("d1"), "user.colour", []byte("grey"), 0),
		os.WriteFile(at("sparse"), []byte("begin"), 0o644),
		os.Truncate(at("sparse"), 3<<20),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		for name, owner := range map[string][2]int{"many/1": {12, 34}, "link": {56, 78}, "d1/d2": {90, 0}} {
			if err := os.Lchown(at(name), owner[0], owner[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := int64(0)
	walk(t, dir, func(path string, _ syscall.Stat_t) {
		n++
		stamp := unix.NsecToTimespec(1_000_000_000_123_456_789 + n*1_000_000_007)
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	})
}

// walk calls fn for all below dir, for a directory after what is in it.
func walk(t *testing.T, dir string, fn func(path string, st syscall.Stat_t)) {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Backward(paths[1:]) {
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		fn(path, st)
	}
}

// describe returns a line for each entry with all that a copy must keep.
func describe(t *testing.T, dir string) (lines []string) {
	t.Helper()
	first := map[uint64]string{} // name of each inode
	walk(t, dir, func(path string, st syscall.Stat_t) {
		name := fmt.Sprintf("%q", strings.TrimPrefix(path, dir))
		line := fmt.Sprintf("%s mode=%o owner=%d:%d mtime=%d", name, st.Mode, st.Uid, st.Gid, st.Mtim.Nano())
		if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			line += fmt.Sprintf(" size=%d links=%d file=%s", st.Size, st.Nlink, first[st.Ino])
		}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFLNK:
			target, err := os.Readlink(path)
			line += fmt.Sprintf(" target=%q %v", target, err)
		case syscall.S_IFREG:
			content, err := os.ReadFile(path)
			line += fmt.Sprintf(" content=%x %v", sha256.Sum256(content), err)
		}
		value := make([]byte, 100)
		if n, err := unix.Lgetxattr(path, "user.colour", value); err == nil {
			line += fmt.Sprintf(" colour=%q", value[:n])
		}
		lines = append(lines, line)
	})
	return lines
}
