package smallfile

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// checkEvery is how often, at most, a file is looked at for changes.
const checkEvery = 100 * time.Millisecond

// Watched is a file of secrets that follows its changes. It is safe for concurrent use.
type Watched[T any] struct {
	path  string
	what  string // that the file is, for messages: "accounts file"
	parse func(io.Reader) (T, error)
	log   *slog.Logger

	value   atomic.Pointer[T]
	checked atomic.Int64 // UnixNano of the last look

	mu struct {
		sync.Mutex
		looked version // what was read, or was found bad, last
		err    error   // why that cannot be used
	}
}

// version tells whether the file changed; the zero version is that of a file that is not there.
type version struct {
	modified time.Time
	size     int64
	inode    uint64
	mode     fs.FileMode
}

// Open reads the file at path with parse, whose errors must not tell what is secret. It fails where the file cannot be read,
// or may be used by others than its owner. log is told of later versions that cannot be used; nil discards.
func Open[T any](path, what string, parse func(io.Reader) (T, error), log *slog.Logger) (*Watched[T], error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &Watched[T]{path: path, what: what, parse: parse, log: log}
	value, v, err := f.load()
	if err != nil {
		return nil, err
	}
	f.value.Store(&value)
	f.mu.looked = v
	f.checked.Store(time.Now().UnixNano())
	return f, nil
}

// Current gives what the file holds, or held in its last good version. A change is seen within a tenth of a second.
func (f *Watched[T]) Current() T {
	now := time.Now().UnixNano()
	if last := f.checked.Load(); now-last >= int64(checkEvery) && f.checked.CompareAndSwap(last, now) {
		f.Refresh()
	}
	return *f.value.Load()
}

// Latest gives what the file holds now. Unlike Current, it fails where that cannot be used, or the file is gone.
func (f *Watched[T]) Latest() (value T, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refreshLocked()
	return *f.value.Load(), f.mu.err
}

// Refresh reads the file now, if it has changed.
func (f *Watched[T]) Refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refreshLocked()
}

func (f *Watched[T]) refreshLocked() {
	v := statVersion(f.path)
	if v == f.mu.looked && f.mu.err == nil {
		return
	}
	known := f.mu.looked
	value, v, err := f.load()
	f.mu.looked, f.mu.err = v, err
	if err != nil {
		if v != known {
			f.log.Error(f.what+" not read again, the old version stays valid", "error", err)
		}
		return
	}
	f.value.Store(&value)
	f.log.Info(f.what+" read again", "file", f.path)
}

func (f *Watched[T]) load() (value T, v version, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return value, statVersion(f.path), err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return value, v, err
	}
	v = versionOf(info)
	switch {
	case !info.Mode().IsRegular():
		return value, v, fmt.Errorf("%s %s is not a regular file", f.what, f.path)
	case info.Mode().Perm()&0o177 != 0:
		return value, v, fmt.Errorf("%s %s has mode %04o, so that others could use it: chmod 600 %s", f.what, f.path, info.Mode().Perm(), f.path)
	}
	if value, err = f.parse(file); err != nil {
		err = fmt.Errorf("%s %s: %w", f.what, f.path, err)
	}
	return value, v, err
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
