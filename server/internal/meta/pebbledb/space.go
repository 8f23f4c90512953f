package pebbledb

import (
	"time"

	"pail/server/internal/meta"
)

// Room that is kept free on the volume: for writes, and for batches that delete, which lead out of the shortage. Of a
// small volume it is a share.
const (
	reserve        = 128 << 20
	reserveDeletes = 32 << 20
	reserveShare   = 8 // 1/8 of the volume at most, a quarter of that for deletions; what was written is yet to be flushed

	spaceInterval = time.Second // between two looks at the volume,
	spaceBytes    = 8 << 20     // unless that much was written,
	scarce        = 4 * reserve // or so little is left: a new log takes room for all that it may hold at once
)

// space watches the free room of the volume. It is for one goroutine at a time.
type space struct {
	looked  time.Time
	written int64 // since
	free    int64 // then
	total   int64 // 0: not known
}

// admit refuses a batch of n bytes when the room is short.
func (s *space) admit(db *DB, n int64, deletes bool) error {
	now := time.Now()
	if s.free < scarce || s.written+n > spaceBytes || now.Sub(s.looked) > spaceInterval || s.short(n, deletes) {
		s.look(db, now)
	}
	if s.short(n, deletes) {
		return meta.ErrNoSpace
	}
	s.written += n
	return nil
}

func (s *space) short(n int64, deletes bool) bool {
	if s.total == 0 {
		return false
	}
	keep := min(reserve, s.total/reserveShare)
	if deletes {
		keep = min(reserveDeletes, s.total/reserveShare/4)
	}
	return s.free-s.written-n < keep
}

func (s *space) look(db *DB, now time.Time) {
	*s = space{looked: now}
	if u, err := db.fs.GetDiskUsage(db.dir); err == nil {
		s.free, s.total = int64(u.AvailBytes), int64(u.TotalBytes)
	}
}
