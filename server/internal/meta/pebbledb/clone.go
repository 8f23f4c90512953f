package pebbledb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"pail/server/internal/meta"
)

// Clone makes, in the empty directory to, a database of its own with all that is durable in the one in from, and makes
// it durable. Tables are never written again once they are whole: they get a second name, a hard link, and cost no room
// and hardly any time. Log and manifest are copied. Nothing in from changes.
//
// Another process may still be writing to from, whose writes since the start of Clone may be missing in the clone. The
// order keeps the clone to a state that there was, or makes Clone or Open fail for lack of a file: logs first, so that
// none is missing that the manifest, which is copied after them, still needs; tables last, so that one that was merged
// away meanwhile is missed. Then the caller tries again.
func Clone(fsys vfs.FS, from, to string) error {
	if fsys == nil {
		fsys = vfs.Default
	}
	for _, step := range []struct {
		take func(name string) bool
		with func(fsys vfs.FS, from, to string) error
	}{
		{func(name string) bool { return strings.HasSuffix(name, ".log") }, vfs.Copy},
		{isManifest, vfs.Copy},
		{isTable, linkOrCopy},
	} {
		names, err := fsys.List(from)
		if err != nil {
			return fmt.Errorf("metadata directory %s: %w", from, err)
		}
		slices.Sort(names)
		for _, name := range slices.DeleteFunc(names, func(name string) bool { return !step.take(name) }) {
			if err := step.with(fsys, fsys.PathJoin(from, name), fsys.PathJoin(to, name)); err != nil {
				return fmt.Errorf("metadata directory %s: %w", from, err)
			}
		}
	}
	dir, err := fsys.OpenDir(to)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// linkOrCopy copies where a link cannot be made, for whatever reason but the names: file systems without hard links have
// several errors for that, EPERM among them.
func linkOrCopy(fsys vfs.FS, from, to string) error {
	err := fsys.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return vfs.Copy(fsys, from, to)
}

// isManifest also takes the markers, which say what manifest is valid.
func isManifest(name string) bool {
	return slices.ContainsFunc([]string{"MANIFEST-", "OPTIONS-", "marker."}, func(p string) bool { return strings.HasPrefix(name, p) })
}

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// Lock takes the lock that an open database holds on its directory; meta.ErrLocked means that another process has it.
func Lock(dir string) (io.Closer, error) {
	lock, err := lockDir(dir, vfs.Default)
	if err != nil {
		return nil, err
	}
	return lock, nil
}

func lockDir(dir string, fsys vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if err == nil {
		return lock, nil
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("metadata directory %s: %w", dir, err)
	}
	return nil, fmt.Errorf("%w: cannot lock %s: %w", meta.ErrLocked, filepath.Join(dir, "LOCK"), err)
}
