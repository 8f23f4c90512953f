package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"pail/server/internal/smallfile"
)

const (
	pairFile = "pail-id" // in both directories: "pail 1 <32 hexadecimal digits>\n"; must not change
	lockFile = "lock"    // in the data directory, locked with flock while the server runs
	pairHead = "pail 1 "
	blobsDir = "blobs" // of package blob, in the data directory
)

// ErrInUse means that another process has the directories open.
var ErrInUse = errors.New("in use by another pail server")

// pairDirs makes sure that the two directories belong together, and marks new ones. A database over the data of
// another would sweep it away.
func pairDirs(metadata, data string) error {
	m, err := readPair(metadata)
	if err != nil {
		return err
	}
	d, err := readPair(data)
	if err != nil {
		return err
	}
	if m != "" && m == d {
		return nil
	}
	if m != "" || !missing(filepath.Join(data, blobsDir)) || !missing(filepath.Join(metadata, dbDir)) {
		return fmt.Errorf("data directory %s does not belong to metadata directory %s: give the two that were used together, or two new ones", data, metadata)
	}
	if d == "" {
		// The data directory first: with one file missing, metadata is the one that is surely new.
		d = newPair()
		if err := writePair(data, d); err != nil {
			return err
		}
	}
	return writePair(metadata, d)
}

func readPair(dir string) (string, error) {
	path := filepath.Join(dir, pairFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id, ok := strings.CutPrefix(strings.TrimSpace(string(b)), pairHead)
	if !ok || len(id) != 32 {
		return "", fmt.Errorf("%s is damaged or of a newer version of pail: restore it from the same file in the other directory", path)
	}
	return id, nil
}

func newPair() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func writePair(dir, id string) error {
	return smallfile.Write(filepath.Join(dir, pairFile), []byte(pairHead+id+"\n"), 0o644)
}

// lockDir takes the lock of a data directory. Closing the file gives it back, as the end of the process does.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: %w", dir, ErrInUse)
		}
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	return f, nil
}
