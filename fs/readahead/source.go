package readahead

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"
)

// smallObject is the size up to which the first read, if it begins at the start, brings the whole object.
const smallObject = 1 << 20

var _ Lender = (*source)(nil)

// source is one open object version.
type source struct {
	pool   *Pool
	id     ObjectID
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // fetches and readers; Add only under Pool.mu while not closed

	// Guarded by Pool.mu.
	closed  bool
	blocks  []*block // by offset, never overlapping
	streams streams
	whole   whole
}

// Close implements Source.
func (s *source) Close() error {
	s.pool.mu.Lock()
	s.closed = true
	s.cancel()
	for len(s.blocks) > 0 {
		s.blocks[len(s.blocks)-1].dropLocked()
	}
	s.streams.list = nil
	delete(s.pool.mu.sources, s)
	if s.pool.mu.whole == s {
		s.pool.mu.whole = nil
	}
	s.pool.mu.grant()
	s.pool.mu.Unlock()
	s.wg.Wait()
	return nil
}

// ReadAt implements Source.
func (s *source) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	random, err := s.enter(ctx, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer s.leave(random)
	want := s.within(p, off)
	n := 0
	for n < len(want) {
		u, err := s.use(ctx, off+int64(n), int64(len(want)-n), random)
		copyOut(want[n:n+int(u.n)], u.chunks, u.at)
		n += int(u.n)
		if err := s.unuse(u, err); err != nil {
			return n, err
		}
	}
	return n, endOfFile(n, p)
}

// within is the part of p that a read at off fills.
func (s *source) within(p []byte, off int64) []byte {
	return p[:min(int64(len(p)), max(s.id.Size-off, 0))]
}

// endOfFile is the error of a read that gave the first n bytes of p and needs no more.
func endOfFile(n int, p []byte) error {
	if n < len(p) {
		return io.EOF
	}
	return nil
}

// enter makes Close wait for this read, until leave, and lets it start the fetches that it and its stream need. It reports
// whether the read follows no other.
func (s *source) enter(ctx context.Context, off, n int64) (random bool, err error) {
	if off < 0 {
		return false, fmt.Errorf("read %q: negative offset %d", s.id.Key, off)
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.closed {
		return false, s.errClosed()
	}
	s.wg.Add(1)
	if n = min(n, s.id.Size-off); n > 0 {
		random = !s.planLocked(off, n, endOf(ctx)).sequential
		s.fetchWholeLocked()
	}
	return random, nil
}

func (s *source) leave(random bool) {
	if random {
		s.considerWhole()
	}
	s.wg.Done()
}

func (s *source) errClosed() error { return fmt.Errorf("read %q: %w", s.id.Key, ErrClosed) }

// use is a reader's hold on n bytes of a block, from offset at of it on. They stay as they are until the hold ends.
type use struct {
	block  *block
	chunks [][]byte
	at, n  int64
}

// use returns a hold on the part of [off, off+n) that one block has, and waits for it. With an error it may be less. Less
// and no error comes when a block that was fetched ahead failed: the next call demands it. unuse ends the hold.
func (s *source) use(ctx context.Context, off, n int64, random bool) (use, error) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.closed {
		return use{}, s.errClosed()
	}
	b := s.blockAt(off)
	own := b != nil && !b.whole // by an earlier read
	if b == nil {
		b = s.demandLocked(off, n)
	}
	b.pins++
	done := func() {}
	if random && (b.demanded || b.whole) {
		done = s.waitsLocked(own)
	}
	err := s.waitLocked(ctx, b, min(off-b.off+n, b.size))
	done()
	u := b.useLocked(off, n)
	if err == nil && u.n == 0 && b.demanded {
		err = b.err
	}
	return u, err
}

// useIfHere is use where nothing has to be waited for; ok is false otherwise.
func (s *source) useIfHere(off, n int64) (u use, ok bool) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	b := s.blockAt(off)
	if s.closed || b == nil || b.filled < min(off-b.off+n, b.size) {
		return use{}, false
	}
	b.pins++
	return b.useLocked(off, n), true
}

