package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"pail/server/internal/meta"
)

// The names of events, S3's where S3 has them.
const (
	EventPut          = "s3:ObjectCreated:Put"
	EventCopy         = "s3:ObjectCreated:Copy"
	EventComplete     = "s3:ObjectCreated:CompleteMultipartUpload"
	EventAppend       = "s3:ObjectCreated:Append" // not S3's
	EventPatch        = "s3:ObjectCreated:Patch"  // not S3's
	EventRenamed      = "s3:ObjectCreated:Rename" // not S3's; of a prefix, once, with its key
	EventDelete       = "s3:ObjectRemoved:Delete"
	EventDeleteMarker = "s3:ObjectRemoved:DeleteMarkerCreated"
	EventRenamedAway  = "s3:ObjectRemoved:Rename" // not S3's; of a prefix, once, with its key
	EventTagging      = "s3:ObjectTagging:Put"
)

// Event is a change that is durable.
type Event struct {
	Name      string
	Bucket    string
	Key       string
	Size      int64
	ETag      string // without quotes
	VersionID string
	Time      time.Time
	Sequence  uint64 // grows with each change that this process tells of, in the order of the changes
	id        meta.BucketID
}

// hub hands events to listeners. It never waits for one.
type hub struct {
	sequence atomic.Uint64
	mu       struct {
		sync.RWMutex
		listeners map[*Listener]struct{}
		down      bool // no events come from the database
	}
}

// Listener receives the events of a bucket.
type Listener struct {
	store  *Store
	id     meta.BucketID
	bucket string
	events chan Event
	once   sync.Once
}

// Listen begins to receive the changes of a bucket that are made through this Store, or through any that shares its database,
// from now on. When more than queue of
// them wait to be received, the Listener has ended: its channel is closed after the last of them, and what follows is
// lost to it. The caller closes the Listener.
func (s *Store) Listen(ctx context.Context, bucket string, queue int) (*Listener, error) {
	l := &Listener{store: s, bucket: bucket, events: make(chan Event, queue)}
	err := s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		l.id = b.id
		return err
	})
	if err != nil {
		return nil, err
	}
	h := &s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.down {
		return nil, ErrUnavailable
	}
	if h.mu.listeners == nil {
		h.mu.listeners = make(map[*Listener]struct{})
	}
	h.mu.listeners[l] = struct{}{}
	return l, nil
}

// Events is closed when the Listener is, by Close or by falling behind.
func (l *Listener) Events() <-chan Event { return l.events }

// Close ends the Listener. It may be called twice.
func (l *Listener) Close() {
	h := &l.store.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	l.endLocked()
}

// endLocked is called with hub.mu held for writing.
func (l *Listener) endLocked() {
	l.once.Do(func() {
		delete(l.store.hub.mu.listeners, l)
		close(l.events)
	})
}

// EndListeners ends all Listeners, and all holders of leases.
func (s *Store) EndListeners() {
	if s.leases != nil {
		s.leases.Close()
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for l := range s.hub.mu.listeners {
		l.endLocked()
	}
}

// publish hands on the events of a transaction that is durable.
func (h *hub) publish(events []Event) {
	if len(events) == 0 {
		return
	}
	h.mu.RLock()
	var behind []*Listener
	for l := range h.mu.listeners {
		if !l.take(events) {
			behind = append(behind, l)
		}
	}
	h.mu.RUnlock()
	if behind == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range behind {
		l.endLocked()
	}
}

// take queues the events of the Listener's bucket, and reports whether there was room.
func (l *Listener) take(events []Event) bool {
	for _, e := range events {
		if e.id != l.id {
			continue
		}
		e.Bucket = l.bucket
		select {
		case l.events <- e:
		default:
			return false
		}
	}
	return true
}

// event notes a change that listeners learn of when the transaction is durable. Transactions run one at a time, so the
// sequence is theirs.
func (x *tx) event(name string, b bucketRow, key string, row *objectRow) {
	e := Event{Name: name, Key: key, Sequence: x.store.hub.sequence.Add(1), id: b.id}
	if row != nil {
		e.Size, e.VersionID, e.Time = row.size, row.versionText(), row.modified
		if !row.marker {
			e.ETag = row.etagText()
		}
	}
	if e.Time.IsZero() || row.marker {
		e.Time = x.store.now()
	}
	x.events = append(x.events, e)
}
