package blob

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Options of a Store of files.
type Options struct {
	FS FS // nil: the operating system's
}

// Files is a Store of files in a directory.
type Files struct {
	fs      FS
	dir     string // DIR/blobs
	buffers *Buffers
	syncs   dirSyncs
}

var _ Store = (*Files)(nil)

// copyBuffer is the length of the buffers that reads go through; a multiple of ChunkSize, and small enough that what was
// read and verified is still in a core's cache when it is sent.
const copyBuffer = 512 << 10

// Open opens or makes the store in dir. It fails when it cannot write there.
func Open(dir string, opt Options) (*Files, error) {
	if opt.FS == nil {
		opt.FS = OS{}
	}
	s := &Files{fs: opt.FS, dir: filepath.Join(dir, "blobs"), buffers: NewBuffers(32, copyBuffer)}
	s.syncs.fs = opt.FS
	if err := s.makeDirs(); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := s.probe(); err != nil {
		return nil, fmt.Errorf("data directory %s is not writable: %w", dir, err)
	}
	return s, nil
}

// makeDirs makes the directories that are missing, durably.
func (s *Files) makeDirs() error {
	if err := mkdirAll(s.fs, s.dir); err != nil {
		return err
	}
	there, err := s.fs.ReadDir(s.dir) // one look for all: over a network each takes its time
	if err != nil {
		return err
	}
	for i := range 256 {
		name := fmt.Sprintf("%02x", i)
		if slices.Contains(there, name) {
			continue
		}
		if _, err := s.fs.Mkdir(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return s.fs.SyncDir(s.dir)
}

func mkdirAll(fsys FS, dir string) error {
	made, err := fsys.Mkdir(dir)
	parent := filepath.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := mkdirAll(fsys, parent); err != nil {
			return err
		}
		made, err = fsys.Mkdir(dir)
	}
	if err != nil || !made {
		return err
	}
	return fsys.SyncDir(parent)
}

// probe makes and removes a file, to fail now rather than at the first request.
func (s *Files) probe() error {
	path := filepath.Join(s.dir, "probe-"+NewID(time.Now()).String())
	f, err := s.fs.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.fs.Remove(path))
}

// NewID makes an ID that no other equals: milliseconds in 6 bytes, so that IDs sort by age, and 10 random bytes.
func NewID(now time.Time) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16)
	rand.Read(id[6:]) // never fails
	return id
}

// Time is when NewID made the ID, by the clock of its maker.
func (id ID) Time() time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:]) >> 16)) }

func (s *Files) path(id ID) string { return filepath.Join(s.dirOf(id), id.String()) }

func (s *Files) dirOf(id ID) string { return filepath.Join(s.dir, id.String()[30:]) }

// Create implements Store.
func (s *Files) Create(ctx context.Context, id ID, size int64, label []byte) (Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(label) > MaxLabel {
		return nil, errLabel
	}
	if err := s.admit(max(size, 0)); err != nil {
		return nil, err
	}
	w := &writer{store: s, id: id, path: s.path(id), want: size, label: label}
	f, err := s.fs.Create(w.path)
	if err != nil {
		return nil, storageError(err)
	}
	w.file = f
	if size > 0 {
		if err := f.Allocate(trailer{chunk: ChunkSize, size: size, label: label}.fileSize()); err != nil {
			w.Abort()
			return nil, storageError(err)
		}
	}
	return w, nil
}

// Open implements Store.
func (s *Files) Open(ctx context.Context, id ID) (Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.fs.Open(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	t, err := readTrailer(f, id)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &reader{file: f, trailer: t, buffers: s.buffers}, nil
}

// Remove implements Store. The removal need not be durable: a blob that comes back is an orphan.
func (s *Files) Remove(_ context.Context, id ID) error {
	if err := s.fs.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// All implements Store. Files that are no blobs are left out.
func (s *Files) All(ctx context.Context, fn func(ID, Stat) error) error {
	for i := range 256 {
		sub := fmt.Sprintf("%02x", i)
		names, err := s.fs.ReadDir(filepath.Join(s.dir, sub))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			id, ok := ParseID(name)
			if !ok || name[30:] != sub {
				continue
			}
			stat, err := s.fs.Stat(s.path(id))
			if err != nil {
				continue // it went meanwhile, or is no file
			}
			if err := fn(id, stat); err != nil {
				return err
			}
		}
	}
	return nil
}

// storageError gives a full volume its name, and one that cannot be written.
func storageError(err error) error {
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
