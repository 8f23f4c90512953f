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
)

// Master is the file of the server's own keys. It is safe for concurrent use.
type Master struct {
	path   string
	record record
	log    *slog.Logger
	claim  Claim // nil: no other process has a file of its own

	mu struct {
		sync.Mutex
		file    *smallfile.Watched[*list] // nil while there is none
		durable string                    // the key that is known to be on disk
	}
}

// Claim notes, for processes that may have different files of master keys, that a key is used from now on. Where another is
// used that the caller does not have, it gives that one's name in place.
type Claim func(name string, has func(name string) bool) (lacks string, err error)

// Share has each key claimed before its first use. It is called before the Master is used.
func (m *Master) Share(claim Claim) { m.claim = claim }

// Recorded gives the names of the keys that were used.
func (m *Master) Recorded() ([]string, error) { return m.record.read() }

// OpenMaster reads the file at path, if there is one. recordPath is the path of a file that says, from the first use of a key
// on, which were used: then none is made anymore in place of a file that is gone. "" keeps no record. log is as with OpenRing.
func OpenMaster(path, recordPath string, log *slog.Logger) (*Master, error) {
	m := &Master{path: path, record: record(recordPath), log: log}
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
		if err := m.makeFirst(); err != nil {
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
		if err := m.first(e.name, keys); err != nil {
			return "", secret, fmt.Errorf("recording that there is a master key: %w", err)
		}
		m.mu.durable = e.name
	}
	return e.name, e.secret, nil
}

// first claims and records a key before its first use.
func (m *Master) first(name string, keys *list) error {
	if m.claim != nil {
		lacks, err := m.claim(name, func(name string) bool { _, ok := keys.find(name); return ok })
		if err != nil {
			return err
		}
		if lacks != "" {
			return m.record.missing(m.path, lacks)
		}
	}
	return m.record.add(name)
}

// makeFirst makes the file, unless somebody else just did.
func (m *Master) makeFirst() error {
	path, err := target(m.path)
	if err == nil {
		_, err = makeFirst(path, m.record)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
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

// Require fails when a key that was used is not in the file. Where nothing is recorded yet, all keys that the file has are,
// for a server without a record may have used them.
func (m *Master) Require() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	used, err := m.record.read()
	if err != nil || m.mu.file == nil && len(used) == 0 {
		return err
	}
	keys := new(list)
	if m.mu.file != nil {
		keys = m.mu.file.Current()
	}
	if len(used) == 0 {
		var names []string
		for _, e := range keys.entries {
			names = append(names, e.name)
		}
		return m.record.add(names...)
	}
	for _, name := range used {
		if _, ok := keys.find(name); !ok {
			return m.record.missing(m.path, name)
		}
	}
	return nil
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
// on, in a server that runs too. The file stays its owner's, and a new one is given to its directory's. recordPath is as with
// OpenMaster.
func Rotate(path, recordPath string) (name string, err error) {
	path, err = target(path)
	if err != nil {
		return "", err
	}
	name, err = makeFirst(path, record(recordPath))
	if !errors.Is(err, fs.ErrExist) {
		return name, err
	}
	unlock, err := lock(path)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := smallfile.Open(path, "file of master keys", parse, nil); err != nil {
		return "", err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	name, line := newKey()
	return name, smallfile.Replace(path, append(old, line...))
}

// makeFirst makes the file with a first key, or fails with fs.ErrExist where there is one.
func makeFirst(path string, used record) (name string, err error) {
	if _, err := os.Lstat(path); err == nil {
		return "", fs.ErrExist
	}
	if err := used.checkNone(path); err != nil {
		return "", err
	}
	name, line := newKey()
	return name, smallfile.WriteNewOfDir(path, []byte(masterHead+line), 0o600)
}

// newKey gives a key's name and the line of the file with both.
func newKey() (name, line string) {
	var random [8 + keySize]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	name = hex.EncodeToString(random[:8])
	return name, name + ":" + base64.StdEncoding.EncodeToString(random[8:]) + "\n"
}

// lock has the file for the caller alone: two that add at once must not lose each other's key, for one may be in use by
// then. It opens the file for writing, without which NFS gives no such lock, if it may.
func lock(path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) {
			f, err = os.Open(path)
		}
		if err != nil {
			return nil, err
		}
		same := false
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err == nil {
			same, err = isStill(f, path)
		}
		if same {
			return func() { f.Close() }, nil
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
	}
}

// isStill reports whether f has not been replaced.
func isStill(f *os.File, path string) (bool, error) {
	was, err := f.Stat()
	if err != nil {
		return false, err
	}
	is, err := os.Lstat(path)
	return err == nil && os.SameFile(was, is), err
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
