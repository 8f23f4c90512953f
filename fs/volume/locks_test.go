package volume

import (
	"context"
	"errors"
	"testing"
)

// expired is a context that has ended: with it a lock that is not free fails at once.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestPathLocks(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		held, wanted         []string
		heldExcl, wantedExcl bool
		free                 bool
	}{
		{held: []string{"a"}, wanted: []string{"a"}, free: true},
		{held: []string{"a/b"}, wanted: []string{"a"}, wantedExcl: true},
		{held: []string{"a"}, wanted: []string{"a/b"}, wantedExcl: true, free: true},
		{held: []string{"ab"}, wanted: []string{"a"}, wantedExcl: true, free: true},
		{held: []string{"x", "a/b/c"}, wanted: []string{"y", "a/b"}, wantedExcl: true},
		{held: []string{"a"}, heldExcl: true, wanted: []string{"a/b"}},
		{held: []string{"a"}, heldExcl: true, wanted: []string{"a"}},
		{held: []string{"a/b"}, heldExcl: true, wanted: []string{"a"}, free: true},
		{held: []string{"a"}, heldExcl: true, wanted: []string{"a/b"}, wantedExcl: true},
		{held: []string{"a/b"}, heldExcl: true, wanted: []string{"a"}, wantedExcl: true},
		{held: []string{"a"}, heldExcl: true, wanted: []string{"b"}, wantedExcl: true, free: true},
	} {
		l := newPathLocks(func([]string) {})
		lock := func(ctx context.Context, paths []string, exclusive bool) (func(), error) {
			if exclusive {
				return l.exclude(ctx, paths...)
			}
			return l.share(ctx, paths...)
		}
		unlock, err := lock(ctx, c.held, c.heldExcl)
		if err != nil {
			t.Fatal(err)
		}
		release, err := lock(expired(), c.wanted, c.wantedExcl)
		if c.free != (err == nil) || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil {
			release()
		}
		unlock()
		release, err = lock(expired(), c.wanted, c.wantedExcl)
		if err != nil {
			t.Errorf("%+v: still locked after all was given back: %v", c, err)
			continue
		}
		release()
		if len(l.mu.shared)+len(l.mu.exclusive) != 0 {
			t.Errorf("%+v: locks are left", c)
		}
	}
}

func TestPathsHaveOneOwner(t *testing.T) {
	ctx := context.Background()
	l := newPathLocks(func([]string) {})
	unlock, err := l.own(ctx, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.own(expired(), "c", "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("a second owner: %v", err)
	}
	for _, lock := range []func(context.Context, ...string) (func(), error){l.share, l.own} {
		release, err := lock(expired(), "b/c")
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	unlock()
	if len(l.mu.shared)+len(l.mu.exclusive) != 0 {
		t.Error("locks are left")
	}
}

func TestWaitingExclusiveLockIsNotStarved(t *testing.T) {
	ctx := context.Background()
	l := newPathLocks(func([]string) {})
	unlock, err := l.share(ctx, "a/x")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func())
	go func() {
		release, err := l.exclude(ctx, "a")
		if err != nil {
			t.Error(err)
		}
		got <- release
	}()
	for { // until it waits
		release, err := l.share(expired(), "a/y")
		if err != nil {
			break
		}
		release()
	}
	unlock()
	(<-got)()
}

func TestGateEndsWithTheContext(t *testing.T) {
	g := newGate()
	if err := g.lock(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := g.lock(expired()); !errors.Is(err, context.Canceled) {
		t.Errorf("a held gate: %v", err)
	}
	g.unlock()
	if err := g.lock(context.Background()); err != nil {
		t.Error(err)
	}
}
