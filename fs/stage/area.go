package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
)

// Errors of this package; match with errors.Is.
var (
	ErrNoSpace = errors.New("no space for local data") // disk, quota or KeepFree; the content is as before the call
	ErrInvalid = errors.New("invalid offset or length")
	ErrClosed  = os.ErrClosed
)

// Defaults of Options.
const (
	DefaultMemoryPerFile = 1 << 20
	DefaultMemoryTotal   = 64 << 20
)

// Options configure an Area. Sizes are bytes; zero values take the defaults.
type Options struct {
	Dir           string // for data that leaves memory; "" is os.TempDir()
	MemoryPerFile int64  // a file's written bytes stay in memory below this offset; negative: always on disk
	MemoryTotal   int64  // for all files together
	// KeepFree and KeepFreePercent are what must stay available in Dir's filesystem, in bytes and in percent of its
	// size; the larger one counts. A write that would go below gets ErrNoSpace.
	KeepFree        int64
	KeepFreePercent int
}

// Base reads bytes of the object version that a file is based on, as io.ReaderAt does. A readahead.Source is one.
type Base interface {
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
}

// Area is where all files of a mount keep their local data. It is safe for concurrent use.
type Area struct {
	dir       string
	memFile   int64
	memTotal  int64
	keepFree  int64
	keepShare int
	disk      disk

	memUsed   atomic.Int64
	allowance atomic.Int64 // bytes that may be written before free space is asked for again
	files     atomic.Int64
}

// New checks that local files can be made in o.Dir and returns an Area over it.
func New(o Options) (*Area, error) {
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	a := &Area{
		dir:       o.Dir,
		memFile:   withDefault(o.MemoryPerFile, DefaultMemoryPerFile),
		memTotal:  withDefault(o.MemoryTotal, DefaultMemoryTotal),
		keepFree:  o.KeepFree,
		keepShare: o.KeepFreePercent,
		disk:      osDisk{dir: o.Dir},
	}
	f, err := a.disk.create()
	if err != nil {
		return nil, fmt.Errorf("directory for local data %s: %w", o.Dir, err)
	}
	return a, f.Close()
}

// Close ends the use of the area. It is an error to leave files open: their data would still occupy the disk.
func (a *Area) Close() error {
	if n := a.files.Load(); n > 0 {
		return fmt.Errorf("stage: %d files are still open", n)
	}
	return nil
}

// NewFile returns a file of the given size whose bytes are base's. With a nil base they are zeros, and the file is
// dirty from the start since no object has that content. The caller closes the file, and base after it.
func (a *Area) NewFile(base Base, size int64) *File {
	f := &File{area: a, base: base}
	f.dirty = base == nil
	kind := kindBase
	if base == nil {
		kind = kindZero
	}
	f.content.set(0, size, kind)
	a.files.Add(1)
	return f
}

func withDefault(v, def int64) int64 {
	if v == 0 {
		return def
	}
	return v
}

// reserveMemory takes n bytes from the memory budget, if they are there.
func (a *Area) reserveMemory(n int64) bool {
	if a.memUsed.Add(n) <= a.memTotal {
		return true
	}
	a.memUsed.Add(-n)
	return false
}

func (a *Area) releaseMemory(n int64) { a.memUsed.Add(-n) }

// allowanceStep bounds how much is written between two looks at the free space.
const allowanceStep = 64 << 20

// reserveDisk checks that n more bytes keep the area's promise of free space. It asks the filesystem only once per
// allowanceStep, as KeepFree is a courtesy to others on the disk; the disk's own limit is found by writing.
func (a *Area) reserveDisk(n int64) error {
	if a.keepFree <= 0 && a.keepShare <= 0 {
		return nil
	}
	if a.allowance.Add(-n) >= 0 {
		return nil
	}
	free, total, err := a.disk.space()
	if err != nil {
		return fmt.Errorf("free space of %s: %w", a.dir, err)
	}
	keep := max(a.keepFree, int64(float64(total)/100*float64(a.keepShare)))
	left := free - keep - n
	if left < 0 {
		a.allowance.Store(0)
		return fmt.Errorf("%w: %d bytes must stay free in %s", ErrNoSpace, keep, a.dir)
	}
	a.allowance.Store(min(left, allowanceStep))
	return nil
}

// checkRange refuses what cannot be a range of a file.
func checkRange(off, n int64) error {
	if off < 0 || n < 0 || off > math.MaxInt64-n {
		return fmt.Errorf("%w: %d bytes at %d", ErrInvalid, n, off)
	}
	return nil
}
