package readahead

import (
	"container/list"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pail/s3client"
)

const (
	linkLatency = 10 * time.Millisecond
	linkRate    = 100 << 20
)

// link is a fake service whose time passes as on a network: a moment for each answer, and one for its bytes.
type link struct {
	*fake
	now  atomic.Int64
	rate int64 // bytes per second
}

func newLink(size int64) *link {
	l := &link{fake: &fake{size: size, etag: "e"}, rate: linkRate}
	l.hook = func(context.Context, s3client.Range) error {
		l.now.Add(int64(linkLatency))
		return nil
	}
	l.body = func(_ context.Context, _ s3client.Range, r io.Reader) io.Reader { return slow{r, l} }
	return l
}

type slow struct {
	io.Reader
	l *link
}

func (s slow) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.l.now.Add(int64(n) * int64(time.Second) / s.l.rate)
	return n, err
}

// open returns a source over the link, whose pool keeps with k.
func (l *link) open(t *testing.T, k Keeper) (*Pool, *source) {
	t.Helper()
	p := newPool(t, l.fake, Options{Keeper: k, Now: func() time.Time { return time.Unix(0, l.now.Load()) }})
	return p, p.Open(object(l.fake)).(*source)
}

// readRandomly reads until more is fetched than the reads need, n times at most, and returns the number of reads. Each has
// all bytes of its requests before the next begins, as the time of one counts for all that are under way.
func (l *link) readRandomly(t *testing.T, s *source, n int) int {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
		state := counting
		waitFor(t, "the bytes of a read", func() bool {
			s.pool.mu.Lock()
			defer s.pool.mu.Unlock()
			state = s.whole.state
			return state == fetching || !slices.ContainsFunc(s.blocks, func(b *block) bool { return !b.done })
		})
		if state == fetching {
			return i + 1
		}
	}
	return n
}

// parts returns the requests that no read of 4 KiB needs.
func (l *link) parts() (parts []s3client.Range) {
	for _, r := range l.requests() {
		if r.Len > 2*chunkSize {
			parts = append(parts, r)
		}
	}
	return parts
}

func openShelf(t *testing.T) *shelf {
	k := newShelf(t)
	close(k.open)
	return k
}

// sum returns the bytes of all requests.
func sum(gets []s3client.Range) (n int64) {
	for _, r := range gets {
		n += r.Len
	}
	return n
}

