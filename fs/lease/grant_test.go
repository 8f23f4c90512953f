package lease

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"pail/s3client"
)

// asks has a lease asked for on the first of prefixes.
func asks(k *Keeper, prefixes ...string) {
	k.Ask(ctx, prefixes...)
	k.Ask(ctx, prefixes...)
}

// A wider lease whose answer gets lost, or is overtaken by its recall, may have taken the place of those below it. What they
// promised is claimed before it goes back, and nothing is relied on.
func TestLeasesBelowOneThatIsInDoubt(t *testing.T) {
	lost := func(*service, *Keeper) error { return context.DeadlineExceeded }
	recalled := func(s *service, _ *Keeper) error {
		s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/e/x"})
		synctest.Wait()
		return nil
	}
	for name, answer := range map[string]func(*service, *Keeper) error{
		"lost":     lost,
		"recalled": recalled,
		"recalled and refused": func(s *service, k *Keeper) error {
			_ = recalled(s, k)
			return s3client.ErrConflict
		},
		"a change in doubt": func(_ *service, k *Keeper) error { k.forfeit("d/f/"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, k := newService(t)
				s.reads = true
				asks(k, "d/e/")
				s.asking = func(string) error {
					if uses(k, "d/e/") {
						t.Error("it relies on what is being replaced")
					}
					return answer(s, k)
				}
				asks(k, "d/", "d/f/")
				synctest.Wait()
				if uses(k, "d/e/") {
					t.Error("it relies on d/e/")
				}
				s.wait("join", "ask d/e/", "ask d/", "claim d/", "return d/", "return d/e/", "close")
				s.asking = nil
				asks(k, "d/e/")
				s.wait()
				k.Close()
			})
		})
	}
}

// A request that is answered by nobody may arrive later, when there is another lease below.
func TestLeasesBelowOneThatIsNotKnown(t *testing.T) {
	for name, kind := range map[string]s3client.LeaseEventKind{"recalled": s3client.LeaseRecalled, "revoked": s3client.LeaseRevoked} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, k := newService(t)
				asks(k, "d/e/")
				asks(k, "e/")
				s.stream().tell(s3client.LeaseEvent{Kind: kind, Prefix: "d/", Key: "d/e/x"})
				synctest.Wait()
				if uses(k, "d/e/") || !uses(k, "e/") {
					t.Error("it relies on d/e/, or not on e/")
				}
				s.wait("join", "ask d/e/", "ask e/", "claim d/", "return d/", "return d/e/")
				k.Close()
			})
		})
	}
}

// Nor is a lease that is being asked for below one that is not known, and recalled: the service has granted no more than that.
func TestLeaseThatIsCoveredByOneThatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		s.asking = func(string) error {
			s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/x"})
			synctest.Wait()
			return nil
		}
		asks(k, "d/e/")
		if uses(k, "d/e/") {
			t.Error("it relies on d/e/")
		}
		s.wait("join", "ask d/e/", "return d/", "return d/e/", "close")
		k.Close()
	})
}

// Who relies on a lease comes to his end before one is asked for that takes its place.
func TestUsersOfLeasesBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		asks(k, "d/e/")
		_, done, _ := k.Use("d/e/")
		go asks(k, "d/", "d/f/")
		synctest.Wait()
		s.wait("join", "ask d/e/")
		done()
		synctest.Wait()
		s.wait("ask d/")
		if !uses(k, "d/e/") {
			t.Error("there is no lease")
		}
		k.Close()
	})
}

// Where the wider lease is refused, or not asked for in time, the others are as before.
func TestLeasesBelowOneThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		asks(k, "d/e/")
		s.asking = func(prefix string) error {
			if prefix == "d/" {
				return s3client.ErrConflict
			}
			return nil
		}
		asks(k, "d/", "d/f/")
		s.wait("join", "ask d/e/", "ask d/", "ask d/f/")
		if !uses(k, "d/e/") || !uses(k, "d/f/") {
			t.Error("it does not rely on what it has")
		}
		asks(k, "h/i/")
		_, done, _ := k.Use("h/i/")
		over, cancel := context.WithCancel(ctx)
		cancel()
		k.Ask(over, "h/")
		k.Ask(over, "h/")
		s.wait("ask h/i/")
		done()
		if !uses(k, "h/i/") {
			t.Error("it does not rely on what it has after all")
		}
		k.Close()
	})
}

// A change that is in doubt keeps what could show it from being asked for, also where there is no lease.
func TestDoubtWithoutALease(t *testing.T) {
	s, k := newService(t)
	k.forfeit("d/e/")
	for _, prefix := range []string{"", "d/", "d/e/", "d/e/f/"} {
		asks(k, prefix)
	}
	s.wait()
	asks(k, "d/f/")
	s.wait("join", "ask d/f/")
	s.advance(barred)
	s.stream().tell(s3client.LeaseEvent{})
	s.wait("claim d/f/", "return d/f/", "close") // it was not used
	asks(k, "d/e/f/")
	asks(k, "d/g/")
	s.wait("join", "ask d/e/f/", "ask d/g/")
	k.forfeit("d/e/") // as a directory that is renamed
	s.wait("claim d/e/f/", "return d/e/f/")
	if !uses(k, "d/g/") {
		t.Error("the other lease is gone")
	}
}

// Bars are bounded: where there are very many, nothing is asked for.
func TestManyBars(t *testing.T) {
	s, k := newService(t)
	for i := range 2 * maxBars {
		k.forfeit("d" + string(rune(i)) + "/")
	}
	if len(k.mu.bars) > maxBars || !slices.ContainsFunc(k.mu.bars, func(b bar) bool { return b.bars("") }) {
		t.Errorf("%d bars", len(k.mu.bars))
	}
	asks(k, "x/")
	s.wait()
	s.advance(barred)
	asks(k, "x/")
	s.wait("join", "ask x/")
}
