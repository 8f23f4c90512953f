package volume_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// leaseService is a service with leases, as one mount sees it.
type leaseService struct {
	s3client.Client
	clock *clock

	mu       sync.Mutex
	old      time.Duration // of what it says, when it comes
	refuse   bool
	away     chan struct{}            // no stream begins before it is closed; nil: they do
	reads    bool                     // leases are for reads, if asked for
	names    bool                     // the mount is not to ask for such
	events   chan s3client.LeaseEvent // of the stream; nil: there is none
	asked    []string
	granted  []string
	returned chan string
	tried    atomic.Int32  // streams that did not begin in time
	over     chan struct{} // closed with the stream
}

func newLeaseService(c *clock) *leaseService {
	return &leaseService{clock: c, returned: make(chan string, 10), old: -time.Hour}
}

// leases gives a mount the service.
func (s *leaseService) leases(o *volume.Options, _ *upload.Options) {
	s.Client = o.Client
	o.Client, o.Caps.Leases, o.ReadLeases = s, true, !s.names
}

// newLeased is newMount on a service with leases.
func newLeased(t tb, caps s3client.Capabilities, change ...setup) (*mount, *leaseService) {
	c := newClock()
	s := newLeaseService(c)
	return mountOn(t, newBucket(caps, c), c, append(change, s.leases)...), s
}

func (s *leaseService) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	if s.away != nil {
		select {
		case <-s.away:
		case <-ctx.Done():
			s.tried.Add(1)
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.granted, s.over = make(chan s3client.LeaseEvent, 10), nil, make(chan struct{})
	return &leaseStream{service: s, events: s.events, ctx: ctx, closed: s.over}, nil
}

// prefixes are those that were asked for since the last call.
func (s *leaseService) prefixes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.asked
	s.asked = nil
	return list
}

func (s *leaseService) tell(kind s3client.LeaseEventKind, prefix, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events <- s3client.LeaseEvent{Sent: s.clock.Now(), Kind: kind, Prefix: prefix, Key: key}
}

// recall has a lease given back.
func (s *leaseService) recall(t tb, prefix, key string) {
	t.Helper()
	s.tell(s3client.LeaseRecalled, prefix, key)
	if got := <-s.returned; got != prefix {
		t.Errorf("%q was given back", got)
	}
}

// make does what the service does before another client makes a key.
func (s *leaseService) make(key string) {
	for {
		s.mu.Lock()
		i := slices.IndexFunc(s.granted, func(held string) bool { return strings.HasPrefix(key, held) })
		prefix, over := "", s.over
		if i >= 0 {
			prefix = s.granted[i]
		}
		s.mu.Unlock()
		if i < 0 {
			return
		}
		s.tell(s3client.LeaseRecalled, prefix, key)
		select {
		case <-s.returned:
		case <-over:
		}
	}
}

// end breaks the stream.
func (s *leaseService) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.events)
}

type leaseStream struct {
	service *leaseService
	events  chan s3client.LeaseEvent
	ctx     context.Context
	once    sync.Once
	closed  chan struct{}
}

var errStream = errors.New("the stream is over")

func (s *leaseStream) Next() (s3client.LeaseEvent, error) {
	tick := time.NewTimer(20 * time.Millisecond)
	defer tick.Stop()
	select {
	case e, ok := <-s.events:
		if !ok {
			return e, errStream
		}
		return e, nil
	case <-tick.C:
	case <-s.closed:
		return s3client.LeaseEvent{}, errStream
	case <-s.ctx.Done():
		return s3client.LeaseEvent{}, s.ctx.Err()
	}
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	return s3client.LeaseEvent{Sent: s.service.clock.Now().Add(-s.service.old)}, nil
}

func (s *leaseStream) Ask(_ context.Context, prefix string, forReads bool) (reads bool, err error) {
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	s.service.asked = append(s.service.asked, prefix)
	if s.service.refuse {
		return false, s3client.ErrConflict
	}
	s.service.granted = append(slices.DeleteFunc(s.service.granted, func(held string) bool { return strings.HasPrefix(held, prefix) }), prefix)
	return s.service.reads && forReads, nil
}