func TestRandomReadsThatWaitedLongEnoughFetchTheRest(t *testing.T) {
	l := newLink(64*mib + 4099)
	k := openShelf(t)
	_, s := l.open(t, k)
	n := l.readRandomly(t, s, 1000)
	// 64 MiB take 0.64 s and the answers to the requests, and a random read 11 ms; a quarter of that is to be waited for.
	if n < 14 || n > 25 {
		t.Errorf("the rest is fetched after %d reads", n)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	waitFor(t, "the last part", func() bool {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.whole.state == over
	})
	waitFor(t, "all to be kept", func() bool { return len(k.Missing(s.id)) == 0 })
	g := l.requests()
	checkOnce(t, g) // also of what reads ask for meanwhile
	for range 300 {
		off := rnd.Int64N(l.size)
		read(t, s, off, int(min(128*kib, l.size-off)))
	}
	if more := l.requests()[len(g):]; len(more) != 0 {
		t.Errorf("requests for what is here: %v", more)
	}
}

// The more comes while a request waits for its answer, the less parts are in the way of reads, and the sooner they are worth it.
func TestProofIsLessOnAFastLink(t *testing.T) {
	for within, want := range map[int64]float64{64 << 10: 1, 640 << 10: 1, mib: 1. / 4, 3 * mib: 1. / 4, 5 * mib: 1. / 8, 100 * mib: 1. / 8} {
		if got := proof(within); got != want {
			t.Errorf("%d bytes within the wait: %v, want %v", within, got, want)
		}
	}
}

// Parts that are kept make room first, before memory is mapped that was never used.
func TestPartsThatAreKeptMakeRoomFirst(t *testing.T) {
	l := newLink(16 * mib)
	p, s := l.open(t, openShelf(t))
	s.due()
	rnd := rand.New(rand.NewPCG(1, 2))
	parts := func(l *list.List) (n int) {
		for e := l.Front(); e != nil; e = e.Next() {
			if b := e.Value.(*block); b.whole && b.kept {
				n++
			}
		}
		return n
	}
	waitFor(t, "the last part", func() bool {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := parts(&p.mu.idle) + parts(&p.mu.ready); n > 0 {
			t.Fatalf("%d parts are kept and hold their memory", n)
		}
		return s.whole.state == over && parts(&p.mu.spent) > 0
	})
}

// Where the link is slow for all together, parts slow reads down: so more of them are to show that it is worth it.
func TestRandomReadsOfASlowLinkWaitLonger(t *testing.T) {
	l := newLink(64 * mib)
	l.rate = 4 << 20
	_, s := l.open(t, openShelf(t))
	n := l.readRandomly(t, s, 1500)
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	// Less than a chunk comes while a request waits, and 64 MiB take 16 s.
	if w := s.whole.waited.sum; w < 15*time.Second || w > 18*time.Second || n == 1500 {
		t.Errorf("the rest is fetched after %d reads that waited %v", n, w)
	}
}

// Reads that find what parts have brought would have waited without: that pays for further parts as waiting does.
func TestReadsThatFindPartsPayForMore(t *testing.T) {
	l := newLink(32 * mib)
	_, s := l.open(t, openShelf(t))
	l.readRandomly(t, s, 1000)
	rnd := rand.New(rand.NewPCG(5, 6))
	waitFor(t, "all to be kept", func() bool {
		missing := s.pool.keeper.to.Missing(s.id)
		for range 20 {
			off := rnd.Int64N(l.size/4096) * 4096
			if !slices.ContainsFunc(missing, func(r s3client.Range) bool { return r.Off <= off && off < r.Off+r.Len }) {
				read(t, s, off, 4096) // and nothing else is read
			}
		}
		return len(missing) == 0
	})
}

// Nothing is fetched for longer than reads have waited.
func TestPartsAreBegunAsLongAsReadsHaveWaited(t *testing.T) {
	l := newLink(64 * mib)
	_, s := l.open(t, openShelf(t))
	if n := l.readRandomly(t, s, 1000); n == 1000 {
		t.Fatal("nothing is fetched")
	}
	rest := func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.whole.flying.n == 0
	}
	waitFor(t, "parts to end", rest)
	begun := len(l.parts())
	s.pool.mu.Lock()
	w := &s.whole
	last := wholeAtOnce * (linkLatency + time.Second*mib/linkRate)
	if w.state != fetching || s.pool.mu.whole != nil || w.flying.sum < w.waited.sum || w.flying.sum > w.waited.sum+last {
		t.Errorf("state %v, %v under way, %v waited", w.state, w.flying.sum, w.waited.sum)
	}
	s.whole.waited.sum += time.Second / 4
	s.pool.mu.Unlock()
	read(t, s, l.size-mib, 4096)
	waitFor(t, "parts to end", rest)
	if n := len(l.parts()); n <= begun || n == 64 {
		t.Errorf("%d parts, then %d", begun, n)
	}
}

// Many readers at once wait no longer than one does.
func TestWaitsAtTheSameTimeCountOnce(t *testing.T) {
	l := newLink(64 * mib)
	_, s := l.open(t, openShelf(t))
	s.pool.mu.Lock()
	var ends []func()
	for range 100 {
		ends = append(ends, s.waitsLocked(true))
	}
	l.now.Add(int64(time.Second))
	for _, end := range ends {
		end()
	}
	if s.whole.waited.sum != time.Second {
		t.Errorf("waited %v", s.whole.waited.sum)
	}
	s.pool.mu.Unlock()
}

