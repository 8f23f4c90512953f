package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// Errors of this package; match with errors.Is.
var (
	ErrFull    = errors.New("no room in the journal")                    // disk, quota, KeepFree or MaxBytes
	ErrLocked  = errors.New("another process has the journal open")      // at OpenDir
	ErrOwner   = errors.New("the journal belongs to another mount")      // at Open; the text says to which
	ErrVersion = errors.New("the journal is of another program version") // at Open
	ErrDamaged = errors.New("the journal is damaged")                    // the bytes of an entry are not what was written
	ErrKept    = errors.New("the entry has no bytes to keep")
	ErrClosed  = errors.New("the journal is closed")
)

// Defaults of Options, in bytes.
const (
	DefaultInlineMax   = 256 << 10
	DefaultSegmentSize = 16 << 20
)

// Options configure a Journal. Sizes are bytes; zero values take the defaults.
type Options struct {
	Owner       string // what the entries belong to, at most 4 KiB; shown to users
	InlineMax   int64  // contents up to this size lie in the log
	SegmentSize int64  // a segment that has reached it gets no more records
	MaxBytes    int64  // for the bytes of all entries; 0: what the disk has
	KeepFree    int64  // what must stay free on the disk

	Log *slog.Logger // nil discards
}

// Extent is a range of a file.
type Extent struct{ Off, Len int64 }

// Content are the bytes of an entry: ranges of a file, ascending and not overlapping, which Data has at their offsets.
type Content struct {
	Extents []Extent
	Data    io.ReaderAt

	// Give, if it is not nil, has keep called with a file that has the bytes of the only extent, and nothing else, and that nobody
	// writes to from then on, and with their CRC-32C. It reports false where there is no such file, or keep has failed: then the
	// bytes are copied.
	Give func(keep func(f *os.File, sum uint32) error) (bool, error)
}

// Change is a new state of an entry.
type Change struct {
	ID      uint64 // from NewID
	Info    []byte
	Content *Content // nil keeps the bytes that the entry has: ErrKept if it has none
}

// Ref is one state of an entry.
type Ref struct{ ID, Seq uint64 }

// Entry is an entry as Open found it.
type Entry struct {
	Ref
	Info    []byte
	Extents []Extent
}

// Stats are what a journal holds.
type Stats struct {
	Entries int
	Bytes   int64 // of their contents
	Disk    int64 // of segments and data files
}

// Journal is safe for concurrent use.
type Journal struct {
	fs  FS
	opt Options
	log *slog.Logger

	room  room
	segno uint64        // of the last segment that was made; the writer's own
	work  chan struct{} // holds something when the writer has to look
	done  chan struct{} // closed when the writer has ended

	mu struct {
		sync.Mutex
		closed  bool
		damaged bool // Open has found something
		writing bool // the writer has taken a batch

		id, seq, file uint64 // the last that were given
		live          map[uint64]*entry
		coming        map[uint64]int // Puts of an ID that are being written
		bytes         int64          // of the contents in live
		batch         *batch         // being gathered; nil: none
		owed          []change       // Forgets that are not written
		unsynced      []change       // Forgets that are written but not synced
		doubtful      []record       // Puts that have failed and may be on disk all the same (retract.go)
		doomed        []uint64       // data files of entries whose Forget is not synced
		segments      []*segment     // ascending; the writer appends to the last one if it is open
	}
}

// entry is what is known of a live entry.
type entry struct {
	seq     uint64
	info    []byte
	record  *segment // has the last change
	content content
}

// content is where the bytes of an entry are.
type content struct {
	place   place
	extents []Extent
	bytes   int64
	segment *segment // inline: they lie there one after the other, from at
	at      int64
	file    uint64 // data file
	sum     uint32 // of its bytes
}

// NewID returns a number that no entry has had.
func (j *Journal) NewID() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.id++
	return j.mu.id
}

// Stats returns what the journal holds.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{Entries: len(j.mu.live), Bytes: j.mu.bytes}
	for _, seg := range j.mu.segments {
		s.Disk += seg.size
	}
	for _, e := range j.mu.live {
		if e.content.place == placeFile {
			s.Disk += e.content.bytes
		}
	}
	return s
}

// Entries returns all entries, in the order of their last changes.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Entry, 0, len(j.mu.live))
	for id, e := range j.mu.live {
		list = append(list, Entry{Ref: Ref{id, e.seq}, Info: e.info, Extents: e.content.extents})
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	})
	return list
}

// Extents returns the ranges of a file that an entry has; none for one that is not there.
func (j *Journal) Extents(id uint64) []Extent {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.mu.live[id]; e != nil {
		return slices.Clone(e.content.extents)
	}
	return nil
}

// Read calls fn with the bytes of an entry piece by piece, and checks that they are those that were written: ErrDamaged
// comes when fn may have seen wrong ones. fn must not keep p.
func (j *Journal) Read(id uint64, fn func(p []byte, off int64) error) error {
	j.mu.Lock()
	e := j.mu.live[id]
	if e == nil {
		j.mu.Unlock()
		return fmt.Errorf("journal entry %d: %w", id, ErrKept)
	}
	c := e.content
	if c.segment != nil {
		c.segment.live++ // it must not be closed meanwhile
	}
	j.mu.Unlock()
	err := j.readContent(c, fn)
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.segment != nil {
		c.segment.live--
	}
	if err != nil {
		return fmt.Errorf("journal entry %d: %w", id, err)
	}
	return nil
}

// Close waits until all is written and synced, and ends the use of the journal, whose entries stay.
func (j *Journal) Close() error {
	err := j.Barrier()
	j.mu.Lock()
	if j.mu.closed {
		j.mu.Unlock()
		return nil
	}
	j.mu.closed = true
	j.wake()
	j.mu.Unlock()
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.live) == 0 { // also if Forgets could not be written, as on a full disk
		err = j.removeAllLocked()
	}
	for _, seg := range j.mu.segments {
		err = errors.Join(err, seg.file.Close())
	}
	j.mu.segments = nil
	return err
}