func (s *leaseStream) Return(_ context.Context, prefix string) error {
	s.service.mu.Lock()
	s.service.granted = slices.DeleteFunc(s.service.granted, func(held string) bool { return held == prefix })
	s.service.mu.Unlock()
	select {
	case s.service.returned <- prefix:
	default: // nobody has asked for it
	}
	return nil
}

func (s *leaseStream) Close() error {
	s.once.Do(func() {
		s.service.mu.Lock()
		defer s.service.mu.Unlock()
		if s.service.over == s.closed {
			s.service.granted = nil
		}
		close(s.closed)
	})
	return nil
}

// shortNegative has names that are not there forgotten soon, but not those that are.
func shortNegative(o *volume.Options, _ *upload.Options) {
	o.TTL, o.NegativeTTL = time.Hour, time.Second
}

var exclusive = volume.OpenFlags{Read: true, Write: true, Excl: true}

// exclusive makes a file as open(O_CREAT|O_EXCL) does: after a lookup.
func (m *mount) exclusive(path string) *volume.Handle {
	m.t.Helper()
	dir, name := m.parent(path)
	if _, _, err := m.Lookup(ctx, dir, name); !errors.Is(err, volume.ErrNotExist) {
		m.t.Fatalf("create %q: it is there: %v", path, err)
	}
	_, h, _, err := m.Create(ctx, dir, name, 0o640, exclusive, who)
	m.ok(err)
	return h
}

// lease has the mount get a lease on the prefix of a directory: by two files that are claimed.
func (m *mount) lease(dir string) {
	m.t.Helper()
	for i := range 2 {
		m.close(m.exclusive(fmt.Sprintf("%s/lease%d", dir, i)))
	}
	m.mem.ResetCounts()
}

// leasedAgain makes files in a directory until the lease on it is relied on again.
func (m *mount) leasedAgain(dir string) {
	m.t.Helper()
	for i := 0; ; i++ {
		path := fmt.Sprintf("%s/f%d", dir, i)
		h := m.exclusive(path)
		promised := !slices.Contains(m.mem.Keys(), path)
		h.Release()
		if promised {
			return
		}
	}
}

// crowd makes more in a directory than is learned at a grant.
func (m *mount) crowd(dir string) {
	for i := range s3client.MaxListKeys {
		m.foreign(fmt.Sprintf("%s/%d", dir, i), "")
	}
}

// A lease costs the first file its claim; all others are one request each, also in directories below.
func TestExclusiveCreateUnderALeaseIsOneRequest(t *testing.T) {
	m, s := newLeased(t, memclient.Full(), shortNegative)
	m.mkdir("d")
	m.mkdir("d/sub")
	sub, _ := m.parent("d/sub/f")
	defer runtime.KeepAlive(sub) // as the kernel does: what is known of a directory made here, and of that above, goes with it
	m.mem.ResetCounts()
	for i := range 100 {
		m.clock.advance(20 * time.Millisecond) // 2 s in all: the lease is relied on for longer without a word of the service
		for _, dir := range []string{"d", "d/sub"} {
			h := m.exclusive(fmt.Sprintf("%s/f%d", dir, i))
			m.writeAll(h, "data", 0)
			m.close(h)
		}
	}
	// The claim, and one listing of all that is below.
	m.requests(200+1+1, "200 files")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/"}) {
		t.Errorf("asked for %q", got)
	}
	m.mkdir("d/new")
	m.mem.ResetCounts()
	m.close(m.exclusive("d/new/f"))
	m.requests(1, "a file in a directory that was made under the lease")
	if _, _, _, err := m.Create(ctx, m.Root(), "single", 0o640, exclusive, who); err != nil || len(s.prefixes()) > 0 {
		t.Errorf("a single file: %v", err)
	}
}

