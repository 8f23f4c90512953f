package journal_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"pail/fs/journal"
	"pail/fs/journal/journaltest"
)

// failingDisk is a disk that cannot be synced, nor what is written be read, while it is broken.
type failingDisk struct {
	*journaltest.MemFS
	broken atomic.Bool
}

var errBroken = errors.New("the disk is broken")

func (d *failingDisk) Create(name string) (journal.File, error) {
	f, err := d.MemFS.Create(name)
	return failingFile{f, d}, err
}

type failingFile struct {
	journal.File
	d *failingDisk
}

func (f failingFile) ReadAt(p []byte, off int64) (int, error) {
	if f.d.broken.Load() {
		return 0, errBroken
	}
	return f.File.ReadAt(p, off)
}

func (f failingFile) Sync() error {
	if f.d.broken.Load() {
		return errBroken
	}
	return f.File.Sync()
}

// An entry whose change could not be written, as what may be on disk of an earlier one could not be taken back, can be changed
// and ended when the disk works again.
func TestEntriesEndAfterADiskThatCouldNotBeRead(t *testing.T) {
	disk := &failingDisk{MemFS: journaltest.New()}
	j := open(t, disk)
	id := j.NewID()
	put(t, j, id, "1", "old")
	disk.broken.Store(true)
	for range 2 {
		if _, err := j.Put([]journal.Change{{ID: id, Info: []byte("2"), Content: bytesOf("new")}}); !errors.Is(err, errBroken) {
			t.Errorf("a broken disk: %v", err)
		}
	}
	disk.broken.Store(false)
	want(t, j, map[uint64]string{id: "1=0:old;"})
	ref := put(t, j, id, "3", "newer")
	want(t, j, map[uint64]string{id: "3=0:newer;"})
	j.Forget(ref)
	want(t, j, map[uint64]string{})
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
