package store

import (
	"context"
	"time"

	"pail/server/internal/meta"
)

// Where several Stores share a database, events are messages of the transactions, which each Store gets from the database.

// send has the database tell all Stores of an event.
func (x *tx) send(e *Event) { x.Txn.(meta.Sender).Send(e.encode()) }

// receive hands on the events of all Stores until ctx ends. Listeners end whenever some may have been missed.
func (s *Store) receive(ctx context.Context) {
	h := &s.hub
	s.db.(meta.Messenger).Receive(ctx, func(message []byte) {
		e, err := decodeEvent(message)
		if err != nil {
			s.log.Error("store: an event cannot be read", "err", err)
			return
		}
		e.Sequence = h.sequence.Add(1)
		h.publish([]Event{e})
	}, func() {
		// Sequences of this process are later than those of an earlier one that its clients have asked.
		h.sequence.Store(max(h.sequence.Load(), uint64(s.now().UnixNano())))
		h.setDown(false)
	}, func() {
		h.setDown(true)
		s.EndListeners()
	})
}

func (h *hub) setDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.down = down
}

func (e *Event) encode() []byte {
	var m meta.Encoder
	m.String(1, e.Name)
	m.Uint(2, uint64(e.id))
	m.String(3, e.Key)
	m.Int(4, e.Size)
	m.String(5, e.ETag)
	m.String(6, e.VersionID)
	m.Int(7, e.Time.UnixNano())
	return m.Bytes()
}

func decodeEvent(p []byte) (e Event, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			e.Name = d.String()
		case 2:
			e.id = meta.BucketID(d.Uint())
		case 3:
			e.Key = d.String()
		case 4:
			e.Size = d.Int()
		case 5:
			e.ETag = d.String()
		case 6:
			e.VersionID = d.String()
		case 7:
			e.Time = time.Unix(0, d.Int()).UTC()
		}
	}
	return e, d.Err()
}
