package account

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pail/server/internal/sigauth"
)

// checkEvery is how often, at most, the file is looked at for changes.
const checkEvery = 100 * time.Millisecond

// File is an accounts file that follows its changes. It is safe for concurrent use.
type File struct {
	path string
	log  *slog.Logger

	set     atomic.Pointer[Set]
	checked atomic.Int64 // UnixNano of the last look

	mu struct {
		sync.Mutex
		looked version // what was read, or was found bad, last
	}
}

// version tells whether the file changed; the zero version is that of a file that is not there.
type version struct {
	modified time.Time
	size     int64
	inode    uint64
	mode     fs.FileMode
}

// Open reads the file at path. It fails where the file cannot be read, may be used by others than its owner, or is no
// accounts file. log is told of later versions that cannot be used; nil discards.
func Open(path string, log *slog.Logger) (*File, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &File{path: path, log: log}
	s, v, err := load(path)
	if err != nil {
		return nil, err
	}
	f.set.Store(s)
	f.mu.looked = v
	f.checked.Store(time.Now().UnixNano())
	return f, nil
}

// current gives what the file holds, or held in its last good version. A change is seen within checkEvery.
func (f *File) current() *Set {
	now := time.Now().UnixNano()
	if last := f.checked.Load(); now-last >= int64(checkEvery) && f.checked.CompareAndSwap(last, now) {
		f.refresh()
	}
	return f.set.Load()
}

func (f *File) refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := statVersion(f.path)
	if v == f.mu.looked {
		return
	}
	s, v, err := load(f.path)
	f.mu.looked = v
	if err != nil {
		f.log.Error("accounts not read again, the old ones stay valid", "error", err)
		return
	}
	f.set.Store(s)
	f.log.Info("accounts read again", "file", f.path, "accounts", len(s.accounts))
}

func load(path string) (*Set, version, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, statVersion(path), err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, version{}, err
	}
	v := versionOf(info)
	switch {
	case !info.Mode().IsRegular():
		return nil, v, fmt.Errorf("accounts file %s is not a regular file", path)
	case info.Mode().Perm()&0o177 != 0:
		return nil, v, fmt.Errorf("accounts file %s has mode %04o, so that others could use it: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	s, err := Parse(file)
	if err != nil {
		return nil, v, fmt.Errorf("accounts file %s: %w", path, err)
	}
	return s, v, nil
}

func statVersion(path string) version {
	info, err := os.Stat(path)
	if err != nil {
		return version{}
	}
	return versionOf(info)
}

func versionOf(info fs.FileInfo) version {
	v := version{modified: info.ModTime(), size: info.Size(), mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = st.Ino
	}
	return v
}

// Lookup finds the credential of an access key.
func (f *File) Lookup(accessKey string) (sigauth.Credential, bool) {
	return f.current().Lookup(accessKey)
}

// ByID finds an account by its number or its canonical id.
func (f *File) ByID(id string) (Account, bool) { return f.current().ByID(id) }

// HasUser reports whether a user of an account has that ARN.
func (f *File) HasUser(arn string) bool { return f.current().HasUser(arn) }

// ByEmail finds an account by its address.
func (f *File) ByEmail(address string) (Account, bool) { return f.current().ByEmail(address) }
