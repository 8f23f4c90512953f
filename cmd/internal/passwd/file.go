package passwd

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options of OpenFile.
type Options struct {
	// OnError is told once of each new version of the file that cannot be used, and of its disappearance; nil ignores.
	// It is called without locks held.
	OnError func(error)
}

// File is a passwd file that follows its changes. It is safe for concurrent use.
type File struct {
	path    string
	onError func(error)

	mu struct {
		sync.Mutex
		entries []Entry
		looked  version // what entries were made of, or what was found bad last
	}
}

// version tells whether a file changed. The zero version is that of a file that is not there.
type version struct {
	modified time.Time
	size     int64
	inode    uint64
	mode     fs.FileMode
}

// Open reads the file at path; see OpenFile.
func Open(path string) (*File, error) { return OpenFile(path, Options{}) }

// OpenFile reads the file at path. It fails where the file is not there, may be read by others (*PermError) or holds a
// line that is no credentials (*LineError).
func OpenFile(path string, opt Options) (*File, error) {
	f := &File{path: path, onError: opt.OnError}
	entries, v, err := load(path)
	if err != nil {
		return nil, err
	}
	f.mu.entries, f.mu.looked = entries, v
	return f, nil
}

// Path returns the path as it was given.
func (f *File) Path() string { return f.path }

// Entries returns what the file holds now, or held in its last good version.
func (f *File) Entries() []Entry { return slices.Clone(f.current()) }

// Lookup returns the credentials for a bucket: those of its own line, else the default ones.
func (f *File) Lookup(bucket string) (Entry, bool) {
	var def Entry
	found := false
	for _, e := range f.current() {
		switch e.Bucket {
		case bucket:
			return e, true
		case "":
			def, found = e, true
		}
	}
	return def, found
}

// current reads the file again if it changed. The returned slice is not to be modified.
func (f *File) current() []Entry {
	entries, err := f.refresh()
	if err != nil && f.onError != nil {
		f.onError(err)
	}
	return entries
}

func (f *File) refresh() ([]Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := statVersion(f.path); err == nil && v == f.mu.looked || errors.Is(err, fs.ErrNotExist) && f.mu.looked == (version{}) {
		return f.mu.entries, nil
	}
	entries, v, err := load(f.path)
	changed := v != f.mu.looked
	f.mu.looked = v
	if err == nil {
		f.mu.entries = entries
		return entries, nil
	}
	if !changed {
		err = nil
	}
	return f.mu.entries, err
}

// load reads a file and the version that it read. On errors the version is what was found bad.
func load(path string) ([]Entry, version, error) {
	v, err := statVersion(path)
	if err != nil {
		return nil, version{}, err
	}
	if err := checkMode(path, v.mode); err != nil {
		return nil, v, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, v, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, v, err
	}
	v = versionOf(info) // what is read, should the name have moved on
	if err := checkMode(path, v.mode); err != nil {
		return nil, v, err
	}
	entries, err := Parse(f)
	var line *LineError
	if errors.As(err, &line) {
		line.File = path
	}
	return entries, v, err
}

func statVersion(path string) (version, error) {
	info, err := os.Stat(path)
	if err != nil {
		return version{}, err
	}
	return versionOf(info), nil
}

func versionOf(info fs.FileInfo) version {
	v := version{modified: info.ModTime(), size: info.Size(), mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = st.Ino
	}
	return v
}