func TestPromisedFilesAreClaimedOnRecall(t *testing.T) {
	m, s := newLeased(t, conditional)
	m.mkdir("d")
	m.lease("d")
	empty, written, closed := m.exclusive("d/empty"), m.exclusive("d/written"), m.exclusive("d/closed")
	m.writeAll(written, "some bytes", 0)
	m.close(closed)
	unlinked := m.exclusive("d/unlinked")
	m.ok(m.unlink("d/unlinked"))
	m.close(unlinked)
	other := m.create("d/not exclusive")
	m.requests(1, "nothing but what is closed is sent")

	s.recall(t, "d/", "d/empty")
	m.requests(2, "the claims")
	want := []string{"d/", "d/closed", "d/empty", "d/lease0", "d/lease1", "d/written"}
	if got := m.mem.Keys(); !slices.Equal(got, want) {
		t.Errorf("keys %q", got)
	}
	if got := m.object("d/written"); got != "" {
		t.Errorf("the claim has %q", got)
	}
	m.close(written)
	m.close(empty)
	m.close(other)
	if got := m.object("d/written"); got != "some bytes" {
		t.Errorf("stored %q", got)
	}
	s.prefixes()
	m.mem.ResetCounts()
	for i := range 3 {
		m.close(m.exclusive(fmt.Sprintf("d/after%d", i)))
	}
	m.requests(3, "claims that nothing was written to")
	if got := s.prefixes(); len(got) > 0 {
		t.Errorf("asked again for %q", got)
	}
}

