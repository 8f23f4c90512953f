package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// Stores that share a database and blobs know of each other by a row each, its member row, which they write anew at every
// beat. No clock is compared with another's.
const (
	beatInterval = 2 * time.Second
	deadAfter    = 30        // looks, one a beat, at which a member's row was the same
	maxHold      = time.Hour // for which a freed blob is kept for readers of other members
)

// memberRow is what a Store tells the others.
type memberRow struct {
	beat   uint64 // counts
	oldest uint64 // the beat in which its oldest open ObjectReader began; beat when there is none
}

func (m memberRow) encode() []byte {
	var e meta.Encoder
	e.Uint(1, m.beat)
	e.Uint(2, m.oldest)
	return e.Bytes()
}

func decodeMember(p []byte) (m memberRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			m.beat = d.Uint()
		case 2:
			m.oldest = d.Uint()
		}
	}
	return m, d.Err()
}

// member is another Store as it was seen last.
type member struct {
	memberRow
	same int // looks since it changed: not time, in which nobody may have reached the database
}

// members is for one goroutine at a time.
type members struct {
	id        meta.ID
	published uint64 // beat
	others    map[meta.ID]*member
	held      []heldBlobs
}

// heldBlobs are freed blobs that readers of other members, whose look-up was before, may still need: until each of them has
// told that its oldest reader began at that beat or later.
type heldBlobs struct {
	ids   []blob.ID
	until map[meta.ID]uint64
	since time.Time
}

// keepMember beats until ctx ends.
func (s *Store) keepMember(ctx context.Context) {
	every(ctx, beatInterval, func() {
		if err := s.beat(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("store: cannot tell the other servers that this one lives", "err", err)
		}
	})
}

// every calls fn at intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn()
		}
	}
}

// keepRemoved removes the freed blobs that nobody needs until ctx ends. A beat must not wait for that: many files on a slow
// volume would make the others take this Store for dead.
func (s *Store) keepRemoved(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.reclaim.isDue:
			s.reclaim.removeDue(ctx)
		}
	}
}

// beat tells the others of this Store, learns of them, and finds the freed blobs that nobody needs any more.
//
// A reader that begins is marked with the beat that was published last, or with the one that is being published. So when a
// row with beat n is read, all readers of that member so far are marked with n+1 at most.
func (s *Store) beat(ctx context.Context) error {
	m := &s.members
	row, freed := s.reclaim.beat(m.published + 1)
	if len(freed) > 0 {
		m.held = append(m.held, heldBlobs{ids: freed, since: time.Now()}) // before the others are looked at
	}
	err := s.db.Update(ctx, func(t meta.Txn) error { return save(t, meta.MemberKey(m.id), row.encode()) })
	if err != nil {
		return storeError(err)
	}
	m.published = row.beat
	seen, err := readMembers(ctx, s.db)
	if err != nil {
		return err
	}
	s.bury(ctx, m.update(seen))
	s.leads.Store(m.first())
	s.alive.Store(int64(len(m.others)) + 1)
	s.reclaim.due(m.ripe(time.Now()))
	return nil
}

func readMembers(ctx context.Context, db meta.DB) (seen map[meta.ID]memberRow, err error) {
	err = db.View(ctx, func(r meta.Reader) (err error) {
		seen, err = membersIn(r)
		return err
	})
	return seen, storeError(err)
}

func membersIn(r meta.Reader) (map[meta.ID]memberRow, error) {
	seen := map[meta.ID]memberRow{}
	it := r.Iter(meta.Members.Bounds())
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		id, _ := meta.KeyID(it.Key())
		row, err := decodeRecord(it.Key(), it.Value(), decodeMember)
		if err != nil {
			return nil, err
		}
		seen[id] = row
	}
	return seen, it.Err()
}

// update notes what was seen, and gives the members that seem to be dead.
func (m *members) update(seen map[meta.ID]memberRow) (dead map[meta.ID]memberRow) {
	delete(seen, m.id)
	for id := range m.others {
		if _, ok := seen[id]; !ok {
			delete(m.others, id)
		}
	}
	for id, row := range seen {
		old := m.others[id]
		if old == nil || old.memberRow != row {
			m.others[id] = &member{memberRow: row}
		} else if old.same++; old.same >= deadAfter {
			if dead == nil {
				dead = map[meta.ID]memberRow{}
			}
			dead[id] = row
		}
	}
	return dead
}

// bury removes the rows of dead members that have not changed. One that lives writes its row anew; its readers may find that
// their blobs are gone.
func (s *Store) bury(ctx context.Context, dead map[meta.ID]memberRow) {
	for id, row := range dead {
		key := meta.MemberKey(id)
		err := s.db.Update(ctx, func(t meta.Txn) error {
			now, err := load(t, key, decodeMember)
			if err != nil || now != row {
				return missing(err, nil)
			}
			return t.Delete(key)
		})
		if err == nil {
			delete(s.members.others, id)
		}
	}
}

// first reports whether no other member comes before this one.
func (m *members) first() bool {
	for id := range m.others {
		if bytes.Compare(id[:], m.id[:]) < 0 {
			return false
		}
	}
	return true
}

// ripe takes the blobs that nobody can need any more.
func (m *members) ripe(now time.Time) (list []blob.ID) {
	var still []heldBlobs
	for _, h := range m.held {
		if h.until == nil {
			h.until = map[meta.ID]uint64{}
			for id, other := range m.others {
				h.until[id] = other.beat + 2
			}
		}
		for id, beat := range h.until {
			if other := m.others[id]; other == nil || other.oldest >= beat {
				delete(h.until, id)
			}
		}
		if len(h.until) == 0 || now.Sub(h.since) > maxHold {
			list = append(list, h.ids...)
		} else {
			still = append(still, h)
		}
	}
	m.held = still
	return list
}

// leave removes the member row. What is still held is left to the sweep.
func (s *Store) leave(ctx context.Context) error {
	err := s.db.Update(ctx, func(t meta.Txn) error { return t.Delete(meta.MemberKey(s.members.id)) })
	if errors.Is(err, meta.ErrClosed) {
		return nil
	}
	return err
}

// Leads reports whether this Store is the one that does what one has to do for all, as lifecycle rules. For a while there
// may be two, or none.
func (s *Store) Leads() bool { return !s.shared || s.leads.Load() }

// Members counts the Stores that use the database.
func (s *Store) Members() int {
	if !s.shared {
		return 1
	}
	return int(s.alive.Load())
}
