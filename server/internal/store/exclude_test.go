package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// TestExclude: who has the database alone keeps Stores from opening it, for as long as it shows signs of life, and is told when
// a Store that seemed to be gone comes back.
func TestExclude(t *testing.T) {
	const beats = 400 * time.Millisecond
	address := postgres.Address(t)
	db := openPostgres(t, address)
	join := func() (*Store, error) {
		s := &Store{db: db, members: members{id: meta.ID(blob.NewID(time.Now())), others: map[meta.ID]*member{}}, reclaim: newReclaim(nil, nil, true)}
		return s, s.enter(ctx, beats)
	}
	held, release, err := exclude(ctx, db, beats)
	wantErr(t, err, nil)
	_, err = join()
	wantErr(t, err, ErrInUse)
	_, _, err = exclude(ctx, db, beats)
	wantErr(t, err, ErrInUse)
	wantErr(t, held.Err(), nil)
	wantErr(t, release(), nil)

	s, err := join()
	wantErr(t, err, nil)
	beating, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); every(beating, beats, func() { _ = s.beat(beating) }) }()
	_, _, err = exclude(ctx, db, beats)
	wantErr(t, err, ErrInUse)
	stop()
	<-done

	held, release, err = exclude(ctx, db, beats) // the Store has died
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
	_, err = join()
	wantErr(t, err, nil)
}