// useLocked is the use of what is there of [off, off+n), in a block that is pinned.
func (b *block) useLocked(off, n int64) use {
	at := off - b.off
	return use{block: b, chunks: b.chunks, at: at, n: max(min(b.filled-at, n), 0)}
}

// unuse ends a hold, whose bytes were read. It returns what the read ends with: err, if not nil.
func (s *source) unuse(u use, err error) error {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if u.block != nil {
		u.block.unpinLocked(u.n)
	}
	if s.closed {
		return s.errClosed()
	}
	return err
}

// waitLocked waits, unlocked, until b has need bytes or its fetch is over. The block is pinned.
func (s *source) waitLocked(ctx context.Context, b *block, need int64) error {
	if b.filled >= need || b.done {
		return nil
	}
	w := waiter{need, make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.losePatienceLocked()
	s.pool.mu.Unlock()
	defer s.pool.mu.Lock()
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return s.errClosed()
	}
}

// planLocked starts the fetches for a read of [off, off+n), and for its stream, which it returns, up to end.
func (s *source) planLocked(off, n, end int64) *stream {
	first := s.streams.reads == 0
	st, gone := s.streams.note(off, n, s.pool.blockSize)
	st.end = max(end, off+n)
	if end < math.MaxInt64 {
		st.promised(s.pool.blockSize)
	}
	for _, g := range gone {
		s.abandonLocked(g)
	}
	if first && off == 0 && s.id.Size <= smallObject && s.blockAt(0) == nil {
		s.demandLocked(0, s.id.Size)
		return st
	}
	at := off
	for b := s.blockAt(at); b != nil && at < off+n; b = s.blockAt(at) {
		at = b.end()
	}
	if at < off+n {
		at = s.demandNextLocked(st, at, off+n-at).end()
	}
	st.ahead = max(st.ahead, at)
	s.fetchAheadLocked(st)
	if st.sequential {
		s.passLocked(st)
	}
	return st
}

// demandNextLocked makes the block for a read of [off, off+n) of a stream, where no block is at off: a whole step if
// the stream is sequential and there is room.
func (s *source) demandNextLocked(st *stream, off, n int64) *block {
	if st.sequential {
		from, to := s.gapAt(off)
		lo := off
		if s.pool.keeper.to != nil {
			lo = max(alignDown(off), from)
		}
		size := min(max(st.step, alignUp(off+n-lo)), s.pool.blockSize, to-lo, st.end-lo)
		if chunks := s.pool.mu.take(chunksFor(size), true); chunks != nil {
			st.grow(s.pool.blockSize)
			return s.startLocked(&block{off: lo, size: size, chunks: chunks, demanded: true, ahead: len(chunks)})
		}
	}
	return s.demandLocked(off, n)
}

// demandLocked makes a block for a read of [off, off+n), where no block is at off: as much of it as may be, at least
// the byte at off.
func (s *source) demandLocked(off, n int64) *block {
	if b := s.fetchPartHereLocked(off, n); b != nil {
		return b
	}
	from, to := s.gapAt(off)
	lo, hi := s.demandRange(off, n)
	lo = max(lo, from)
	hi = min(hi, to, lo+s.pool.blockSize)
	if b := s.probeLocked(lo, min(max(hi, lo+probe), to, lo+s.pool.blockSize)); b != nil {
		return b
	}
	chunks := s.pool.mu.take(chunksFor(hi-lo), false)
	if chunks == nil { // it waits for a single one
		lo = max(lo, alignDown(off))
		hi = min(hi, lo+chunkSize)
	}
	return s.startLocked(&block{off: lo, size: hi - lo, chunks: chunks, demanded: true})
}

