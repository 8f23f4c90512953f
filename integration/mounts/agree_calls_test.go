package mounts

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// agreeNames are few, so that calls meet each other's files.
var agreeNames = []string{"a", "b", "d", "d", "d/a", "d/b", "e", "e/a", "d/s", "d/s/a", "e/s", "e/s/b", "l", "l/a", "e/../a"}

func (c *agreeCase) of(choices ...string) string { return choices[c.IntN(len(choices))] }
func (c *agreeCase) size() int                   { return c.IntN(1 << c.IntN(14)) }
func (c *agreeCase) slot() string                { return strings.ToLower(who[c.turn]) + c.of("1", "2") }

// path is that of something that is there, or any.
func (c *agreeCase) path() string {
	var there []string
	if c.IntN(2) == 0 {
		_ = filepath.WalkDir(c.ref, func(path string, _ fs.DirEntry, err error) error { // any path will do
			if path != c.ref {
				there = append(there, path[len(c.ref)+1:])
			}
			return err
		})
	}
	if len(there) == 0 {
		there = agreeNames
	}
	return c.of(there...)
}

// value is text that is nowhere else.
func (c *agreeCase) value() string {
	c.count++
	return fmt.Sprintf("%s%d%s", c.of("x", "y"), c.count, strings.Repeat(c.of("p", "q"), c.size()))
}

// lines are a call at random, or several that belong together.
func (c *agreeCase) lines() []string {
	if c.turn == service {
		return c.linesOfService()
	}
	for _, slot := range c.slots() {
		if f := c.files[slot]; f.by == c.turn && f.old != "" && c.IntN(4) == 0 {
			return []string{"old " + slot}
		}
	}
	kinds := []func() []string{
		c.open, c.open, c.open, c.store, c.store, c.store, c.lease, c.lease, c.lease, c.lease, c.replace, c.replace, c.publish, c.onFile, c.onFile, c.onFile, c.onFile,
		c.line("mkdir %s %s", c.path, func() string { return c.of("0755", "0755", "0700") }),
		c.line("mkdir %s 0755", c.path),
		c.line("mkdir %s 0755", c.path),
		c.line("symlink %s %s", func() string { return c.of("d", "a", "e/a", "b") }, c.path),
		c.line("unlink %s", c.path), c.line("unlink %s", c.path), c.line("unlink %s", c.path),
		c.line("rmdir %s", c.path), c.line("rmdir %s", c.path),
		c.line("rename %s %s", c.path, c.path), c.line("rename %s %s", c.path, c.path), c.line("rename %s %s", c.path, c.path),
		c.line("rename %s %s", c.path, c.path),
		c.line("rename %s %s %s", c.path, c.path, func() string { return c.of("NOREPLACE", "EXCHANGE") }),
		c.line("link %s %s", c.path, c.path), c.line("link %s %s", c.path, c.path),
		c.line("truncate %s %s", c.path, c.number),
		c.line("chmod %s %s", c.path, c.mode), c.line("chmod %s %s", c.path, c.mode),
		c.line("utimens %s %s %s", c.path, c.time, c.time),
		c.line("setxattr %s user.%s v%s", c.path, func() string { return c.of("k", "m") }, c.number),
		c.line("removexattr %s user.%s", c.path, func() string { return c.of("k", "m") }),
		c.line("stat %s", c.path), c.line("lstat %s", c.path), c.line("list %s", c.path), c.line("list %s", c.path),
	}
	return kinds[c.IntN(len(kinds))]()
}

func (c *agreeCase) number() string { return strconv.Itoa(c.size()) }
func (c *agreeCase) time() string   { return fmt.Sprintf("%d.%d", 1+c.IntN(1<<30), 1+c.IntN(1e9-1)) }
func (c *agreeCase) mode() string   { return c.of("0644", "0600", "0755", "0700", "0444") }

// line makes a call of what it is to be made of.
func (c *agreeCase) line(format string, args ...func() string) func() []string {
	return func() []string {
		words := make([]any, len(args))
		for i, arg := range args {
			words[i] = arg()
		}
		return []string{fmt.Sprintf(format, words...)}
	}
}

