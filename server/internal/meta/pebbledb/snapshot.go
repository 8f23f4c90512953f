package pebbledb

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// snapshots has the state that Views see: what the last Update that is durable has left. Each Update takes a snapshot when its
// batch is applied, while nothing else can be, and shows it when the log is synced, before it returns. So a View sees all
// Updates that have returned, and nothing that a power cut could take back.
//
// Views share the snapshot: closing one takes the lock of the engine and looks for compactions, which costs more than the
// reads of a small request. The engine keeps what a snapshot sees, so none outlives the state it shows but for those who
// use it.
type snapshots struct {
	made uint64 // guarded by DB.writer
	mu   struct {
		sync.Mutex
		shown *snapshot
	}
}

// snapshot counts its users, one of which is snapshots while it is shown.
type snapshot struct {
	*pebble.Snapshot
	number uint64 // of those made before
	users  int    // guarded by snapshots.mu
}

// make gives the state of now, to be given back with release. Nothing may be applied meanwhile.
func (s *snapshots) make(db *pebble.DB) *snapshot {
	s.made++
	return &snapshot{Snapshot: db.NewSnapshot(), number: s.made, users: 1}
}

// take gives the snapshot that is shown, to be given back with release.
func (s *snapshots) take() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.shown.users++
	return s.mu.shown
}

// release ends one use, and closes the snapshot with the last one.
func (s *snapshots) release(p *snapshot) {
	s.mu.Lock()
	p.users--
	last := p.users == 0
	s.mu.Unlock()
	if last {
		_ = p.Close() // an open snapshot of an open database has no way to fail
	}
}

// show gives later Views that snapshot, unless they see a later one: Updates whose batches one sync made durable come here in
// any order. nil ends all showing.
func (s *snapshots) show(p *snapshot) {
	s.mu.Lock()
	old := s.mu.shown
	if p != nil && old != nil && old.number >= p.number {
		s.mu.Unlock()
		return
	}
	if p != nil {
		p.users++
	}
	s.mu.shown = p
	s.mu.Unlock()
	if old != nil {
		s.release(old)
	}
}
