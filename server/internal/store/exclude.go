package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"pail/server/internal/meta"
)

// ErrInUse means that somebody else has the database: a Store where it is wanted alone, or who has it alone where a Store is to
// be opened.
var ErrInUse = errors.New("the database is in use")

// exclusion is the row of who has a database for itself that Stores share otherwise. Who has it beats, as members do.
type exclusion struct {
	id   string
	beat uint64
}

func (x exclusion) encode() []byte {
	var e meta.Encoder
	e.String(1, x.id)
	e.Uint(2, x.beat)
	return e.Bytes()
}

func decodeExclusion(p []byte) (x exclusion, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		switch d.Tag() {
		case 1:
			x.id = d.String()
		case 2:
			x.beat = d.Uint()
		}
	}
	return x, d.Err()
}

// readExclusion gives the row, the zero value for none.
func readExclusion(r meta.Reader) (exclusion, error) {
	x, err := load(r, meta.ExclusionKey(), decodeExclusion)
	return x, missing(err, nil)
}

// Exclude takes a shared database for the caller alone: until release, no Store is opened on it. It fails with ErrInUse while a
// Store or another Exclude has it, for whose sign of life it waits where one may come. The context that it returns ends, with
// ErrInUse as its cause, when a Store that was stopped for long comes back, or when the caller was.
func Exclude(ctx context.Context, db meta.DB) (held context.Context, release func() error, err error) {
	return exclude(ctx, db, beatInterval)
}

// exclude is Exclude for members that beat at an interval.
func exclude(ctx context.Context, db meta.DB, beats time.Duration) (held context.Context, release func() error, err error) {
	id := rand.Text()
	members, err := claim(ctx, db, exclusion{id: id}, beats)
	if err != nil {
		return nil, nil, storeError(err)
	}
	giveBack := func() error {
		return storeError(db.Update(context.WithoutCancel(ctx), func(t meta.Txn) error {
			x, err := readExclusion(t)
			if err != nil || x.id != id {
				return err
			}
			return t.Delete(meta.ExclusionKey())
		}))
	}
	if err := silent(ctx, db, members, beats); err != nil {
		return nil, nil, errors.Join(err, giveBack())
	}
	held, end := context.WithCancelCause(ctx)
	beating, stop := context.WithCancel(held)
	done := make(chan struct{})
	go func() {
		defer close(done)
		beat := uint64(0)
		every(beating, beats, func() {
			beat++
			if err := remain(beating, db, exclusion{id, beat}, members); errors.Is(err, ErrInUse) {
				end(err)
			}
		})
	}()
	return held, func() error {
		stop()
		<-done
		end(nil)
		return giveBack()
	}, nil
}

// claim writes the row of who has the database, in place of one whose writer shows no sign of life, and gives the members that
// there are. The transaction that reads them is the one that keeps others from coming.
func claim(ctx context.Context, db meta.DB, mine exclusion, beats time.Duration) (members map[meta.ID]memberRow, err error) {
	for {
		var other exclusion
		err := db.Update(ctx, func(t meta.Txn) (err error) {
			if other, err = readExclusion(t); err != nil || other.id != "" {
				return err
			}
			if members, err = membersIn(t); err != nil {
				return err
			}
			return save(t, meta.ExclusionKey(), mine.encode())
		})
		if err != nil || other.id == "" {
			return members, err
		}
		if err := removeDead(ctx, db, other, beats); err != nil {
			return nil, err
		}
	}
}

// removeDead removes the row of one who shows no sign of life, and fails with ErrInUse where it shows one.
func removeDead(ctx context.Context, db meta.DB, x exclusion, beats time.Duration) error {
	var now exclusion
	alive, err := changes(ctx, beats, func() (bool, error) {
		err := db.View(ctx, func(r meta.Reader) (err error) { now, err = readExclusion(r); return err })
		return now != x, err
	})
	if err != nil {
		return err
	}
	if alive && now.id != "" {
		return ErrInUse
	}
	return db.Update(ctx, func(t meta.Txn) error {
		now, err := readExclusion(t)
		if err != nil || now != x {
			return err
		}
		return t.Delete(meta.ExclusionKey())
	})
}

// remain beats, and fails with ErrInUse where the row is another's, or a member has shown itself.
func remain(ctx context.Context, db meta.DB, mine exclusion, silent map[meta.ID]memberRow) error {
	err := db.Update(ctx, func(t meta.Txn) error {
		x, err := readExclusion(t)
		if err == nil && x.id != mine.id {
			err = ErrInUse
		}
		if err != nil {
			return err
		}
		return save(t, meta.ExclusionKey(), mine.encode())
	})
	if err != nil {
		return err
	}
	return sameMembers(ctx, db, silent)
}

func sameMembers(ctx context.Context, db meta.DB, silent map[meta.ID]memberRow) error {
	now, err := readMembers(ctx, db)
	for id, row := range now {
		if before, ok := silent[id]; !ok || before != row {
			return ErrInUse
		}
	}
	return err
}

// silent fails with ErrInUse where one of the members shows a sign of life.
func silent(ctx context.Context, db meta.DB, members map[meta.ID]memberRow, beats time.Duration) error {
	if len(members) == 0 {
		return nil
	}
	alive, err := changes(ctx, beats, func() (bool, error) {
		err := sameMembers(ctx, db, members)
		if errors.Is(err, ErrInUse) {
			return true, nil
		}
		return false, err
	})
	if alive {
		return ErrInUse
	}
	return err
}

// Looks at one who may be dead: a few for each beat that is missing. They are counted, not the time, in which nobody may have
// reached the database.
const (
	looksPerBeat = 4
	silentLooks  = 3 * looksPerBeat
)

// changes looks again and again, for as long as one who lives may take for a beat, and reports whether there was a change.
func changes(ctx context.Context, beats time.Duration, look func() (bool, error)) (bool, error) {
	ticker := time.NewTicker(beats / looksPerBeat)
	defer ticker.Stop()
	for range silentLooks {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-ticker.C:
		}
		if changed, err := look(); changed || err != nil {
			return changed, err
		}
	}
	return false, nil
}

// enter makes this Store a member, unless somebody has the database for itself.
func (s *Store) enter(ctx context.Context, beats time.Duration) error {
	for {
		var x exclusion
		err := s.db.Update(ctx, func(t meta.Txn) (err error) {
			if x, err = readExclusion(t); err != nil || x.id != "" {
				return err
			}
			return save(t, meta.MemberKey(s.members.id), memberRow{}.encode())
		})
		if err == nil && x.id != "" {
			err = removeDead(ctx, s.db, x, beats)
		} else if err == nil {
			return nil
		}
		if err != nil {
			return storeError(err)
		}
	}
}
