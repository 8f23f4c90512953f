package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var ctx = context.Background()

func join(t *testing.T, r *Registry, id string) *Holder {
	t.Helper()
	h, err := r.Join(1, id)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

func TestLeasesDoNotOverlap(t *testing.T) {
	r := New(0)
	a, b := join(t, r, "a"), join(t, r, "b")
	defer a.Leave()
	want(t, r.Grant(1, "a", "d/", Names), nil)
	want(t, r.Grant(1, "a", "d/", Names), nil)
	want(t, r.Grant(1, "a", "d/e/", Names), nil) // it has that already
	for _, prefix := range []string{"", "d/", "d/e/"} {
		want(t, r.Grant(1, "b", prefix, Names), ErrHeld)
	}
	want(t, r.Grant(1, "b", "dd/", Names), nil)
	want(t, r.Grant(1, "c", "c/", Names), ErrNoHolder)
	want(t, r.Grant(2, "a", "d/", Names), ErrNoHolder) // another bucket
	if _, err := r.Join(1, "a"); !errors.Is(err, ErrHeld) {
		t.Error(err)
	}
	r.Return(1, "b", "d/") // not its own
	want(t, r.Grant(1, "b", "d/e/", Names), ErrHeld)
	b.Leave()
	want(t, r.Grant(1, "a", "", Names), nil) // takes the place of those below
	if n := r.count.Load(); n != 1 {
		t.Errorf("%d leases", n)
	}
}

func TestLeaseIsInTheWay(t *testing.T) {
	r := New(0)
	a := join(t, r, "a")
	want(t, r.Grant(1, "a", "d/e/", Names), nil)
	for key, held := range map[string]bool{"d/e/f": true, "d/e/": true, "d/e/f/g": true, "d/e": false, "d/ef": false, "d/": false, "x": false} {
		if got := len(r.Making(1, "", key)) > 0; got != held {
			t.Errorf("%q: %v", key, got)
		}
		if len(r.Making(1, "a", key)) > 0 || len(r.Making(2, "", key)) > 0 {
			t.Errorf("%q is held", key)
		}
	}
	for prefix, held := range map[string]bool{"d/": true, "d/e/": true, "d/e/f/": true, "d/f/": false} {
		if got := len(r.MakingBelow(1, "b", prefix)) > 0; got != held {
			t.Errorf("%q: %v", prefix, got)
		}
	}
	a.Leave()
	if len(r.Making(1, "", "d/e/f")) > 0 {
		t.Error("the lease of one who has left")
	}
	b := join(t, r, "b")
	defer b.Leave()
	want(t, r.Grant(1, "b", "", Names), nil)
	if len(r.Making(1, "", "any")) == 0 {
		t.Error("the lease on all keys is not in the way")
	}
}

// Each way in which a recall ends.
func TestRecallWaitsForTheEnd(t *testing.T) {
	for name, end := range map[string]func(r *Registry, h *Holder){
		"returned": func(r *Registry, h *Holder) { r.Return(1, "a", "d/") },
		"left":     func(r *Registry, h *Holder) { h.Leave() },
	} {
		t.Run(name, func(t *testing.T) {
			r := New(time.Hour)
			h := join(t, r, "a")
			want(t, r.Grant(1, "a", "d/", Names), nil)
			l := r.Making(1, "", "d/k")
			over := make(chan error, 2)
			for range cap(over) {
				go func() { over <- r.Recall(ctx, l, "d/k") }()
			}
			if e := <-h.Events(); e != (Event{Prefix: "d/", Key: "d/k"}) {
				t.Errorf("%+v", e)
			}
			want(t, r.Grant(1, "a", "d/", Names), ErrHeld) // nothing new while it is recalled
			select {
			case err := <-over:
				t.Errorf("over before the end: %v", err)
			default:
			}
			end(r, h)
			for range cap(over) {
				want(t, <-over, nil)
			}
			want(t, r.Recall(ctx, l, "d/k"), nil)
			if len(h.Events()) > 0 {
				t.Errorf("%+v", <-h.Events())
			}
		})
	}
}

func TestRecallHasABound(t *testing.T) {
	r := New(time.Millisecond)
	h := join(t, r, "a")
	defer h.Leave()
	want(t, r.Grant(1, "a", "", Names), nil)
	want(t, r.Recall(ctx, r.Making(1, "", "k"), "k"), nil)
	want(t, r.Grant(1, "a", "", Names), nil)
	if e := [2]Event{<-h.Events(), <-h.Events()}; e != [2]Event{{Key: "k"}, {Revoked: true}} {
		t.Errorf("%+v", e)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	want(t, New(time.Hour).Recall(ended, []*Lease{{gone: make(chan struct{}), recalled: time.NewTimer(time.Hour)}}, "k"), context.Canceled)
}

// A holder that reads no events is given no leases any more, before there is no room for them.
// Who waits for many holders that hang waits once.
func TestRecallOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(0)
		for i := range 5 {
			id := fmt.Sprint(i)
			defer join(t, r, id).Leave()
			want(t, r.Grant(1, id, fmt.Sprintf("d/%d/", i), Reads), nil)
		}
		begun := time.Now()
		want(t, r.Recall(ctx, r.ChangingBelow(1, "", "d/"), "d/"), nil)
		if waited := time.Since(begun); waited != Bound || !r.Idle() {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestHoldersAreBounded(t *testing.T) {
	r := New(time.Hour)
	h := join(t, r, "a")
	defer h.Leave()
	for i := range MaxLeases {
		want(t, r.Grant(1, "a", fmt.Sprintf("%d/", i), Names), nil)
	}
	want(t, r.Grant(1, "a", "more/", Names), ErrTooMany)
	granted := 0
	for i := range 10 * queue {
		prefix := fmt.Sprintf("%d/", i%MaxLeases)
		if list := r.Making(1, "", prefix); len(list) > 0 {
			r.mu.Lock()
			list[0].recalled = time.NewTimer(time.Hour)
			h.events <- Event{Prefix: prefix}
			r.mu.Unlock()
			r.revoke(list[0])
		}
		if r.Grant(1, "a", prefix, Names) == nil {
			granted++
		}
	}
	if len(h.Events()) > queue || granted == 0 {
		t.Errorf("%d events, %d granted", len(h.Events()), granted)
	}
	for i := range MaxHolders - 1 {
		join(t, r, fmt.Sprint(i))
	}
	if _, err := r.Join(1, "more"); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

func TestCloseTellsHolders(t *testing.T) {
	r := New(0)
	h := join(t, r, "a")
	defer h.Leave()
	r.Close()
	r.Close()
	<-h.Over()
	_, err := r.Join(1, "b")
	want(t, err, ErrClosed)
}

// A holder that hangs delays others once, whatever leases it has.
func TestRevocationEndsTheHoldersOthers(t *testing.T) {
	r := New(time.Millisecond)
	h, other := join(t, r, "a"), join(t, r, "b")
	defer other.Leave()
	defer h.Leave()
	want(t, r.Grant(1, "a", "d/", Names), nil)
	want(t, r.Grant(1, "a", "e/", Names), nil)
	want(t, r.Grant(1, "b", "f/", Names), nil)
	want(t, r.Recall(ctx, r.Making(1, "", "d/k"), "d/k"), nil)
	if len(r.Making(1, "", "e/k")) > 0 || len(r.Making(1, "", "f/k")) == 0 {
		t.Error("its other lease stays, or another's is gone")
	}
	if e := <-h.Events(); e != (Event{Prefix: "d/", Key: "d/k"}) {
		t.Errorf("%+v", e)
	}
	revoked := map[string]bool{}
	for len(h.Events()) > 0 {
		e := <-h.Events()
		revoked[e.Prefix] = e.Revoked
	}
	if len(revoked) != 2 || !revoked["d/"] || !revoked["e/"] {
		t.Errorf("revoked %v", revoked)
	}
}

// A lease for reads is in the way of more, and one that somebody else has in no way at all.
func TestLeaseForReads(t *testing.T) {
	r := New(0)
	a, b := join(t, r, "a"), join(t, r, "b")
	defer b.Leave()
	want(t, r.Grant(1, "a", "d/", Reads), nil)
	want(t, r.Grant(1, "b", "e/", Names), nil)
	if len(r.Changing(1, "b", "d/k")) == 0 || len(r.ChangingBelow(1, "", "")) == 0 || len(r.Making(1, "b", "d/k")) == 0 {
		t.Error("a lease for reads is not in the way")
	}
	if len(r.Changing(1, "a", "d/k")) > 0 || len(r.Changing(1, "", "e/k")) > 0 || len(r.ChangingBelow(1, "", "e/")) > 0 {
		t.Error("a lease is in the way of a change that it is not about")
	}
	want(t, r.Grant(1, "a", "d/sub/", Names), nil) // it has more already
	want(t, r.Grant(1, "b", "", Reads), ErrHeld)
	want(t, r.Grant(1, "b", "e/", Reads), ErrHeld) // less must be given back before
	if at := (Place{1, "d/"}); !r.Held(at) || r.Held(Place{1, "e/"}) || len(r.Ended()) > 0 {
		t.Error("what is held is not told")
	}
	r.Return(1, "a", "d/")
	r.Return(1, "b", "e/")
	if got := r.Ended(); len(got) != 1 || got[0] != (Place{1, "d/"}) || len(r.Ended()) > 0 {
		t.Errorf("ended %v", got)
	}
	a.Leave()
	if !r.Idle() {
		t.Error("there is a lease still")
	}
}

// Where a holder may not have heard of the end of a lease for reads, it lingers as long as he may rely on it.
func TestLeaseForReadsLingers(t *testing.T) {
	for name, end := range map[string]func(r *Registry, h *Holder){
		"its holder is gone": func(_ *Registry, h *Holder) { h.Leave() },
		"another was revoked": func(r *Registry, _ *Holder) {
			r.bound = time.Millisecond
			want(t, r.Recall(ctx, r.Making(1, "", "other/k"), "other/k"), nil)
		},
		"the process was another": func(r *Registry, _ *Holder) { r.Restore(1, "before", "d/") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := New(0)
				h := join(t, r, "a")
				if !strings.HasPrefix(name, "the process") {
					want(t, r.Grant(1, "a", "d/", Reads), nil)
					want(t, r.Grant(1, "a", "other/", Reads), nil)
				}
				end(r, h)
				l := r.Changing(1, "", "d/k")
				if l == nil {
					t.Fatal("it is gone at once")
				}
				want(t, r.Grant(1, "a", "d/", Reads), map[bool]error{true: ErrNoHolder, false: ErrHeld}[name == "its holder is gone"])
				begun := time.Now()
				want(t, r.Recall(ctx, l, "d/k"), nil)
				if waited := time.Since(begun); waited != Linger || Linger <= Trust {
					t.Errorf("it has lasted %v", waited)
				}
			})
		})
	}
}
