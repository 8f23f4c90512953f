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

const (
	masterHead = "# Master keys of pail's server-side encryption. The last one encrypts. Whoever loses one loses what it has encrypted.\n"
	recordHead = "# Objects are encrypted with master keys, the first of which was:\n"
)

// Master is the file of the server's own keys. It is safe for concurrent use.
type Master struct {
	path   string
	record string
	log    *slog.Logger

	mu struct {
		sync.Mutex
		file    *smallfile.Watched[*list] // nil while there is none
		durable string                    // the key that is known to be on disk
	}
}

// OpenMaster reads the file at path, if there is one. record is the path of a file that says, from the first use of a key on,
// that there is one: then none is made anymore in place of a file that is gone. "" keeps no record. log is as with OpenRing.
func OpenMaster(path, record string, log *slog.Logger) (*Master, error) {
	m := &Master{path: path, record: record, log: log}
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

// Current gives the key that encrypts. Where there never was a file, it is made. It fails while the file is gone or cannot be
// used: what is encrypted with a key that is in memory only is lost at the next start.
func (m *Master) Current() (name string, secret [32]byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.file == nil {
		if _, err := add(m.path, m.record, true); err != nil {
			return "", secret, fmt.Errorf("making the file of master keys: %w", err)
		}
		if err := m.openLocked(); err != nil || m.mu.file == nil {
			return "", secret, fmt.Errorf("reading the file of master keys that was just made: %w", err)
		}
	}
	keys, err := m.mu.file.Latest()
	if err != nil {
		return "", secret, fmt.Errorf("nothing is encrypted before the file of master keys is back as it was: %w", err)
	}
	e := keys.last()
	if e.name != m.mu.durable {
		// Nothing may be encrypted with a key that a power cut takes away.
		if err := makeDurable(m.path); err != nil {
			return "", secret, fmt.Errorf("file of master keys: %w", err)
		}
		if err := m.recordUse(e.name); err != nil {
			return "", secret, fmt.Errorf("recording that there is a master key: %w", err)
		}
		m.mu.durable = e.name
	}
	return e.name, e.secret, nil
}

func (m *Master) recordUse(name string) error {
	if m.record == "" {
		return nil
	}
	err := smallfile.WriteNew(m.record, []byte(recordHead+name+"\n"), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// checkUnused refuses to make the first key where one was used before.
func checkUnused(path, record string) error {
	if record == "" {
		return nil
	}
	_, err := os.Lstat(record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("the file %s is not there, but master keys were used before (%s): give the file that has them, or restore it; "+
			"only when it is lost for good, with all that it has encrypted, remove %s to begin with a new key", path, record, record)
	}
	return err
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

// Rotate adds a key to the file at path, which is made when there never was one, and gives the key's name. It encrypts from now
// on, in a server that runs too. The file stays its owner's. record is as with OpenMaster.
func Rotate(path, record string) (name string, err error) { return add(path, record, false) }

// add appends a key. With first, it does nothing where there is a file.
func add(path, record string, first bool) (name string, err error) {
	if path, err = target(path); err != nil {
		return "", err
	}
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
	write := smallfile.Replace
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := checkUnused(path, record); err != nil {
			return "", err
		}
		old, write = []byte(masterHead), makeFile
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
	return name, write(path, append(old, line...))
}

// target follows symbolic links, so that the file is replaced and not the link to it.
func target(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s is a symbolic link to what is not there", path)
	}
	return path, nil
}

func makeFile(path string, data []byte) error { return smallfile.Write(path, data, 0o600) }
