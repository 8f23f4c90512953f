// Package journaltest has a file system in memory whose power can be cut, for tests of package journal and of what stands
// on it.
package journaltest

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"pail/fs/journal"
)

// block is the unit in which unsynced data may or may not reach the disk.
const block = 512

// MemFS is a journal.FS in memory. It is safe for concurrent use.
type MemFS struct {
	// Hook, when set before use, is called at the start of each call that changes something with its name ("create", "adopt",
	// "write", "truncate", "sync", "remove", "rename", "syncdir") and the file; an error fails the call. It may call
	// Crash.
	Hook func(op, name string) error
	// Capacity, when set before use, is the number of bytes that fit.
	Capacity int64

	mu      sync.Mutex
	used    int64
	written int64
	now     map[string]*node // as a reader sees it
	durable map[string]*node // as the last SyncDir left it
}

type node struct {
	data   []byte
	synced []byte // data at the last Sync
}

var _ journal.FS = (*MemFS)(nil)

// New makes an empty file system.
func New() *MemFS { return &MemFS{now: map[string]*node{}, durable: map[string]*node{}} }

// Crash gives the file system as it may be found after a power cut at this moment: with all that was synced, and with
// each unsynced block and name at a chance of percent.
func (m *MemFS) Crash(rnd *rand.Rand, percent int) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	lucky := func() bool { return rnd.IntN(100) < percent }
	after := New()
	after.Capacity = m.Capacity
	names := maps.Clone(m.now)
	maps.Copy(names, m.durable)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := m.durable[name]
		if m.now[name] != n && lucky() {
			n = m.now[name]
		}
		if n != nil {
			after.now[name] = n.crash(lucky)
			after.used += int64(len(after.now[name].data))
		}
	}
	after.durable = maps.Clone(after.now)
	return after
}

// Kill gives the file system as it is found after a kill -9: with all that was written.
func (m *MemFS) Kill() *MemFS { return m.Crash(rand.New(rand.NewPCG(1, 1)), 100) }

func (n *node) crash(lucky func() bool) *node {
	data := slices.Clone(n.synced)
	if len(n.data) < len(data) && lucky() {
		data = data[:len(n.data)]
	}
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
	return &node{data: data, synced: slices.Clone(data)}
}

// Written is how many bytes were written so far.
func (m *MemFS) Written() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written
}

// Corrupt flips a bit of a file, which must be there.
func (m *MemFS) Corrupt(name string, bit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now[name].data[bit/8] ^= 1 << (bit % 8)
}

// Bytes gives the bytes of a file.
func (m *MemFS) Bytes(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.now[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

func (m *MemFS) hook(op, name string) error {
	if m.Hook == nil {
		return nil
	}
	if err := m.Hook(op, name); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Create implements journal.FS.
func (m *MemFS) Create(name string) (journal.File, error) {
	if err := m.hook("create", name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &node{}
	m.now[name] = n
	return &file{m, name, n}, nil
}

// Adopt implements journal.FS: with a copy, as f is no file of this file system. Its bytes are not Written.
func (m *MemFS) Adopt(f *os.File, name string) (journal.File, error) {
	if err := m.hook("adopt", name); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Capacity > 0 && m.used+int64(len(data)) > m.Capacity {
		return nil, &fs.PathError{Op: "adopt", Path: name, Err: journal.ErrFull}
	}
	n := &node{data: data}
	m.now[name], m.used = n, m.used+int64(len(data))
	return &file{m, name, n}, nil
}

// Open implements journal.FS.
func (m *MemFS) Open(name string) (journal.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.now[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{m, name, n}, nil
}

// Remove implements journal.FS.
func (m *MemFS) Remove(name string) error {
	if err := m.hook("remove", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.now[name]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.now, name)
	m.used -= int64(len(n.data))
	return nil
}

// Rename implements journal.FS.
func (m *MemFS) Rename(from, to string) error {
	if err := m.hook("rename", from); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.now[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	m.now[to] = n
	delete(m.now, from)
	return nil
}

// List implements journal.FS.
func (m *MemFS) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.now)), nil
}

// SyncDir implements journal.FS.
func (m *MemFS) SyncDir() error {
	if err := m.hook("syncdir", ""); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable = maps.Clone(m.now)
	return nil
}

// Free implements journal.FS.
func (m *MemFS) Free() (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Capacity - m.used, nil
}

type file struct {
	fs   *MemFS
	name string
	n    *node
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes what fits.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.hook("write", f.name); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.written += int64(len(p))
	grow := off + int64(len(p)) - int64(len(f.n.data))
	var err error
	if f.fs.Capacity > 0 && grow > 0 && f.fs.used+grow > f.fs.Capacity {
		short := min(f.fs.used+grow-f.fs.Capacity, int64(len(p)))
		p = p[:int64(len(p))-short]
		grow -= short
		err = &fs.PathError{Op: "write", Path: f.name, Err: fmt.Errorf("%w: the disk is full", journal.ErrFull)}
	}
	if grow > 0 {
		f.n.data = append(f.n.data, make([]byte, grow)...)
		f.fs.used += grow
	}
	return copy(f.n.data[min(off, int64(len(f.n.data))):], p), err
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.hook("truncate", f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.used -= int64(len(f.n.data)) - size
	f.n.data = f.n.data[:size:size]
	return nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *file) Sync() error {
	if err := f.fs.hook("sync", f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.n.synced = slices.Clone(f.n.data)
	return nil
}

func (f *file) Close() error { return nil }
