// Package blobtest helps to test blobs and what stands on them: a file system in memory that can lose power, run full,
// and fail at a chosen call.
package blobtest

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"pail/server/internal/blob"
)

// block is the unit in which unsynced data may or may not reach the disk.
const block = 4096

// MemFS is a blob.FS in memory. It is safe for concurrent use.
type MemFS struct {
	// Hook, when set before use, is called at the start of each call with its name ("create", "write", "sync",
	// "syncdir", "remove", ...) and path; an error fails the call. It may call Crash.
	Hook func(op, path string) error
	// Capacity, when set before use, is the number of bytes that fit.
	Capacity int64

	mu   sync.Mutex
	used int64
	dirs map[string]*dir // by path
}

// dir is a directory. Directories are durable at once, but their entries are not.
type dir struct {
	now     map[string]*node // by name: as a reader sees it
	durable map[string]*node // as the last SyncDir left it
}

// node is a file.
type node struct {
	data   []byte
	synced []byte // data at the last Sync
	shared bool   // the bytes of data are those of synced, or of a file after a crash: what changes them copies them first
}

// own makes the bytes of data the node's own.
func (n *node) own() {
	if n.shared {
		n.data, n.shared = slices.Clone(n.data), false
	}
}

// settle makes the data durable.
func (n *node) settle() { n.synced, n.shared = n.data, true }

func newDir() *dir { return &dir{map[string]*node{}, map[string]*node{}} }

var _ blob.FS = (*MemFS)(nil)

// NewMemFS makes a file system with a root directory "/".
func NewMemFS() *MemFS { return &MemFS{dirs: map[string]*dir{"/": newDir()}} }

// Crash gives the file system as it may be found after a power cut at this moment: with all that was synced, and with
// each unsynced block and directory entry at a chance of percent. While during runs, nothing changes here; so other
// storage can be cut at the same moment.
func (m *MemFS) Crash(rnd *rand.Rand, percent int, during func()) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	during()
	lucky := func() bool { return rnd.IntN(100) < percent }
	after := NewMemFS()
	after.Capacity = m.Capacity
	for path, d := range m.dirs {
		after.dirs[path] = d.crash(lucky)
		for _, n := range after.dirs[path].now {
			after.used += int64(len(n.data))
		}
	}
	return after
}

func (d *dir) crash(lucky func() bool) *dir {
	after := newDir()
	for name, n := range d.now {
		if d.durable[name] == n || lucky() {
			after.now[name] = n.crash(lucky)
		}
	}
	for name, n := range d.durable {
		if d.now[name] == nil && lucky() { // the removal was not synced
			after.now[name] = n.crash(lucky)
		}
	}
	after.durable = maps.Clone(after.now)
	return after
}

func (n *node) crash(lucky func() bool) *node {
	if n.shared {
		return &node{data: n.data, synced: n.data, shared: true}
	}
	data := append([]byte(nil), n.synced...)
	for off := 0; off < len(n.data); off += block {
		if !lucky() {
			continue
		}
		end := min(off+block, len(n.data))
		if end > len(data) {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[off:end], n.data[off:end])
	}
	after := &node{data: data}
	after.settle()
	return after
}

// Corrupt flips a bit of the file, which must be there.
func (m *MemFS) Corrupt(path string, bit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.fileLocked(path)
	f.own()
	f.data[bit/8] ^= 1 << (bit % 8)
}

// Truncate cuts the file, which must be there.
func (m *MemFS) Truncate(path string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.fileLocked(path)
	f.own()
	f.data = f.data[:n]
}

// Files gives the paths of all files.
func (m *MemFS) Files() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for path, d := range m.dirs {
		for name := range d.now {
			list = append(list, filepath.Join(path, name))
		}
	}
	return list
}

// fileLocked finds a file, or gives nil.
func (m *MemFS) fileLocked(path string) *node {
	d := m.dirs[filepath.Dir(path)]
	if d == nil {
		return nil
	}
	return d.now[filepath.Base(path)]
}