func TestRestIsNotFetched(t *testing.T) {
	t.Run("without a cache on disk", func(t *testing.T) {
		l := newLink(64 * mib)
		_, s := l.open(t, nil)
		l.readRandomly(t, s, 1000)
		rnd := rand.New(rand.NewPCG(3, 4))
		before := sum(l.requests())
		for range 200 {
			read(t, s, rnd.Int64N(l.size/4096-32)*4096, 128*kib)
		}
		if total := sum(l.requests()) - before; len(l.parts()) > 0 || total > 200*2*128*kib {
			t.Errorf("%d bytes, parts %v", total, l.parts())
		}
	})
	t.Run("of what the keeper does not want", func(t *testing.T) {
		l := newLink(64 * mib)
		_, s := l.open(t, unwilling{openShelf(t)})
		if l.readRandomly(t, s, 1000); sum(l.parts()) > probe || s.whole.state != over {
			t.Errorf("parts %v", l.parts())
		}
	})
	t.Run("of a very large object", func(t *testing.T) {
		l := newLink(largestWhole + 1)
		_, s := l.open(t, openShelf(t))
		s.whole.waited.sum = time.Hour
		if l.readRandomly(t, s, 100); len(l.parts()) > 0 {
			t.Errorf("parts %v", l.parts())
		}
	})
	t.Run("because of reads in order", func(t *testing.T) {
		l := newLink(64 * mib)
		_, s := l.open(t, openShelf(t))
		for off := int64(0); off < l.size; off += mib {
			read(t, s, off, mib)
		}
		if s.whole.waited.sum > 2*linkLatency || s.whole.state != counting {
			t.Errorf("waited %v, state %v", s.whole.waited.sum, s.whole.state)
		}
		checkOnce(t, l.requests())
	})
}

type unwilling struct{ *shelf }

func (unwilling) Missing(ObjectID) []s3client.Range { return nil }

// due makes the next random read have the rest fetched.
func (s *source) due() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.whole.waited.sum = time.Hour
	s.pool.pace.mu.Lock()
	defer s.pool.pace.mu.Unlock()
	s.pool.pace.mu.sure = true // there is nothing to learn from a larger read
}

// What small reads say of the rate is chance: so the rate is learned from one larger read, before it is relied on.
func TestRateIsLearnedFromOneLargerRead(t *testing.T) {
	l := newLink(256 * mib)
	p, s := l.open(t, openShelf(t))
	l.readRandomly(t, s, 12)
	large := l.parts()
	if len(large) != 1 || large[0].Len != probe {
		t.Errorf("larger reads: %v", large)
	}
	if g := l.requests(); sum(g[:probeAfter]) > probeAfter*2*chunkSize {
		t.Errorf("the reads ask for %v", g)
	}
	l.readRandomly(t, p.Open(object(l.fake)).(*source), 12) // the mount knows it by now
	if n := len(l.parts()); n != 1 {
		t.Errorf("%d larger reads", n)
	}
}

func TestCloseEndsFetchingTheRest(t *testing.T) {
	l := newLink(64 * mib)
	p, s := l.open(t, openShelf(t))
	l.hook = func(ctx context.Context, r s3client.Range) error {
		if r.Len > chunkSize {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	s.due()
	read(t, s, 5*mib, 4096)
	waitFor(t, "parts to be asked for", func() bool { return len(l.parts()) == wholeAtOnce })
	s.Close()
	if n := len(l.parts()); n != wholeAtOnce || p.mu.whole != nil {
		t.Errorf("%d parts; %v", n, p.mu.whole)
	}
	// The next object has its turn.
	l.hook = nil
	s = p.Open(object(l.fake)).(*source)
	s.due()
	read(t, s, 5*mib, 4096)
	waitFor(t, "all to be kept", func() bool { return len(s.pool.keeper.to.Missing(s.id)) == 0 })
}

func TestPartThatFailsCostsNoRead(t *testing.T) {
	l := newLink(64 * mib)
	_, s := l.open(t, openShelf(t))
	l.hook = func(_ context.Context, r s3client.Range) error {
		if r.Len > chunkSize {
			return errors.New("no")
		}
		return nil
	}
	s.due()
	read(t, s, 5*mib, 4096)
	waitFor(t, "the end", func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.whole.state == over && s.pool.mu.whole == nil
	})
	parts := len(l.parts())
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
	}
	if n := len(l.parts()); n != parts || n > wholeAtOnce {
		t.Errorf("%d parts, then %d", parts, n)
	}
}

