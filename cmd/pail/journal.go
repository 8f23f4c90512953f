package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pail/cmd/internal/opt"
	"pail/fs/journal"
)

// abandonPatience is how long a mount that does not come about may go on sending what its journal had.
const abandonPatience = 10 * time.Second

// mountJournal is the journal of a mount with its directory.
type mountJournal struct {
	*journal.Journal
	dir    *journal.Dir
	unlink func() // from among all journals, where it does not lie; nil if it does

	once sync.Once
	err  error
}

// openJournal opens the journal of a mount with writeback; nil for others, which are told if there is one.
func openJournal(m *opt.Mount, log *slog.Logger) (*mountJournal, error) {
	path, err := journalPath(m)
	if err != nil && m.Writeback {
		return nil, err
	}
	state, stateErr := stateDir()
	if stateErr == nil && !m.Fake {
		warnOfOthers(m, state, path, log)
	}
	if !m.Writeback || m.ReadOnly || m.Fake {
		if left, _ := filepath.Glob(filepath.Join(path, "log-*")); path != "" && len(left) > 0 {
			log.Error("files of an earlier mount are not on the server yet; mount with -o writeback to have them sent", "journal", path)
		}
		return nil, nil
	}
	dir, err := journal.OpenDir(path)
	if errors.Is(err, journal.ErrLocked) {
		return nil, fmt.Errorf("%w: is this bucket mounted with writeback already? Unmount it, or give one of them another journal_dir", err)
	}
	if err != nil {
		return nil, fmt.Errorf("directory of the journal: %w", err)
	}
	j, err := journal.Open(dir, journal.Options{
		Owner: journalOwner(m), MaxBytes: m.JournalSize, KeepFree: m.KeepFreeBytes, Log: log,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), dir.Close())
	}
	opened := &mountJournal{Journal: j, dir: dir}
	if m.JournalDir != "" && stateErr == nil {
		opened.unlink = linkJournal(state, path, log)
	}
	return opened, nil
}

// journalOwner names what the entries of a journal belong to: the URLs in an order that the user's does not change, bucket
// and prefix.
func journalOwner(m *opt.Mount) string {
	urls := append([]string{m.Endpoint}, m.Fallbacks...)
	slices.Sort(urls)
	return strings.Join(slices.Compact(urls), ",") + ownedPart(m)
}

// ownedPart is the owner without the URLs.
func ownedPart(m *opt.Mount) string { return m.ServicePath + m.Bucket + "/" + m.Prefix }

// ownerURLs returns the URLs of an owner with the mount's bucket and prefix; false for any other.
func ownerURLs(m *opt.Mount, owner string) (urls string, ok bool) {
	urls, ok = strings.CutSuffix(owner, ownedPart(m))
	if !ok {
		return "", false
	}
	mine, err := url.Parse(m.Endpoint)
	if err != nil {
		return "", false
	}
	for one := range strings.SplitSeq(urls, ",") {
		if u, err := url.Parse(one); err != nil || u.Host == "" || u.Path != mine.Path { // else it belongs to a bucket
			return "", false
		}
	}
	return urls, true
}

// journalPath returns the directory of a mount's journal: not in a cache directory, as those may be emptied.
func journalPath(m *opt.Mount) (string, error) {
	if m.JournalDir != "" {
		return m.JournalDir, nil
	}
	state, err := stateDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(state, journalName(m)), nil
}

func journalName(m *opt.Mount) string {
	sum := sha256.Sum256([]byte(journalOwner(m)))
	return "journal-" + hex.EncodeToString(sum[:8])
}

// stateDir returns the directory of all journals of this user.
func stateDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/pail", nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "pail"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("a place for the journal: %w; give one with journal_dir", err)
	}
	return filepath.Join(home, ".local", "state", "pail"), nil
}

// closeJournal ends the use of the journal, and of the volume if nobody has closed it. Further calls do nothing.
func (b *bucket) closeJournal(ctx context.Context) error {
	j := b.journal
	if j == nil {
		return nil
	}
	j.once.Do(func() {
		if b.volume != nil {
			ctx, cancel := context.WithTimeout(ctx, abandonPatience)
			defer cancel()
			j.err = b.volume.Close(ctx)
		}
		empty := j.Stats().Entries == 0
		if j.err = errors.Join(j.err, j.Journal.Close(), j.dir.Close()); empty && j.unlink != nil {
			j.unlink()
		}
	})
	return j.err
}
