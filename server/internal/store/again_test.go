package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pail/server/internal/meta"
)

// again is a database whose Updates run again after something else was done, as when a transaction of another Store came
// before.
type again struct {
	meta.DB
	meanwhile func()
}

func (a again) Update(ctx context.Context, fn func(meta.Txn) error) error {
	undo := errors.New("undo")
	if err := a.DB.Update(ctx, func(t meta.Txn) error { return errors.Join(fn(t), undo) }); !errors.Is(err, undo) {
		return err
	}
	a.meanwhile()
	return a.DB.Update(ctx, fn)
}

// TestPutThatRunsAgain: nothing of what was decided the first time is left.
func TestPutThatRunsAgain(t *testing.T) {
	a := openShared(t, 1)[0]
	wantErr(t, a.CreateBucket(ctx, Bucket{Name: "locked", Owner: "me", ObjectLock: true}), nil)
	wantErr(t, a.SetObjectLock(ctx, "locked", DefaultRetention{Mode: Compliance, Days: 1}), nil)
	db := a.Store.db
	a.Store.db = again{db, func() {
		a.Store.db = db
		wantErr(t, a.DeleteBucket(ctx, "locked"), nil)
		wantErr(t, a.CreateBucket(ctx, Bucket{Name: "locked", Owner: "me"}), nil)
	}}
	o, err := a.PutObject(ctx, PutInput{Bucket: "locked", Key: "k", Body: strings.NewReader("x"), Size: 1, Owner: "me"})
	wantErr(t, err, nil)
	if o.Retention != (Retention{}) || o.VersionID != "" {
		t.Errorf("of the bucket before: %v %q", o.Retention, o.VersionID)
	}
}
