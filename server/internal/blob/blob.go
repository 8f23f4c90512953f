package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"
)

var (
	// ErrNotFound means that there is no blob of that ID.
	ErrNotFound = errors.New("blob: no such blob")
	// ErrDamaged means that the bytes on disk are not those that were written. *DamagedError says where.
	ErrDamaged = errors.New("blob: damaged")
	// ErrNoSpace means that the volume has no room for the blob.
	ErrNoSpace = errors.New("blob: no space left for data")
	// ErrReadOnly means that the volume cannot be written, as the kernel makes one whose disk fails.
	ErrReadOnly = errors.New("blob: the volume is read-only")
)

// ID names a blob for ever; it is never used again.
type ID [16]byte

// String gives the ID as 32 lower-case hexadecimal digits, the name of its file.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 2*len(id) {
		return ID{}, false
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, false
	}
	return id, true
}

// Store keeps immutable blobs. All methods are safe for concurrent use.
type Store interface {
	// Create begins a blob of that ID, a new one of NewID. size is its length in bytes, whose room is reserved at once,
	// or -1 when it is not known. label, of MaxLabel bytes at most, is kept with the blob.
	Create(ctx context.Context, id ID, size int64, label []byte) (Writer, error)
	// Open opens a committed blob.
	Open(ctx context.Context, id ID) (Blob, error)
	// Remove removes a blob; removing one that is not there is no error. Readers that have it open go on.
	Remove(ctx context.Context, id ID) error
	// All calls fn for every file there, committed or not, until fn fails. Blobs that come or go meanwhile may or
	// may not be among them.
	All(ctx context.Context, fn func(ID, Stat) error) error
}

// Stat describes the file of a blob.
type Stat struct {
	Bytes    int64 // on disk, with checksums
	Modified time.Time
}

// Writer writes one blob. It is for one goroutine. It ends with Commit or Abort; Abort after Commit does nothing.
type Writer interface {
	io.Writer
	// Commit makes the blob durable. When it fails, the blob is gone.
	Commit() error
	// Abort removes the blob.
	Abort()
}

// Blob is an open blob. Its methods are safe for concurrent use.
type Blob interface {
	// ReadAt reads verified bytes only. Damage is ErrDamaged.
	io.ReaderAt
	// Size is the number of object bytes.
	Size() int64
	// Label is what Create was given, nil for nothing.
	Label() []byte
	// CopyRange writes bytes off to off+n to w, each verified before it is handed out. The range must lie within the
	// blob.
	CopyRange(w io.Writer, off, n int64) (int64, error)
	// File gives the file, whose first Size bytes are the object's, or nil when the blob is in no file. It belongs to
	// the Blob. Bytes read through it are not verified.
	File() *os.File
	Close() error
}
