package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"pail/server/internal/smallfile"
)

const masterHead = "# Master keys of pail's server-side encryption. The last one encrypts. Whoever loses one loses what it has encrypted.\n"

// Master is the file of the server's own keys. It is safe for concurrent use.
type Master struct {
	path string
	log  *slog.Logger

	mu struct {
		sync.Mutex
		file    *smallfile.Watched[*list] // nil while there is none
		durable string                    // the key that is known to be on disk
	}
}

// OpenMaster reads the file at path, if there is one. log is as with OpenRing.
func OpenMaster(path string, log *slog.Logger) (*Master, error) {
	m := &Master{path: path, log: log}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m, m.openLocked()
}

func (m *Master) openLocked() error {
	if m.mu.file != nil {
		return nil
	}
	f, err := smallfile.Open(m.path, "file of master keys", parse, m.log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		m.mu.file = f
	}
	return err
}

// Current gives the key that encrypts. Where there is no file yet, it is made.
func (m *Master) Current() (name string, secret [32]byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.file == nil {
		if _, err := add(m.path, true); err != nil {
			return "", secret, fmt.Errorf("making the file of master keys: %w", err)
		}
		if err := m.openLocked(); err != nil || m.mu.file == nil {
			return "", secret, fmt.Errorf("reading the file of master keys that was just made: %w", err)
		}
	}
	e := m.mu.file.Current().last()
	if e.name != m.mu.durable {
		// Nothing may be encrypted with a key that a power cut takes away.
		if err := makeDurable(m.path); err != nil {
			return "", secret, fmt.Errorf("file of master keys: %w", err)
		}
		m.mu.durable = e.name
	}
	return e.name, e.secret, nil
}

func makeDurable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(f.Sync(), smallfile.SyncDir(filepath.Dir(path)))
}

// Find gives the key of that name.
func (m *Master) Find(name string) (secret [32]byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.openLocked(); err != nil || m.mu.file == nil {
		return secret, false
	}
	e, ok := m.mu.file.Current().find(name)
	return e.secret, ok
}

// Rotate adds a key to the file at path, which is made when it is missing, and gives the key's name. It encrypts from now on,
// in a server that runs too.
func Rotate(path string) (name string, err error) { return add(path, false) }

// add appends a key. With first, it does nothing where there is a file.
func add(path string, first bool) (name string, err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer dir.Close()
	// Two that add at once must not lose each other's key: one of them may be in use by then.
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = []byte(masterHead)
	case err != nil:
		return "", err
	case first:
		return "", nil
	default:
		if _, err := smallfile.Open(path, "file of master keys", parse, nil); err != nil {
			return "", err
		}
	}
	if old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	var random [8 + keySize]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	name = hex.EncodeToString(random[:8])
	line := name + ":" + base64.StdEncoding.EncodeToString(random[8:]) + "\n"
	return name, smallfile.Write(path, append(old, line...), 0o600)
}