func (m *MemFS) hook(op, path string) error {
	if m.Hook == nil {
		return nil
	}
	if err := m.Hook(op, path); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	return nil
}

func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// Mkdir implements blob.FS.
func (m *MemFS) Mkdir(path string) (made bool, err error) {
	if err := m.hook("mkdir", path); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[path] != nil {
		return false, nil
	}
	if m.dirs[filepath.Dir(path)] == nil || m.fileLocked(path) != nil {
		return false, pathError("mkdir", path, fs.ErrNotExist)
	}
	m.dirs[path] = newDir()
	return true, nil
}

// Create implements blob.FS.
func (m *MemFS) Create(path string) (blob.File, error) {
	if err := m.hook("create", path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dirs[filepath.Dir(path)]
	if d == nil {
		return nil, pathError("create", path, fs.ErrNotExist)
	}
	if m.dirs[path] != nil || m.fileLocked(path) != nil {
		return nil, pathError("create", path, fs.ErrExist)
	}
	n := &node{}
	d.now[filepath.Base(path)] = n
	return &file{fs: m, node: n, path: path}, nil
}

// Open implements blob.FS.
func (m *MemFS) Open(path string) (blob.File, error) {
	if err := m.hook("open", path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.fileLocked(path)
	if n == nil {
		return nil, pathError("open", path, fs.ErrNotExist)
	}
	return &file{fs: m, node: n, path: path}, nil
}

// Remove implements blob.FS.
func (m *MemFS) Remove(path string) error {
	if err := m.hook("remove", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.fileLocked(path)
	if n == nil {
		return pathError("remove", path, fs.ErrNotExist)
	}
	delete(m.dirs[filepath.Dir(path)].now, filepath.Base(path))
	m.used -= int64(len(n.data))
	return nil
}

// ReadDir implements blob.FS.
func (m *MemFS) ReadDir(path string) ([]string, error) {
	if err := m.hook("readdir", path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dirs[path]
	if d == nil {
		return nil, pathError("readdir", path, fs.ErrNotExist)
	}
	return slices.Collect(maps.Keys(d.now)), nil
}

// Stat implements blob.FS.
func (m *MemFS) Stat(path string) (blob.Stat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.fileLocked(path)
	if n == nil {
		return blob.Stat{}, pathError("stat", path, fs.ErrNotExist)
	}
	return blob.Stat{Bytes: int64(len(n.data)), Modified: time.Unix(1, 0)}, nil
}

// SyncDir implements blob.FS.
func (m *MemFS) SyncDir(path string) error {
	if err := m.hook("syncdir", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dirs[path]
	if d == nil {
		return pathError("syncdir", path, fs.ErrNotExist)
	}
	d.durable = maps.Clone(d.now)
	return nil
}

type file struct {
	fs   *MemFS
	node *node
	path string
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.hook("read", f.path); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.hook("write", f.path); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.growLocked(off + int64(len(p))); err != nil {
		return 0, err
	}
	f.node.own()
	return copy(f.node.data[off:], p), nil
}

func (f *file) growLocked(size int64) error {
	grow := size - int64(len(f.node.data))
	if grow <= 0 {
		return nil
	}
	if f.fs.Capacity > 0 && f.fs.used+grow > f.fs.Capacity {
		return pathError("write", f.path, syscall.ENOSPC)
	}
	f.fs.used += grow
	f.node.own()
	f.node.data = append(f.node.data, make([]byte, grow)...)
	return nil
}

func (f *file) Allocate(n int64) error {
	if err := f.fs.hook("allocate", f.path); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.growLocked(n)
}

func (f *file) Sync() error {
	if err := f.fs.hook("sync", f.path); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.settle()
	return nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) Close() error     { return nil }
func (f *file) OSFile() *os.File { return nil }
