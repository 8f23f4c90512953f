package journal

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
)

// OwnerOf returns whose journal lies in a directory of the operating system; "" if there is none, or none that can be read.
// It does not lock it.
func OwnerOf(path string) (string, error) {
	dir := &Dir{path: path}
	names, err := dir.List()
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "log-") {
			continue
		}
		owner, err := dir.owner(name)
		if err == nil {
			return owner, nil
		}
		if !errors.Is(err, errTorn) && !errors.Is(err, errCorrupt) && !errors.Is(err, fs.ErrNotExist) { // in use
			return "", err
		}
	}
	return "", nil
}

// owner reads the header of a segment.
func (d *Dir) owner(name string) (string, error) {
	f, err := d.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	head := make([]byte, min(size, newSegment))
	if err := readFull(f, head, 0); err != nil && len(head) > 0 {
		return "", err
	}
	owner, _, _, err := parseHeader(head)
	return owner, err
}

// Count returns how many entries the journal in a directory of the operating system has, and changes nothing of it.
// ErrLocked: a process has it open.
func Count(path, owner string) (entries int, err error) {
	dir, err := OpenDir(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	j := &Journal{fs: dir, opt: Options{Owner: owner}, log: slog.New(slog.DiscardHandler)}
	j.mu.live = map[uint64]*entry{}
	_, err = j.read()
	for _, seg := range j.mu.segments {
		_ = seg.file.Close() // only read
	}
	return len(j.mu.live), err
}