// After the end of a lease, whoever was quicker keeps the name, and both versions are kept.
func TestRevokedLeaseShowsAtClose(t *testing.T) {
	for name, end := range map[string]func(m *mount, s *leaseService){
		"revoked": func(m *mount, s *leaseService) { s.tell(s3client.LeaseRevoked, "d/", "") },
		"broken":  func(m *mount, s *leaseService) { s.end() },
	} {
		t.Run(name, func(t *testing.T) {
			m, s := newLeased(t, conditional)
			m.mkdir("d")
			m.lease("d")
			mine, lost := m.exclusive("d/mine"), m.exclusive("d/lost")
			m.writeAll(mine, "mine", 0)
			m.writeAll(lost, "lost", 0)
			m.foreign("d/lost", "theirs")
			end(m, s)
			for !slices.Contains(m.mem.Keys(), "d/mine") { // it is claimed
				time.Sleep(time.Millisecond)
			}
			m.close(mine)
			m.want(lost.Flush(ctx), volume.ErrStale)
			lost.Release()
			if got := m.object("d/lost"); got != "theirs" {
				t.Errorf("the name has %q", got)
			}
			if got := m.object(m.conflictOf("d/lost")); got != "lost" {
				t.Errorf("kept %q", got)
			}
			if got := m.object("d/mine"); got != "mine" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

// What was known before the lease is no reason to promise a name.
func TestNamesFromBeforeALeaseAreNotPromised(t *testing.T) {
	m, s := newLeased(t, conditional)
	m.foreign("d/old", "")
	m.names("d", "old")
	m.missing("d/theirs")
	m.missing("d/dir")
	m.foreign("d/theirs", "theirs")
	m.foreign("d/dir/theirs", "theirs")
	m.lease("d")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/"}) {
		t.Errorf("asked for %q", got)
	}
	dir, _ := m.parent("d/x")
	_, _, _, err := m.Create(ctx, dir, "theirs", 0o640, exclusive, who)
	m.want(err, volume.ErrExist)

	// A directory that is made without such knowledge is not taken for empty.
	m, s = newLeased(t, conditional)
	m.mkdir("d")
	m.mkdir("d/sub")
	m.foreign("d/dir/theirs", "theirs")
	held, _ := m.parent("d/sub/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.crowd("d/crowd")
	m.lease("d/sub")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/"}) {
		t.Errorf("asked for %q", got)
	}
	m.mkdir("d/dir") // there is no marker
	dir, _ = m.parent("d/dir/x")
	_, _, _, err = m.Create(ctx, dir, "theirs", 0o640, exclusive, who)
	m.want(err, volume.ErrExist)
}

// A name that this mount removes or renames is free again, without a request.
func TestNamesUnderALeaseComeAndGo(t *testing.T) {
	m, _ := newLeased(t, memclient.Full(), shortNegative)
	m.mkdir("d")
	m.lease("d")
	again := func(path string) {
		t.Helper()
		m.clock.advance(time.Minute / 2)
		m.mem.ResetCounts()
		m.close(m.exclusive(path))
		m.requests(1, path)
		dir, name := m.parent(path)
		_, _, _, err := m.Create(ctx, dir, name, 0o640, exclusive, who)
		m.want(err, volume.ErrExist)
	}
	again("d/f")
	m.ok(m.unlink("d/f"))
	again("d/f")
	m.ok(m.rename("d/f", "d/g"))
	again("d/f")
	h := m.exclusive("d/open")
	dir, name := m.parent("d/open")
	_, _, _, err := m.Create(ctx, dir, name, 0o640, exclusive, who)
	m.want(err, volume.ErrExist)
	m.writeAll(h, "data", 0)
	m.ok(m.rename("d/open", "d/moved"))
	m.close(h)
	if got := m.object("d/moved"); got != "data" {
		t.Errorf("moved %q", got)
	}
	again("d/open")
	h = m.exclusive("d/within")
	m.writeAll(h, "data", 0)
	m.ok(m.rename("d", "e"))
	m.close(h)
	if got := m.object("e/within"); got != "data" {
		t.Errorf("moved %q", got)
	}
}

// A lease is relied on only as long as the service was heard of just now, however fast its words come in.
func TestLeaseIsNotReliedOnInSilence(t *testing.T) {
	m, s := newLeased(t, conditional)
	s.old = 0
	m.mkdir("d")
	m.lease("d")
	m.close(m.exclusive("d/f"))
	m.requests(1, "in time")
	s.mu.Lock()
	s.old = s3client.LeaseTrust
	s.mu.Unlock()
	m.clock.advance(s3client.LeaseTrust)
	m.exclusive("d/g").Release()
	if got := m.mem.Counts()[s3client.OpPut]; got != 1 {
		t.Errorf("%d requests of a claim", got)
	}
}

func TestRefusedLeaseIsNotAskedForAgain(t *testing.T) {
	m, s := newLeased(t, conditional)
	s.refuse = true
	m.mkdir("d")
	m.mkdir("d/sub")
	s.prefixes()
	m.lease("d/sub")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/", "d/sub/"}) {
		t.Errorf("asked for %q", got)
	}
	m.close(m.exclusive("d/sub/f"))
	m.requests(1, "a claim")
	if got := s.prefixes(); len(got) > 0 {
		t.Errorf("asked again for %q", got)
	}
}

// A name in a directory with very many entries is promised by its lookup: nothing is listed for it.
func TestNameInALargeDirectoryIsPromised(t *testing.T) {
	m, s := newLeased(t, conditional)
	for i := range 4001 {
		m.foreign(fmt.Sprintf("d/e%04d", i), "")
	}
	m.lease("d")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/"}) {
		t.Errorf("asked for %q", got)
	}
	m.mem.ResetCounts()
	m.close(m.exclusive("d/new"))
	m.requests(3, "the lookup, which is two requests, and the file")
}

// Where names are kept another way, no lease is asked for.
func TestNoLeasesWithoutNeed(t *testing.T) {
	lazy := func(o *volume.Options, _ *upload.Options) { o.LazyExcl = true }
	m, s := newLeased(t, conditional, lazy)
	m.mkdir("d")
	m.lease("d")
	if got := s.prefixes(); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
}

// With a journal, which promises no names, no lease is asked for without Options.ReadLeases.
func TestNoLeasesWithAJournal(t *testing.T) {
	s := newLeaseService(newClock())
	s.names = true
	m := newJournaled(t, conditional, s.leases)
	m.mkdir("d")
	for _, name := range []string{"d/a", "d/b", "d/c"} {
		m.close(m.exclusive(name))
	}
	if got := s.prefixes(); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
}

// With a journal nobody waits for a lease, and what is below one is asked for once.
func TestLeasesWithAJournal(t *testing.T) {
	s := newLeaseService(newClock())
	s.reads, s.away = true, make(chan struct{})
	m := newJournaled(t, conditional, s.leases)
	m.mkdir("d")
	m.mkdir("e")
	make := func(i int) {
		for _, dir := range []string{"d", "e"} {
			m.close(m.exclusive(fmt.Sprintf("%s/%d", dir, i)))
		}
	}
	make(0)
	make(1)
	if s.tried.Load() > 0 {
		t.Error("it has waited for the service, which is away")
	}
	close(s.away)
	asked := 0
	for i := 2; asked < 2; i++ {
		make(i)
		asked += len(s.prefixes())
	}
	m.ok(m.Sync(ctx))
	m.mem.ResetCounts()
	for i := range 20 {
		make(1000 + i)
	}
	m.ok(m.Sync(ctx))
	if got := m.mem.Counts()[s3client.OpList]; got > 2 {
		t.Errorf("%d listings", got)
	}
}

// What is learned with a lease, with a journal, is learned of directories that are not sent yet, too.
func TestDirectoriesThatAreNotSentAreLearned(t *testing.T) {
	s := newLeaseService(newClock())
	s.reads = true
	m := newJournaled(t, conditional, s.leases)
	m.mkdir("d")
	m.stored()
	hold := make(chan struct{})
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpPut {
			<-hold
		}
		return nil
	})
	defer close(hold)
	m.mkdir("d/sub")
	m.mkdir("d/sub/sub")
	m.foreign("d/sub/theirs", "theirs")
	listed := func(path string, want ...string) int {
		m.mem.ResetCounts()
		m.names(path, want...)
		return m.mem.Counts()[s3client.OpList]
	}
	for i := 0; len(s.prefixes()) == 0; i++ {
		m.close(m.exclusive(fmt.Sprintf("d/x%d", i)))
		m.Learned()
	}
	if n := listed("d/sub", "sub", "theirs") + listed("d/sub/sub"); n > 0 {
		t.Errorf("%d listings of directories that are known", n)
	}
}

