package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"pail/fs/tree"
	"pail/s3client"
)

// service is what keepers ask. Its clock stands.
type service struct {
	t     *testing.T
	names *tree.Cache[int]

	mu      sync.Mutex
	now     time.Time
	asking  func(prefix string) error // called before an answer
	hanging bool                      // what is given back is not answered
	log     []string
	logged  chan struct{} // a token when log has grown
	streams []*stream
	silent  bool // streams say nothing
	reads   bool // leases are for reads
}

func newService(t *testing.T) (*service, *Keeper) {
	s := &service{t: t, now: time.Unix(1e9, 0), logged: make(chan struct{}, 1)}
	s.names = tree.NewCache[int](tree.CacheOptions[int]{MaxEntries: 1, Now: s.clock})
	k := New(Options{Reads: true, Join: s.join, Stamp: s.names.Begin, Now: s.clock, Claim: func(_ context.Context, prefix string) bool { s.note("claim " + prefix); return true }})
	t.Cleanup(k.Close)
	return s, k
}

func (s *service) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *service) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *service) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
	select {
	case s.logged <- struct{}{}:
	default:
	}
}

// wait waits until that much was noted since the last call, and checks it.
func (s *service) wait(want ...string) {
	s.t.Helper()
	for {
		s.mu.Lock()
		got := slices.Clone(s.log)
		if len(got) >= len(want) {
			s.log = nil
		}
		s.mu.Unlock()
		if len(got) >= len(want) {
			if !slices.Equal(got, want) {
				s.t.Errorf("noted %q, want %q", got, want)
			}
			return
		}
		<-s.logged
	}
}

func (s *service) join(ctx context.Context) (s3client.LeaseStream, error) {
	st := &stream{s: s, ctx: ctx, events: make(chan s3client.LeaseEvent, 10), closed: make(chan struct{})}
	s.mu.Lock()
	s.streams = append(s.streams, st)
	s.mu.Unlock()
	s.note("join")
	if !s.silent {
		st.tell(s3client.LeaseEvent{})
	}
	return st, nil
}

// stream is the last stream.
func (s *service) stream() *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[len(s.streams)-1]
}

type stream struct {
	s      *service
	ctx    context.Context
	events chan s3client.LeaseEvent
	once   sync.Once
	closed chan struct{}
}

func (st *stream) tell(e s3client.LeaseEvent) {
	e.Sent = st.s.clock()
	st.events <- e
}

func (st *stream) Next() (s3client.LeaseEvent, error) {
	select {
	case e, ok := <-st.events:
		if !ok {
			return e, errors.New("broken")
		}
		return e, nil
	case <-st.closed:
		return s3client.LeaseEvent{}, errors.New("closed")
	case <-st.ctx.Done():
		return s3client.LeaseEvent{}, st.ctx.Err()
	}
}

func (st *stream) Ask(_ context.Context, prefix string, forReads bool) (reads bool, err error) {
	st.s.note("ask " + prefix)
	st.s.mu.Lock()
	asking, reads := st.s.asking, st.s.reads
	st.s.mu.Unlock()
	if asking != nil {
		err = asking(prefix)
	}
	return reads && forReads, err
}

func (st *stream) Return(ctx context.Context, prefix string) error {
	st.s.note("return " + prefix)
	if st.s.hanging {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (st *stream) Close() error {
	st.once.Do(func() {
		close(st.closed)
		st.s.note("close")
	})
	return nil
}

var ctx = context.Background()

func uses(k *Keeper, prefix string) bool {
	_, done, ok := k.Use(prefix)
	if ok {
		done()
	}
	return ok
}

func TestSecondFileAsks(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	s.advance(again)
	k.Ask(ctx, "d/") // too late to be the second of a row
	k.Ask(ctx, "e/")
	s.wait()
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
	for prefix, held := range map[string]bool{"d/": true, "d/e/": true, "": false, "d": false, "e/": false} {
		if uses(k, prefix) != held {
			t.Errorf("%q: %v", prefix, !held)
		}
	}
	s.advance(s3client.LeaseTrust)
	if uses(k, "d/") {
		t.Error("it relies on a lease of which nothing was heard")
	}
	k.Ask(ctx, "d/") // it has it
	k.Ask(ctx, "d/")
	s.wait()
	k.Close()
	s.wait("close", "claim d/")
}

func TestRecallWaitsForUsers(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
	_, done, ok := k.Use("d/")
	if !ok {
		t.Fatal("no lease")
	}
	s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/e/f"})
	for uses(k, "d/") { // until it is heard
		time.Sleep(time.Millisecond)
	}
	s.wait()
	done()
	s.wait("claim d/", "return d/", "close") // it was the last one

	// What was recalled is left alone, and all that holds the key; its neighbours are not.
	for _, prefix := range []string{"d/", "d/e/", "", "d/g/"} {
		k.Ask(ctx, prefix)
		k.Ask(ctx, prefix)
	}
	s.wait("join", "ask d/g/")
	s.advance(barred)
	k.Ask(ctx, "d/e/")
	k.Ask(ctx, "d/e/")
	s.wait("ask d/e/")
}

// A lease that is recalled before the answer to who asked for it has come is given back at once.
func TestRecallBeforeTheAnswer(t *testing.T) {
	s, k := newService(t)
	s.asking = func(prefix string) error {
		s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: prefix, Key: prefix + "f"})
		for !k.isBarred(prefix) { // until it is heard
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/", "return d/", "close")
	if uses(k, "d/") {
		t.Error("it relies on it")
	}
}

func TestLostStreamClaims(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	k.Ask(ctx, "e/")
	k.Ask(ctx, "e/")
	s.wait("join", "ask d/", "ask e/")
	s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRevoked, Prefix: "e/"})
	s.wait("claim e/")
	if uses(k, "e/") || !uses(k, "d/") {
		t.Error("the other lease is gone")
	}
	close(s.stream().events)
	s.wait("close", "claim d/")
	if uses(k, "d/") {
		t.Error("it relies on a lease that is lost")
	}
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
}

