// Package pebbletest opens Pebble databases on a disk in memory that can lose power, for tests of what stands on them.
package pebbletest

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"pail/server/internal/meta"
	"pail/server/internal/meta/pebbledb"
)

// Disk holds one database.
type Disk struct {
	fs   *vfs.MemFS
	hook func()
}

// NewDisk makes an empty disk. hook, which may be nil, is called before each operation on the disk; it may call Crash.
func NewDisk(hook func()) *Disk { return &Disk{vfs.NewCrashableMem(), hook} }

// Open opens the database with little memory.
func (d *Disk) Open() (meta.DB, error) {
	var fs vfs.FS = d.fs
	if d.hook != nil {
		fs = errorfs.Wrap(fs, errorfs.InjectorFunc(func(errorfs.Op) error { d.hook(); return nil }))
	}
	return pebbledb.Open("meta", pebbledb.Options{FS: fs, CacheSize: 1 << 20, MemTableSize: 256 << 10})
}

// Crash gives the disk as it may be found after a power cut at this moment, each unsynced block being there at a chance
// of percent. It has no hook.
func (d *Disk) Crash(rnd *rand.Rand, percent int) *Disk {
	return &Disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rnd})}
}
