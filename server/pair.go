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
	pairFile = "pail-id" // in both directories: "pail 2 <32 hexadecimal digits>\n"; must not change
	lockFile = "lock"    // in the data directory, locked with flock while the server runs
	pairHead = "pail 2 "
	pairOld  = "pail 1 "        // of versions that would not see the epochs of a metadata directory, and begin an empty database
	pairPG   = "pail shared 1 " // in a data directory only, whose metadata is in PostgreSQL
	blobsDir = "blobs"          // of package blob, in the data directory
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
		if d, err = makePair(data, newPair()); err != nil {
			return err
		}
	}
	if m, err = makePair(metadata, d); err == nil && m != d {
		err = fmt.Errorf("data directory %s and metadata directory %s were just given to others: give two new ones", data, metadata)
	}
	return err
}

func readPair(dir string) (string, error) {
	id, head, err := readID(dir)
	if head == pairPG {
		return "", fmt.Errorf("data directory %s belongs to servers with --metadata postgres://...: start this one so too, or give another directory", dir)
	}
	return id, err
}

// readID gives the identity of a directory and the head before it, "" when it has none.
func readID(dir string) (id, head string, err error) {
	path := filepath.Join(dir, pairFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	text := strings.TrimSpace(string(b))
	for _, head := range []string{pairHead, pairOld, pairPG} {
		if id, ok := strings.CutPrefix(text, head); ok && len(id) == 32 {
			return id, head, nil
		}
	}
	return "", "", fmt.Errorf("%s is damaged or of a newer version of pail: restore it from the same file in the other directory", path)
}

func newPair() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// makePair marks a new directory, and gives the identity that it has then: another server may be making one.
func makePair(dir, id string) (string, error) {
	err := writePair(dir, pairHead, id)
	if errors.Is(err, fs.ErrExist) {
		return readPair(dir)
	}
	return id, err
}

func writePair(dir, head, id string) error {
	return smallfile.WriteNew(filepath.Join(dir, pairFile), []byte(head+id+"\n"), 0o644)
}

// upgradePair keeps versions that know no epochs away from both directories.
func upgradePair(dirs ...string) error {
	for _, dir := range dirs {
		path := filepath.Join(dir, pairFile)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if id, old := strings.CutPrefix(string(b), pairOld); old {
			if err := smallfile.Write(path, []byte(pairHead+id), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
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