// A read that finds nothing while parts are fetched begins one, and waits for its first bytes only. Its waiting counts.
func TestReadBeginsThePartThatItNeeds(t *testing.T) {
	l := newLink(64 * mib)
	_, s := l.open(t, openShelf(t))
	asked, answer := make(chan s3client.Range, 64), make(chan struct{})
	l.hook = func(ctx context.Context, r s3client.Range) error {
		asked <- r
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	s.pool.mu.Lock()
	w := &s.whole
	w.state, w.part, w.rest = fetching, mib, l.size
	w.missing = []s3client.Range{{Len: 8 * mib}, {Off: 16 * mib, Len: l.size - 16*mib}}
	w.waited.sum = time.Millisecond // no time has passed since, so all are paid for
	s.pool.mu.whole = s
	s.pool.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		read(t, s, 40*mib+300*kib+5, 4096)
	}()
	var parts []s3client.Range
	for range wholeAtOnce {
		parts = append(parts, <-asked)
	}
	if here := (s3client.Range{Off: 40*mib + 256*kib, Len: mib}); !slices.Contains(parts, here) {
		t.Errorf("%v are asked for, and not %v", parts, here)
	}
	waits := func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return w.waited.n == 1
	}
	waitFor(t, "the read to wait", waits)
	close(answer)
	<-done
	waitFor(t, "all to be kept", func() bool {
		s.pool.mu.Lock()
		w.waited.sum = time.Hour
		s.fetchWholeLocked()
		s.pool.mu.Unlock()
		missing := s3client.TotalLen(s.pool.keeper.to.Missing(s.id))
		return missing == 8*mib // which nobody has asked for
	})
	checkOnce(t, l.requests())
}

// Reads are served from parts that still come in, and of other places at once.
func TestReadsWhileTheRestComes(t *testing.T) {
	l := newLink(64 * mib)
	_, s := l.open(t, openShelf(t))
	gate := make(chan struct{})
	l.body = func(_ context.Context, r s3client.Range, whole io.Reader) io.Reader {
		if r.Len <= chunkSize {
			return whole
		}
		return io.MultiReader(io.LimitReader(whole, 256*kib), wait{gate}, whole)
	}
	s.due()
	read(t, s, 60*mib, 4096)
	read(t, s, 5, 128*kib) // the beginning of the first part
	isFirst := func(r s3client.Range) bool { return r.Off == 0 }
	if parts := l.parts(); !slices.ContainsFunc(parts, isFirst) {
		t.Errorf("parts %v", parts)
	}
	read(t, s, 50*mib, 4096)
	close(gate)
	for off := int64(0); off < l.size; off += mib {
		read(t, s, off, mib)
	}
}

type wait struct{ gate chan struct{} }

func (w wait) Read([]byte) (int, error) {
	<-w.gate
	return 0, io.EOF
}

// In little memory, and with a keeper that is slow, parts wait and demanded reads do not.
func TestRestComesWithinTheMemory(t *testing.T) {
	l := newLink(24 * mib)
	k := newShelf(t)
	p := newPool(t, l.fake, Options{Keeper: k, MemoryLimit: 4 * mib, BlockSize: mib})
	s := p.Open(object(l.fake)).(*source)
	s.due()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
	}
	close(k.open)
	waitFor(t, "all to be kept", func() bool {
		read(t, s, rnd.Int64N(l.size/4096)*4096, 4096)
		return len(k.Missing(s.id)) == 0
	})
}

// Blocks of reads that lie across chunks are not kept, and in nobody's way.
func TestPartsTakeThePlaceOfIdleBlocks(t *testing.T) {
	l := newLink(8 * mib)
	k := openShelf(t)
	_, s := l.open(t, k)
	for off := int64(chunkSize - 100); off < l.size-mib; off += mib {
		read(t, s, off, 200)
	}
	waitFor(t, "the keeper to have seen them", func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return !slices.ContainsFunc(s.blocks, func(b *block) bool { return !b.idle() })
	})
	s.due()
	read(t, s, 7*mib+300*kib, 10)
	waitFor(t, "all to be kept", func() bool { return len(k.Missing(s.id)) == 0 })
}