func TestIdleLeaseIsGivenBack(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
	s.advance(idle)
	s.stream().tell(s3client.LeaseEvent{})
	s.wait("claim d/", "return d/", "close")
}

func TestLeaseOnMoreTakesThePlace(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/e/")
	k.Ask(ctx, "d/e/")
	k.Ask(ctx, "d/", "d/f/")
	k.Ask(ctx, "d/", "d/f/")
	s.wait("join", "ask d/e/", "ask d/")
	if !uses(k, "d/e/") || !uses(k, "d/f/") || len(k.mu.held) != 1 {
		t.Error("one lease should cover all")
	}
}

// What cannot be had is not asked for with each file.
func TestRefusals(t *testing.T) {
	s, k := newService(t)
	s.asking = func(prefix string) error {
		if prefix == "d/" {
			return s3client.ErrConflict
		}
		return nil
	}
	k.Ask(ctx, "d/", "d/e/")
	k.Ask(ctx, "d/", "d/e/")
	s.wait("join", "ask d/", "ask d/e/")
	s.asking = func(string) error { return s3client.ErrAccess }
	k.Ask(ctx, "x/")
	k.Ask(ctx, "x/")
	s.wait("ask x/")
	for i := range 10 {
		k.Ask(ctx, fmt.Sprintf("x%d/", i/2))
	}
	s.wait()
	s.advance(broken)
	for _, err := range []error{s3client.ErrUnavailable, context.DeadlineExceeded, nil} { // it passes soon
		s.asking = func(string) error { return err }
		k.Ask(ctx, "y/")
		k.Ask(ctx, "y/")
		s.wait("ask y/")
		s.advance(refused)
	}
}

// Behind what holds streams back, there are no leases, and hardly an attempt to have one.
func TestSilentStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		s.joinsSilent(k, silences)
		s.advance(broken - refused - 1)
		k.Ask(ctx, "d/")
		k.Ask(ctx, "d/")
		s.wait()
		if uses(k, "d/") {
			t.Error("it relies on a lease")
		}
	})
}

// joinsSilent has a keeper open streams that say nothing, and lets the time pass after which it tries again.
func (s *service) joinsSilent(k *Keeper, n int) {
	s.t.Helper()
	s.silent = true
	for range n {
		k.Ask(ctx, "d/")
		k.Ask(ctx, "d/")
		s.wait("join", "close")
		s.advance(refused)
	}
	s.silent = false
}

// A service that is too busy for the first word of a stream is asked again soon, also when that happens another time.
func TestStreamThatBeginsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		for range 2 {
			s.joinsSilent(k, silences-1)
			k.Ask(ctx, "d/")
			k.Ask(ctx, "d/")
			s.wait("join", "ask d/")
			if !uses(k, "d/") {
				t.Fatal("there is no lease")
			}
			close(s.stream().events)
			s.wait("close", "claim d/")
		}
	})
}

// A lease whose answer got lost is given back when somebody wants it.
func TestLeaseThatIsNotKnownIsGivenBack(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.asking = func(string) error { return s3client.ErrUnavailable }
	k.Ask(ctx, "e/")
	k.Ask(ctx, "e/")
	s.wait("join", "ask d/", "ask e/")
	s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "e/", Key: "e/f"})
	s.wait("return e/")
	if !uses(k, "d/") {
		t.Error("the other lease is gone")
	}
}

