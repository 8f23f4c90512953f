package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"pail/cmd/internal/opt"
	"pail/fs/journal"
)

// warnOfOthers tells of journals in the directory of all journals that have something to send to this bucket and prefix,
// but not for this mount, as when a URL was added or taken away, or another journal_dir given. One that is in use has a mount.
func warnOfOthers(m *opt.Mount, state, own string, log *slog.Logger) {
	if real, err := filepath.EvalSymlinks(own); err == nil {
		own = real
	}
	for _, path := range journalsIn(state) {
		if path == own {
			continue
		}
		owner, err := journal.OwnerOf(path)
		urls, ok := ownerURLs(m, owner)
		if err != nil || !ok {
			continue
		}
		switch entries, err := journal.Count(path, owner); {
		case errors.Is(err, journal.ErrLocked):
		case err != nil:
			log.Error("a journal with other URLs, which may have files of this bucket that are not on the server yet, cannot be read",
				"journal", path, "url", urls, "error", err)
		case entries > 0:
			log.Error("files of an earlier mount with other URLs or options are not on the server yet; "+
				"mount with -o writeback and this url= and journal_dir= to have them sent",
				"files", entries, "journal_dir", path, "url", urls)
		}
	}
}

// journalsIn returns the journals in the directory of all journals, and those elsewhere that have a link there. A link
// whose journal was removed goes.
func journalsIn(state string) []string {
	var dirs []string
	paths, _ := filepath.Glob(filepath.Join(state, "journal-*")) // the pattern is good
	for _, path := range paths {
		dir, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(path) // if not now, then the next time
			continue
		}
		if err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// linkJournal makes a journal that lies elsewhere known to the mounts that come later, with other options, until unlink
// is called.
func linkJournal(state, dir string, log *slog.Logger) (unlink func()) {
	dir, err := filepath.Abs(dir)
	sum := sha256.Sum256([]byte(dir))
	link := filepath.Join(state, "journal-dir-"+hex.EncodeToString(sum[:8]))
	if err == nil {
		err = os.MkdirAll(state, 0o700)
	}
	if err == nil {
		err = os.Symlink(dir, link)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		log.Debug("a mount with another journal_dir will not find this one", "journal", dir, "error", err)
		return func() {}
	}
	return func() {
		_ = os.Remove(link)  // one that stays leads to an empty journal
		_ = os.Remove(state) // if that was all
	}
}