// demandRange rounds a read to chunks, unless that more than adds one chunk and nobody wants to keep whole ones; then it is
// at least one chunk.
func (s *source) demandRange(off, n int64) (lo, hi int64) {
	lo, hi = alignDown(off), alignUp(off+n)
	if hi-lo > n+chunkSize && s.pool.keeper.to == nil {
		return off, off + max(n, chunkSize)
	}
	return lo, hi
}

// fetchAheadLocked starts the blocks that st is going to need: the rest of the read itself, and for a sequential reader
// what follows, as far as its record and the memory allow.
func (s *source) fetchAheadLocked(st *stream) {
	for st.ahead < s.id.Size {
		if b := s.blockAt(st.ahead); b != nil {
			st.ahead = b.end()
			continue
		}
		size := s.nextSize(st)
		if size == 0 {
			return
		}
		chunks := s.pool.mu.take(chunksFor(size), true)
		for chunks == nil && st.ahead-st.pos < chunkSize && size > 2*chunkSize {
			size = alignUp(size / 2) // better a small one than none
			chunks = s.pool.mu.take(chunksFor(size), true)
		}
		if chunks == nil {
			return
		}
		b := s.startLocked(&block{off: st.ahead, size: size, chunks: chunks, ahead: len(chunks)})
		st.ahead = b.end()
		st.grow(s.pool.blockSize)
	}
}

// nextSize returns the size of the stream's next block, 0 when it has enough ahead.
func (s *source) nextSize(st *stream) int64 {
	_, to := s.gapAt(st.ahead)
	room := to - st.ahead
	if missing := st.pos - st.ahead; missing > 0 {
		missing = alignUp(missing)
		if st.sequential {
			missing = max(st.step, missing)
		}
		return min(missing, s.pool.blockSize, room)
	}
	size := min(st.step, room, st.end-st.ahead)
	if !st.sequential || size <= 0 || st.ahead+size > st.horizon(s.pool.window) {
		return 0
	}
	return size
}

// passLocked lets the memory go of blocks that lie behind the reader.
func (s *source) passLocked(st *stream) {
	upTo := st.pos - jitter
	for i := s.indexAt(st.tail); i < len(s.blocks) && s.blocks[i].end() <= upTo; i++ {
		b := s.blocks[i]
		st.tail = b.end()
		if b.ahead > 0 && !s.streams.wants(b.off, b.end()) {
			b.spendLocked()
		}
	}
}

// abandonLocked cancels and frees what was fetched ahead for a stream, but for what others use.
func (s *source) abandonLocked(st *stream) {
	for i := s.indexAt(st.tail); i < len(s.blocks) && s.blocks[i].off < st.ahead; {
		b := s.blocks[i]
		if b.ahead > 0 && !b.whole && b.pins == 0 && !s.streams.wants(b.off, b.end()) {
			b.dropLocked() // takes it out of s.blocks
			continue
		}
		i++
	}
	s.pool.mu.grant()
}

// indexAt returns the index of the first block that ends behind off.
func (s *source) indexAt(off int64) int {
	return sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].end() > off })
}

// blockAt returns the block that holds off, or nil.
func (s *source) blockAt(off int64) *block {
	if i := s.indexAt(off); i < len(s.blocks) && s.blocks[i].off <= off {
		return s.blocks[i]
	}
	return nil
}

// gapAt returns the range around off that no block has, where none has off.
func (s *source) gapAt(off int64) (from, to int64) {
	i := s.indexAt(off)
	to = s.id.Size
	if i > 0 {
		from = s.blocks[i-1].end()
	}
	if i < len(s.blocks) {
		to = s.blocks[i].off
	}
	return from, to
}

func (s *source) insertLocked(b *block) {
	s.blocks = slices.Insert(s.blocks, s.indexAt(b.off), b)
}

func (s *source) removeLocked(b *block) {
	if i := s.indexAt(b.off); i < len(s.blocks) && s.blocks[i] == b {
		s.blocks = slices.Delete(s.blocks, i, i+1)
	}
}
