package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	dir *journal.Dir

	once sync.Once
	err  error
}

// openJournal opens the journal of a mount with writeback; nil for others, which are told if there is one.
func openJournal(m *opt.Mount, log *slog.Logger) (*mountJournal, error) {
	path, err := journalPath(m)
	if err != nil && m.Writeback {
		return nil, err
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
	return &mountJournal{Journal: j, dir: dir}, nil
}

// journalOwner names what the entries of a journal belong to.
func journalOwner(m *opt.Mount) string {
	return m.Endpoint + m.ServicePath + m.Bucket + "/" + m.Prefix
}

// journalPath returns the directory of a mount's journal: not in a cache directory, as those may be emptied.
func journalPath(m *opt.Mount) (string, error) {
	if m.JournalDir != "" {
		return m.JournalDir, nil
	}
	sum := sha256.Sum256([]byte(journalOwner(m)))
	name := filepath.Join("pail", "journal-"+hex.EncodeToString(sum[:8]))
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib", name), nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("a place for the journal: %w; give one with journal_dir", err)
	}
	return filepath.Join(home, ".local", "state", name), nil
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
		j.err = errors.Join(j.err, j.Journal.Close(), j.dir.Close())
	})
	return j.err
}
