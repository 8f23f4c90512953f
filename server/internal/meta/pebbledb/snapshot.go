package pebbledb

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// snapshots lets Views between two Updates share one snapshot: closing a Pebble snapshot takes the lock of the engine
// and looks for compactions, which costs more than the reads of a small request.
//
// The engine keeps what a snapshot sees, so the shared one must not outlive the state it shows: forget, called by each
// Update once its batch is applied and before it returns, drops it. A View that begins after an Update has returned
// therefore never sees a state before that Update.
type snapshots struct {
	mu struct {
		sync.Mutex
		shared *snapshot // nil until a View asks
	}
}

// snapshot counts its users, one of which is snapshots while it is shared.
type snapshot struct {
	*pebble.Snapshot
	users int // guarded by snapshots.mu
}

// take gives a snapshot of now, to be given back with release.
func (s *snapshots) take(db *pebble.DB) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.shared == nil {
		s.mu.shared = &snapshot{Snapshot: db.NewSnapshot(), users: 1}
	}
	s.mu.shared.users++
	return s.mu.shared
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

// forget makes later Views take a new snapshot.
func (s *snapshots) forget() {
	s.mu.Lock()
	old := s.mu.shared
	s.mu.shared = nil
	s.mu.Unlock()
	if old != nil {
		s.release(old)
	}
}