// What is learned with a lease takes no more for each directory, where very many names are known from elsewhere.
func TestLearningATreeIsOneLookAtTheCache(t *testing.T) {
	m, s := newLeased(t, conditional)
	s.reads = true
	m.mkdir("d")
	const dirs, names = 400, 20_000
	for i := range dirs {
		m.foreign(fmt.Sprintf("d/%d/f", i), "")
	}
	for i := range names {
		m.foreign(fmt.Sprintf("many/%d", i), "")
	}
	m.list("many")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m.lease("d")
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16*names*dirs/4 {
		t.Errorf("%d MiB were taken", got>>20)
	}
	m.list("d/0")
	m.requests(0, "a listing under the lease")
}

// Without Options.ReadLeases no lease for reads is asked for.
func TestNoLeasesForReadsUnlessAskedFor(t *testing.T) {
	c := newClock()
	s := newLeaseService(c)
	s.names, s.reads = true, true
	m := mountOn(t, newBucket(conditional, c), c, func(o *volume.Options, _ *upload.Options) { o.TTL, o.NegativeTTL = time.Second, time.Second }, s.leases)
	m.mkdir("d")
	m.lease("d")
	if got := s.prefixes(); !slices.Equal(got, []string{"d/"}) {
		t.Errorf("asked for %q", got)
	}
	n, _, err := m.walk("d/lease0")
	m.ok(err)
	m.clock.advance(2 * time.Second)
	m.mem.ResetCounts()
	h, err := m.Open(ctx, n, volume.OpenFlags{Read: true})
	m.ok(err)
	h.Release()
	m.requests(1, "an open, which asks for the version")
}

// The claim of a large file, which is being sent while it is written, is what the rest of it replaces.
func TestLargePromisedFileIsClaimed(t *testing.T) {
	m, s := newLeased(t, memclient.Full(), func(_ *volume.Options, u *upload.Options) { u.PartSize, u.MultipartThreshold = 5<<20, 6<<20 })
	m.mkdir("d")
	m.lease("d")
	h := m.exclusive("d/f")
	half := strings.Repeat("0123456789abcdef", 1<<19)
	m.writeAll(h, half, 0)
	s.recall(t, "d/", "d/x")
	if got := m.object("d/f"); got != "" {
		t.Errorf("the claim has %d bytes", len(got))
	}
	m.writeAll(h, half, int64(len(half)))
	m.close(h)
	if got := m.object("d/f"); got != half+half {
		t.Errorf("stored %d bytes", len(got))
	}
}

// A name that could not be claimed at the end of its lease is claimed when the service is there again, however long the
// file stays open: nobody else is to find it free then.
func TestClaimsAreTriedUntilTheyAreMade(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *leaseService){
		"recalled": func(t *testing.T, s *leaseService) { s.recall(t, "d/", "d/x") },
		"revoked":  func(_ *testing.T, s *leaseService) { s.tell(s3client.LeaseRevoked, "d/", "") },
		"broken":   func(_ *testing.T, s *leaseService) { s.end() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s := newLeased(t, conditional)
				m.mkdir("d")
				m.lease("d")
				mine, lost := m.exclusive("d/mine"), m.exclusive("d/lost")
				m.failPuts()
				end(t, s)
				time.Sleep(10 * time.Minute)
				m.foreign("d/lost", "theirs")
				m.faults.set(nil)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if !slices.Contains(m.mem.Keys(), "d/mine") {
					t.Error("the name is not claimed")
				}
				m.mem.ResetCounts()
				time.Sleep(time.Hour)
				m.requests(0, "when all is decided")
				m.close(mine)
				m.writeAll(lost, "lost", 0)
				m.want(lost.Flush(ctx), volume.ErrStale)
				lost.Release()
			})
		})
	}
}