func (c *agreeCase) open() []string {
	slot := c.slot()
	if f := c.files[slot]; f != nil {
		if f.old != "" {
			return []string{"old " + slot}
		}
		return []string{"close " + slot}
	}
	flags := c.of("O_RDONLY", "O_RDWR", "O_RDWR", "O_WRONLY")
	for _, more := range []string{"O_CREAT", "O_CREAT", "O_TRUNC", "O_APPEND", "O_EXCL"} {
		if c.IntN(4) == 0 {
			flags += "|" + more
		}
	}
	return []string{fmt.Sprintf("open %s %s %s %s", slot, c.path(), flags, c.mode())}
}

// onFile is a call that is about an open file.
func (c *agreeCase) onFile() []string {
	slot := c.slot()
	if f := c.files[slot]; f == nil || f.old != "" {
		return c.open()
	}
	kinds := []func() []string{
		c.line("write %s %s", c.same(slot), c.value), c.line("write %s %s %s", c.same(slot), c.value, c.number),
		c.line("read %s %s %s", c.same(slot), c.number, c.number), c.line("ftruncate %s %s", c.same(slot), c.number),
		c.line("fchmod %s %s", c.same(slot), c.mode), c.line("fsync %s", c.same(slot)), c.line("fstat %s", c.same(slot)),
		c.line("futimens %s %s %s", c.same(slot), c.time, c.time), c.line("close %s", c.same(slot)),
	}
	return kinds[c.IntN(len(kinds))]()
}

func (c *agreeCase) same(s string) func() string { return func() string { return s } }

// whole writes a file in a slot of its own.
func (c *agreeCase) whole(path, flags string) []string {
	slot := strings.ToLower(who[c.turn]) + "0"
	return []string{
		fmt.Sprintf("open %s %s O_WRONLY|O_CREAT|%s %s", slot, path, flags, c.mode()),
		fmt.Sprintf("write %s %s", slot, c.value()),
		"close " + slot,
	}
}

func (c *agreeCase) store() []string { return c.whole(c.path(), c.of("O_TRUNC", "O_TRUNC", "O_EXCL")) }

// replace is how programs replace a file.
func (c *agreeCase) replace() []string {
	to := c.path()
	temp := to + ".new"
	return append(c.whole(temp, "O_EXCL"), fmt.Sprintf("rename %s %s", temp, to))
}

// publish is how programs make a file that is there only whole.
func (c *agreeCase) publish() []string {
	to := c.path()
	temp := filepath.Join(filepath.Dir(to), fmt.Sprint("tmp_", c.IntN(2)))
	return append(c.whole(temp, "O_EXCL"), fmt.Sprintf("link %s %s", temp, to), "unlink "+temp)
}

// lease makes a few files, as programs do that unpack.
func (c *agreeCase) lease() []string {
	dir := c.of("", "", "d/", "e/", "d/s/")
	var lines []string
	for _, name := range []string{"n1", "n2", "n3"} {
		lines = append(lines, c.whole(dir+name, "O_EXCL")...)
	}
	return append(lines, "unlink "+dir+"n1", "unlink "+dir+"n2")
}

// linesOfService is what can be done without a mount.
func (c *agreeCase) linesOfService() []string {
	for range 20 {
		path := c.of("a", "b", "d/a", "d/b", "e/a", "d/s/a", "e/s/b", "d", "e", "n3", "d/n3")
		if !isDir(filepath.Dir(filepath.Join(c.ref, path)), c.ref) {
			continue
		}
		info, err := os.Lstat(filepath.Join(c.ref, path))
		switch {
		case err != nil && strings.ContainsAny(path, "ab3"):
			return []string{"put " + path + " " + c.value()}
		case err != nil:
			return []string{"marker " + path}
		case info.IsDir() || info.Sys().(*syscall.Stat_t).Nlink > 1:
		case c.IntN(3) == 0:
			return []string{"delete " + path}
		default:
			return []string{"put " + path + " " + c.value()}
		}
	}
	return nil
}

// isDir reports whether a path below top is that of a directory, without symbolic links.
func isDir(path, top string) bool {
	for ; path != top; path = filepath.Dir(path) {
		if info, err := os.Lstat(path); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}
