package pebbledb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"pail/server/internal/meta"
)

// Options of a database. The zero value is right for a server.
type Options struct {
	FS           vfs.FS       // nil: the operating system's
	Log          *slog.Logger // nil: discarded
	CacheSize    int64        // of blocks, in bytes; 0: 48 MiB
	MemTableSize uint64       // in bytes; 0: 16 MiB

	// Prove, unless nil, is called before any View or Update returns, and after what it wrote is durable. Its error is
	// the outcome then, whatever it was otherwise.
	Prove func() error
}

// engineFormat is Pebble's own format. It is pinned: a newer library must not make a database that an older pail
// cannot open, unless we decide so.
const engineFormat = pebble.FormatValueSeparation

// Open opens or creates the database in dir. A directory that another process uses is meta.ErrLocked, one that another
// version of pail wrote is meta.ErrVersion.
func Open(dir string, opt Options) (*DB, error) {
	opt = opt.withDefaults()
	if err := opt.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("metadata directory %s: %w", dir, err)
	}
	lock, err := lockDir(dir, opt.FS)
	if err != nil {
		return nil, err
	}
	db, err := open(dir, opt, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return db, nil
}

func open(dir string, opt Options, lock *pebble.Lock) (*DB, error) {
	p, err := pebble.Open(dir, opt.pebble(lock))
	if err != nil && pebble.IsCorruptionError(err) {
		return nil, fmt.Errorf("metadata directory %s: %w: %w", dir, meta.ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("metadata directory %s: %w", dir, err)
	}
	db := &DB{dir: dir, fs: opt.FS, pebble: p, lock: lock, prove: opt.Prove, writer: make(chan struct{}, 1)}
	found := db.snapshots.make(p)
	db.snapshots.show(found)
	db.snapshots.release(found)
	if err := db.Update(context.Background(), meta.CheckFormat); err != nil {
		db.snapshots.show(nil)
		return nil, errors.Join(fmt.Errorf("metadata directory %s: %w", dir, err), p.Close())
	}
	return db, nil
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prove == nil {
		o.Prove = func() error { return nil }
	}
	if o.CacheSize == 0 {
		o.CacheSize = 48 << 20
	}
	if o.MemTableSize == 0 {
		o.MemTableSize = 16 << 20
	}
	return o
}

func (o Options) pebble(lock *pebble.Lock) *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		Lock:                        lock,
		Logger:                      logger{o.Log},
		FormatMajorVersion:          engineFormat,
		CacheSize:                   o.CacheSize,
		MemTableSize:                o.MemTableSize,
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                500,
	}
	p.EventListener = new(reportDamage(o.Log))
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most reads before a write find nothing
	}
	return p
}