// slowBytes is a client whose PUTs with bytes take half a minute.
type slowBytes struct{ s3client.Client }

func (s slowBytes) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if n, err := r.Seek(0, io.SeekEnd); err != nil || n > 0 {
		time.Sleep(time.Minute / 2)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return s.Client.Put(ctx, key, r, opt)
}

// The name of a file whose bytes take longer than a recall waits is claimed before they are sent.
func TestNameIsClaimedBeforeManyBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newLeased(t, conditional, func(o *volume.Options, _ *upload.Options) { o.Client = slowBytes{o.Client} })
		m.mkdir("d")
		m.lease("d")
		h := m.exclusive("d/f")
		data := strings.Repeat("0123456789abcdef", 1<<17)
		m.writeAll(h, data, 0)
		closed := make(chan error)
		go func() { closed <- h.Flush(ctx) }()
		synctest.Wait()
		s.recall(t, "d/", "d/x")
		if !slices.Contains(m.mem.Keys(), "d/f") {
			t.Error("the lease was given back before the name was claimed")
		}
		m.ok(<-closed)
		h.Release()
		if got := m.object("d/f"); got != data {
			t.Errorf("stored %d bytes", len(got))
		}
	})
}

// The attributes of a directory that were known before the grant are not taken for those that it has, as a listing that does
// not tell them shows it.
func TestAttributesFromBeforeALease(t *testing.T) {
	m, s := newLeased(t, conditional, func(o *volume.Options, _ *upload.Options) { o.TTL, o.NegativeTTL = time.Second, time.Second })
	s.reads = true
	m.mkdir("d")
	m.mkdir("d/sub")
	held, _ := m.parent("d/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.crowd("d/crowd")
	m.stat("d/sub")
	_, err := m.mem.Put(ctx, "d/sub/", strings.NewReader(""), s3client.PutOptions{Meta: s3client.Meta{"mode": "16832"}})
	m.ok(err)
	m.lease("d")
	m.names("d", "crowd", "lease0", "lease1", "sub")
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	if got := m.stat("d/sub").Mode; got != 16832 {
		t.Errorf("mode %o", got)
	}
}

// The attributes of a directory from before a lease are not taken for what there is either where it cannot be relied on for a
// while, and then again.
func TestAttributesListedInSilence(t *testing.T) {
	m, s := newLeased(t, conditional, func(o *volume.Options, _ *upload.Options) {
		o.TTL, o.NegativeTTL = s3client.LeaseTrust+time.Second, time.Second
	})
	s.reads, s.old = true, 0
	old := func(d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.old = d
	}
	m.mkdir("d")
	m.mkdir("d/sub")
	held, _ := m.parent("d/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.crowd("d/crowd")
	m.lease("d")
	s.end() // and what was just listed is not listed again with the next one
	m.stat("d/sub")
	_, err := m.mem.Put(ctx, "d/sub/", strings.NewReader(""), s3client.PutOptions{Meta: s3client.Meta{"mode": "16832"}})
	m.ok(err)
	s.prefixes()
	for name := 2; len(s.prefixes()) == 0; name++ {
		m.close(m.exclusive(fmt.Sprintf("d/lease%d", name)))
	}
	old(s3client.LeaseTrust)
	m.clock.advance(s3client.LeaseTrust)
	m.list("d")
	old(0)
	m.leasedAgain("d")
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	if got := m.stat("d/sub").Mode; got != 16832 {
		t.Errorf("mode %o", got)
	}
}

// A change whose outcome nobody knows may be made at any time: who has a lease for reads does not rely on it any more.
func TestLeaseIsGivenBackInDoubt(t *testing.T) {
	chmod := func(m *mount) error {
		n, _, err := m.walk("d/f")
		m.ok(err)
		mode := uint32(0o600)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		return err
	}
	for name, change := range map[string]func(m *mount) error{
		"chmod":  chmod,
		"unlink": func(m *mount) error { return m.unlink("d/f") },
		"rename": func(m *mount) error { return m.rename("d/f", "d/g") },
		"mkdir": func(m *mount) error {
			dir, name := m.parent("d/dir")
			_, _, err := m.Mkdir(ctx, dir, name, 0o755, who)
			return err
		},
		"write": func(m *mount) error {
			h := m.open("d/f", volume.OpenFlags{Write: true, Truncate: true})
			m.t.Cleanup(h.Release)
			return h.Flush(ctx)
		},
		"link": func(m *mount) error { // the copy that it begins with has a key elsewhere
			m.line(errAway, s3client.OpPut)
			return m.link("d/f", "d/g")
		},
		"patch": func(m *mount) error {
			m.line(errAway, s3client.OpPatch)
			return m.flushed("d/f", "xx", 1)
		},
		"large file": func(m *mount) error {
			m.line(errAway, s3client.OpComplete)
			return m.flushed("d/f", strings.Repeat("0123456789abcdef", 2*smallSingle/16), 0)
		},
		"conflict": func(m *mount) error {
			m.foreign("d/f", "theirs")
			m.faults.set(func(op, key string) error {
				if op == s3client.OpPut && key != "d/f" {
					return errAway
				}
				return nil
			})
			return m.flushed("d/f", "mine", 0)
		},
		"rmdir": func(m *mount) error {
			m.line(nil)
			m.mkdir("d/empty")
			m.line(errAway, s3client.OpDeleteDir)
			return m.rmdir("d/empty")
		},
		"removals in a row": func(m *mount) error {
			m.line(nil)
			for _, name := range []string{"d/a", "d/b", "d/c"} {
				m.put(name, "data")
			}
			m.ok(m.unlink("d/a"))
			m.ok(m.unlink("d/b"))
			m.line(errAway)
			m.ok(m.unlink("d/c"))
			dir, _ := m.parent("d/c")
			return m.SyncDir(ctx, dir)
		},
		"publish": func(m *mount) error {
			m.line(nil)
			m.put("d/tmp_x", "data")
			m.line(errAway)
			return m.link("d/tmp_x", "d/g")
		},
		"unlink the name that is published": func(m *mount) error { return m.publishThenUnlink("d/tmp_x", "d/g", "d/tmp_x") },
		"unlink what is published":          func(m *mount) error { return m.publishThenUnlink("d/tmp_x", "d/g", "d/g") },
	} {
		t.Run(name, func(t *testing.T) {
			m, s := newLeased(t, memclient.Full(), smallParts, smallPatches, lazyUnlink, func(o *volume.Options, _ *upload.Options) {
				o.TTL, o.NegativeTTL = time.Second, time.Second
			})
			s.reads = true
			m.mkdir("d")
			m.lease("d")
			m.put("d/f", "data")
			held, _, err := m.walk("d/f")
			m.ok(err)
			m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
			m.mem.ResetCounts()
			h, err := m.Open(ctx, held, volume.OpenFlags{Read: true})
			m.ok(err)
			h.Release()
			m.requests(0, "an open under the lease")
			m.line(errAway)
			if err := change(m); err == nil {
				t.Fatal("it has not failed")
			}
			m.line(nil)
			if got := <-s.returned; got != "d/" {
				t.Errorf("%q was given back", got)
			}
		})
	}
}

var errAway = &s3client.Error{Err: s3client.ErrUnavailable}

// line has requests fail that change something in d: of all kinds, or of some.
func (m *mount) line(err *s3client.Error, ops ...string) {
	if ops == nil {
		ops = []string{
			s3client.OpPut, s3client.OpPatch, s3client.OpCopy, s3client.OpRename, s3client.OpDelete, s3client.OpDeleteDir, s3client.OpComplete,
		}
	}
	m.faults.set(func(op, key string) error {
		if err != nil && slices.Contains(ops, op) && strings.HasPrefix(key, "d/") {
			return err
		}
		return nil
	})
}

// flushed writes to a file and says what close(2) would.
func (m *mount) flushed(path, data string, off int64) error {
	h := m.open(path, readWrite)
	m.t.Cleanup(h.Release)
	m.writeAll(h, data, off)
	return h.Flush(ctx)
}

// With a journal, too, what is sent later and not answered ends the lease.
func TestLeaseIsGivenBackInDoubtWithAJournal(t *testing.T) {
	s := newLeaseService(newClock())
	s.reads = true
	m := newJournaled(t, conditional, s.leases)
	m.mkdir("d")
	for i := 0; len(s.prefixes()) == 0; i++ {
		m.close(m.exclusive(fmt.Sprintf("d/%d", i)))
	}
	m.ok(m.Sync(ctx))
	m.line(errAway)
	m.put("d/f", "data")
	if got := <-s.returned; got != "d/" {
		t.Errorf("%q was given back", got)
	}
}

func (m *mount) publishThenUnlink(first, second, gone string) error {
	m.line(nil)
	m.put(first, "data")
	m.ok(m.link(first, second))
	m.line(errAway)
	return m.unlink(gone)
}

// What this mount has removed is not known to be gone since the grant, if it was never on the service.
func TestRemovedBeforeItWasStoredIsNotPromised(t *testing.T) {
	m, _ := newLeased(t, conditional)
	m.mkdir("d")
	h := m.create("d/f")
	m.foreign("d/f", "theirs")
	m.lease("d")
	m.ok(m.unlink("d/f"))
	dir, _ := m.parent("d/f")
	_, _, _, err := m.Create(ctx, dir, "f", 0o640, exclusive, who)
	m.want(err, volume.ErrExist)
	h.Release()
}

// lateAnswers is a client whose removals are answered late.
type lateAnswers struct {
	s3client.Client
	done, answer chan struct{}
}

func (c lateAnswers) Delete(ctx context.Context, keys ...string) error {
	err := c.Client.Delete(ctx, keys...)
	c.done <- struct{}{}
	<-c.answer
	return err
}

// What was removed before a grant may have been made again before the grant, however late the answer came.
func TestRemovedBeforeTheGrantIsNotPromised(t *testing.T) {
	late := lateAnswers{done: make(chan struct{}), answer: make(chan struct{})}
	m, _ := newLeased(t, conditional, func(o *volume.Options, _ *upload.Options) { late.Client = o.Client; o.Client = late })
	m.mkdir("d")
	m.put("d/f", "old")
	over := make(chan error)
	go func() { over <- m.unlink("d/f") }()
	<-late.done
	m.foreign("d/f", "theirs")
	m.lease("d")
	close(late.answer)
	m.ok(<-over)
	dir, _ := m.parent("d/f")
	_, _, _, err := m.Create(ctx, dir, "f", 0o640, exclusive, who)
	m.want(err, volume.ErrExist)
}

// A directory that is made while nothing is heard of the service is not taken for empty when it is heard of again.
func TestDirectoryMadeInSilenceIsNotTakenForEmpty(t *testing.T) {
	m, s := newLeased(t, conditional)
	old := func(d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.old = d
	}
	old(0)
	m.mkdir("d")
	m.mkdir("d/sub")
	m.missing("d/dir")
	m.foreign("d/dir/theirs", "theirs")
	held, _ := m.parent("d/sub/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.crowd("d/crowd")
	m.lease("d/sub")
	old(s3client.LeaseTrust)
	m.clock.advance(s3client.LeaseTrust)
	m.mkdir("d/dir")
	old(0)
	m.leasedAgain("d/sub")
	dir, _ := m.parent("d/dir/x")
	_, _, _, err := m.Create(ctx, dir, "theirs", 0o640, exclusive, who)
	m.want(err, volume.ErrExist)
}

// A claim whose answer got lost is this mount's own.
func TestClaimWhoseAnswerIsLost(t *testing.T) {
	m, _ := newLeased(t, conditional)
	m.mkdir("d")
	m.lease("d")
	h := m.exclusive("d/f")
	data := strings.Repeat("0123456789abcdef", 1<<17)
	m.writeAll(h, data, 0)
	m.faults.set(func(op, _ string) error {
		if op == "after "+s3client.OpPut {
			return errCut
		}
		return nil
	})
	m.want(h.Flush(ctx), errCut)
	m.faults.set(nil)
	m.close(h)
	if got := m.object("d/f"); got != data {
		t.Errorf("stored %d bytes", len(got))
	}
}