// What is given back and not answered must not be on its way when the lease may be asked for again: the stream ends instead.
func TestReturnThatHangsEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := newService(t)
		s.hanging = true
		k.Ask(ctx, "d/")
		k.Ask(ctx, "d/")
		k.Ask(ctx, "e/")
		k.Ask(ctx, "e/")
		s.wait("join", "ask d/", "ask e/")
		s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/f"})
		stream, open := s.stream(), true
		for range 10 {
			time.Sleep(time.Second)
			synctest.Wait()
			select {
			case <-stream.closed:
				open = false
			default:
				stream.tell(s3client.LeaseEvent{})
			}
		}
		if open {
			t.Error("the stream goes on")
		}
		s.wait("claim d/", "return d/", "close", "claim e/")
		k.Close()
	})
}

// Two clocks go apart: what a stream says of time is not relied on for ever.
func TestOldStreamsEnd(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
	for range int(streamAge/again) - 1 {
		s.advance(again)
		s.mu.Lock()
		now := s.now
		s.mu.Unlock()
		s.stream().tell(s3client.LeaseEvent{})
		for age := time.Hour; age > 0; {
			k.mu.Lock()
			age = now.Sub(k.mu.sent)
			k.mu.Unlock()
		}
		if !uses(k, "d/") {
			t.Fatal("the lease is gone")
		}
	}
	s.wait()
	s.advance(again)
	k.Ask(ctx, "e/")
	k.Ask(ctx, "e/") // not of this one
	s.stream().tell(s3client.LeaseEvent{})
	s.wait("claim d/", "return d/", "close")
	k.Ask(ctx, "e/")
	s.wait("join", "ask e/")
}

// What a lease for reads says is relied on only where there is one, and until it is recalled; at the end it goes back, as
// others would have to wait for it.
func TestLeaseForReads(t *testing.T) {
	s, k := newService(t)
	reads := func() bool {
		_, done, ok := k.UseReads("d/e/")
		if ok {
			done()
		}
		return ok
	}
	lease := func() {
		for _, prefix := range []string{"d/", "d/"} {
			k.Ask(ctx, prefix)
		}
	}
	lease()
	s.wait("join", "ask d/")
	if reads() || !uses(k, "d/") {
		t.Error("a lease on names is relied on for reads")
	}
	s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/k"})
	s.wait("claim d/", "return d/", "close")
	s.advance(barred)
	s.reads = true
	lease()
	s.wait("join", "ask d/")
	if !reads() || !uses(k, "d/") {
		t.Error("a lease for reads is not relied on")
	}
	s.advance(s3client.LeaseTrust)
	if reads() {
		t.Error("it is relied on though nothing was heard")
	}
	s.stream().tell(s3client.LeaseEvent{})
	for !reads() { // until it is heard
		time.Sleep(time.Millisecond)
	}
	_, done, _ := k.UseReads("d/")
	s.stream().tell(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/k"})
	for reads() {
		time.Sleep(time.Millisecond)
	}
	s.wait() // who relies on it comes to his end first
	done()
	s.wait("claim d/", "return d/", "close")
	s.advance(barred)
	lease()
	s.wait("join", "ask d/")
	k.Close()
	s.wait("claim d/", "return d/", "close")
}

// Nobody relies on a lease from the moment on in which its recall was heard.
func TestRecallEndsAtOnce(t *testing.T) {
	s, k := newService(t)
	k.Ask(ctx, "d/")
	k.Ask(ctx, "d/")
	s.wait("join", "ask d/")
	k.heard(s3client.LeaseEvent{Kind: s3client.LeaseRecalled, Prefix: "d/", Key: "d/f", Sent: s.clock()})
	if uses(k, "d/") {
		t.Error("it relies on a lease whose recall it has heard")
	}
	s.wait("claim d/", "return d/", "close")
}

// A machine that has slept, or whose clock was set, relies on no lease of a stream from before.
func TestClocksThatGoApart(t *testing.T) {
	for _, d := range []time.Duration{clocksApart, -clocksApart} {
		s, k := newService(t)
		s.now = time.Now()
		k.Ask(ctx, "d/")
		k.Ask(ctx, "d/")
		s.wait("join", "ask d/")
		s.mu.Lock()
		// Of a time with both clocks the second word is the monotonic one.
		*(*int64)(unsafe.Add(unsafe.Pointer(&s.now), unsafe.Sizeof(uint64(0)))) += int64(d)
		s.mu.Unlock()
		k.mu.Lock()
		k.mu.sent = s.clock() // be it that something was heard since
		k.mu.Unlock()
		if uses(k, "d/") {
			t.Errorf("%v: it relies on a lease", d)
		}
		s.stream().tell(s3client.LeaseEvent{})
		s.wait("claim d/", "return d/", "close")
	}
}
