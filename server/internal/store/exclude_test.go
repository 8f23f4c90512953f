package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// TestExclude: who has the database alone keeps Stores from opening it, for as long as it shows signs of life, and is told when
// a Store that seemed to be gone comes back. Who lives beats far more often than the others need to see, as the database may be
// slow; nobody has to be waited for who is dead.
func TestExclude(t *testing.T) {
	const often, patient = 50 * time.Millisecond, 4 * time.Second
	address := postgres.Address(t)
	db := openPostgres(t, address)
	join := func(beats time.Duration) (*Store, error) {
		s := &Store{db: db, members: members{id: meta.ID(blob.NewID(time.Now())), others: map[meta.ID]*member{}}, reclaim: newReclaim(nil, nil, true)}
		return s, s.enter(ctx, beats)
	}
	held, release, err := exclude(ctx, db, often)
	wantErr(t, err, nil)
	_, err = join(patient)
	wantErr(t, err, ErrInUse)
	_, _, err = exclude(ctx, db, patient)
	wantErr(t, err, ErrInUse)
	wantErr(t, held.Err(), nil)
	wantErr(t, release(), nil)

	s, err := join(often)
	wantErr(t, err, nil)
	beating, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); every(beating, often, func() { _ = s.beat(beating) }) }()
	_, _, err = exclude(ctx, db, patient)
	wantErr(t, err, ErrInUse)
	stop()
	<-done

	held, release, err = exclude(ctx, db, often) // the Store has died
	wantErr(t, err, nil)
	wantErr(t, s.beat(ctx), nil) // and was stopped only
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, ErrInUse) {
		t.Errorf("the end of having the database alone: %v", cause)
	}
	wantErr(t, release(), nil)

	wantErr(t, db.Update(ctx, func(x meta.Txn) error {
		return save(x, meta.ExclusionKey(), exclusion{id: "died", beat: 7}.encode())
	}), nil)
	_, err = join(often)
	wantErr(t, err, nil)
}

// TestOutageShowsNobodyDead: in the time of a look that took long, as the database was away, nobody can have beaten.
func TestOutageShowsNobodyDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		alive, err := changes(ctx, beatInterval, func() (bool, error) {
			if looks++; looks == 1 {
				time.Sleep(time.Minute)
			}
			return looks == silentLooks, nil
		})
		if wantErr(t, err, nil); !alive {
			t.Errorf("dead after %d looks", looks)
		}
	})
}
