package fstest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// walkNames are few, so that calls meet each other's files.
var walkNames = []string{
	"a", "b", "d", "d/a", "d/b", "e", "e/a", "d/s", "d/s/a", "e/s", "e/s/b", "l", "l/a", "e/..", "d/.", "a/", "d/", "none/a",
}

// walkTemporary are those of files that get their names by a link (volume/publish.go).
var walkTemporary = []string{"tmp_a", "d/tmp_a", "d/tmp_b", "e/tmp_a", "d/s/tmp_a"}

// Walk returns a script of n random calls, with hard links or without. The same seed gives the same script.
func Walk(seed uint64, n int, links bool) []Call {
	w := walker{rand.New(rand.NewPCG(seed, 0)), links}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = w.line()
	}
	calls, err := Parse(strings.Join(lines, "\n"))
	if err != nil {
		panic(err) // the lines are made here
	}
	return calls
}

type walker struct {
	*rand.Rand
	links bool
}

func (w walker) of(choices ...string) string { return choices[w.IntN(len(choices))] }
func (w walker) temporary() string           { return w.of(walkTemporary...) }
func (w walker) slot() string                { return w.of("f", "g") }
func (w walker) size() int                   { return w.IntN(1 << w.IntN(15)) }

func (w walker) path() string {
	if w.links && w.IntN(6) == 0 {
		return w.temporary()
	}
	return w.of(walkNames...)
}

func (w walker) mode() string {
	return w.of("0644", "0600", "0755", "0700", "0777", "0", "01777", "02775", "02664", "04755", "06777", "0444", "0222")
}

func (w walker) who() string {
	return w.of("", "", "", "", "u1000 ", "u1000 ", "u1001:1000 ", "u1001:1001,1000 ")
}

func (w walker) time() string {
	return w.of("now", "omit", fmt.Sprintf("%d.%d", w.IntN(1<<30), w.IntN(1e9)))
}

func (w walker) open() string {
	flags := w.of("O_RDONLY", "O_RDWR", "O_RDWR", "O_WRONLY")
	for _, more := range []string{"O_CREAT", "O_CREAT", "O_TRUNC", "O_APPEND", "O_EXCL", "O_NOFOLLOW", "O_DIRECTORY", "O_SYNC"} {
		if w.IntN(4) == 0 {
			flags += "|" + more
		}
	}
	if strings.Contains(flags, "O_CREAT") {
		flags = strings.ReplaceAll(flags, "|O_DIRECTORY", "") // means something else in every version of Linux
	}
	return fmt.Sprintf("open %s %s %s|O_NONBLOCK %s", w.slot(), w.path(), flags, w.mode())
}

// line returns a call. None makes a FIFO: Linux keeps the time of a write into one to itself on a FUSE mount.
func (w walker) line() string {
	kinds := []func() string{
		w.open, w.open, w.open,
		func() string { return "close " + w.slot() },
		func() string { return fmt.Sprintf("write %s %s*%d", w.slot(), w.of("x", "y", "z"), w.size()) },
		func() string { return fmt.Sprintf("write %s %s*%d %d", w.slot(), w.of("x", "y"), w.size(), w.size()) },
		func() string { return fmt.Sprintf("read %s %d %d", w.slot(), w.size(), w.size()) },
		func() string { return fmt.Sprintf("ftruncate %s %d", w.slot(), w.size()) },
		func() string { return fmt.Sprintf("truncate %s %d", w.path(), w.size()) },
		func() string { return fmt.Sprintf("mkdir %s %s", w.path(), w.mode()) },
		func() string { return fmt.Sprintf("mkdir %s %s", w.path(), w.mode()) },
		func() string {
			return fmt.Sprintf("mknod %s S_IF%s|0644 0x103", w.path(), w.of("SOCK", "CHR", "BLK", "REG"))
		},
		func() string { return fmt.Sprintf("symlink %s %s", w.path(), w.path()) },
		func() string { return "unlink " + w.path() },
		func() string { return "rmdir " + w.path() },
		func() string { return fmt.Sprintf("rename %s %s", w.path(), w.path()) },
		func() string { return fmt.Sprintf("rename %s %s", w.path(), w.path()) },
		func() string { return fmt.Sprintf("rename %s %s NOREPLACE", w.path(), w.path()) },
		func() string { return fmt.Sprintf("chmod %s %s", w.path(), w.mode()) },
		func() string { return "umask " + w.of("022", "077", "0") },
		func() string { return fmt.Sprintf("fchmod %s %s", w.slot(), w.mode()) },
		func() string {
			return fmt.Sprintf("%schown %s %s %s", w.of("", "l"), w.path(), w.of("-1", "0", "1000"), w.of("-1", "0", "1000", "1001"))
		},
		func() string { return fmt.Sprintf("%sutimens %s %s %s", w.of("", "l"), w.path(), w.time(), w.time()) },
		func() string { return fmt.Sprintf("futimens %s %s %s", w.slot(), w.time(), w.time()) },
		func() string {
			return fmt.Sprintf("fallocate %s %s %d %d", w.slot(), w.of("0", "KEEP_SIZE", "PUNCH_HOLE|KEEP_SIZE", "ZERO_RANGE"), w.size(), w.size())
		},
		func() string {
			return fmt.Sprintf("copy %s %d %s %d %d", w.slot(), w.size(), w.slot(), w.size(), w.size())
		},
		func() string { return fmt.Sprintf("setxattr %s user.%s v%d", w.path(), w.of("a", "b"), w.IntN(9)) },
		func() string { return fmt.Sprintf("removexattr %s user.%s", w.path(), w.of("a", "b")) },
		func() string { return "fsync " + w.slot() },
		func() string { return "fstat " + w.slot() },
		func() string { return "stat " + w.path() },
		func() string { return "list " + w.path() },
	}
	if w.links {
		link := func() string { return fmt.Sprintf("link %s %s", w.path(), w.path()) }
		kinds = append(kinds, link, link,
			func() string { return fmt.Sprintf("open %s %s O_CREAT|O_RDWR %s", w.slot(), w.temporary(), w.mode()) },
			func() string { return fmt.Sprintf("link %s %s", w.temporary(), w.path()) },
			func() string { return fmt.Sprintf("link %s %s", w.temporary(), w.path()) },
			func() string { return "unlink " + w.temporary() })
	}
	return w.who() + kinds[w.IntN(len(kinds))]()
}

// Shrink returns the shortest script, by leaving calls out, of which fails still says that it fails. It asks at most
// tries times.
func Shrink(calls []Call, tries int, fails func([]Call) bool) []Call {
	for part := len(calls) / 2; part > 0; part /= 2 {
		for at := 0; at < len(calls) && tries > 0; {
			shorter := append(append([]Call{}, calls[:at]...), calls[min(at+part, len(calls)):]...)
			if tries--; fails(shorter) {
				calls = shorter
			} else {
				at += part
			}
		}
	}
	return calls
}
