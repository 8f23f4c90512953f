package readahead

import (
	"context"
	"errors"
	"slices"
	"time"

	"pail/s3client"
)

const (
	largestWhole = 1 << 30   // objects that are fetched whole because of random reads
	wholeAtOnce  = 8         // requests for one
	smallestPart = 512 << 10 // of one
	probeAfter   = 4         // answers waited for, a random read may ask for more to learn the rate
	probe        = 1 << 20   // bytes that it asks for then
)

// whole decides, for random reads of one object version, between waiting for each and fetching all that is missing, once.
// That begins when they have waited for a share of what it is going to take, see proof, and goes on while it has not taken
// longer than they have waited, or would have without it, one after the other. Guarded by Pool.mu.
//
//	counting -> fetching -> over
type whole struct {
	state  wholeState
	waited stopwatch // by random reads, for requests of their own and for parts
	rest   int64     // bytes that the keeper does not have; 0: nobody has asked it yet

	missing []s3client.Range // still to be asked for
	part    int64            // bytes of a request
	flying  stopwatch        // requests
}

// stopwatch measures the time while something is under way, however many there are of it.
type stopwatch struct {
	n     int
	since time.Time
	sum   time.Duration // until since
}

func (w *stopwatch) start(now time.Time) {
	if w.n++; w.n == 1 {
		w.since = now
	}
}

func (w *stopwatch) stop(now time.Time) {
	w.sum = w.total(now)
	w.since = now
	w.n--
}

func (w *stopwatch) total(now time.Time) time.Duration {
	if w.n == 0 {
		return w.sum
	}
	return w.sum + now.Sub(w.since)
}

type wholeState int

const (
	counting wholeState = iota
	fetching
	over
)

// waitsLocked counts the time from now on until the returned function is called, which needs the lock too; while the whole is
// fetched, no less than a request takes to be answered, unless the bytes are a read's own: parts have spared it that.
func (s *source) waitsLocked(own bool) (done func()) {
	w, begun := &s.whole, s.pool.pace.now()
	w.waited.start(begun)
	return func() {
		now := s.pool.pace.now()
		if w.state == fetching && w.waited.n == 1 && !own {
			w.waited.sum += max(s.pool.pace.answer()-now.Sub(begun), 0)
		}
		w.waited.stop(now)
		s.fetchWholeLocked()
	}
}

// considerWhole begins to fetch the rest of the object, if the time has come for that.
func (s *source) considerWhole() {
	p := s.pool
	p.mu.Lock()
	id, due := s.id, s.wholeDueLocked()
	p.mu.Unlock()
	if !due {
		return
	}
	missing := p.keeper.to.Missing(id) // which may ask the disk
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &s.whole
	if w.state != counting {
		return
	}
	if w.rest = s3client.TotalLen(missing); w.rest == 0 {
		w.state = over
	}
	if s.wholeDueLocked() {
		p.log.Debug("random reads have waited long enough to fetch the rest", "key", id.Key, "waited", w.waited.sum, "bytes", w.rest)
		w.state, w.missing, w.part = fetching, missing, p.partOfWhole()
		s.fetchWholeLocked()
	}
}

// probeLocked has a random read ask for [lo, hi), which is more than it needs, and returns the block; nil where that may not
// be. A mount does that once, when what came so far was too little to tell what a whole would take.
func (s *source) probeLocked(lo, hi int64) *block {
	p, w := s.pool, &s.whole
	if !s.countsLocked() || hi-lo < sureBytes || !p.pace.unsure() {
		return nil
	}
	answer := p.pace.answer()
	if answer == 0 || w.waited.total(p.pace.now()) < probeAfter*answer {
		return nil
	}
	chunks := p.mu.take(chunksFor(hi-lo), true)
	if chunks == nil {
		return nil
	}
	p.pace.probes()
	return s.startLocked(&block{off: lo, size: hi - lo, chunks: chunks, demanded: true})
}

// countsLocked reports whether the waits of random reads may still lead to the whole.
func (s *source) countsLocked() bool {
	return s.pool.keeper.to != nil && !s.closed && s.id.Size <= largestWhole && s.whole.state == counting
}

// wholeDueLocked reports whether to go on with what considerWhole does.
func (s *source) wholeDueLocked() bool {
	p, w := s.pool, &s.whole
	if !s.countsLocked() || p.mu.whole != nil {
		return false
	}
	cost := p.pace.cost(withDefault(w.rest, smallObject), p.partOfWhole(), wholeAtOnce)
	return w.waited.total(p.pace.now()) >= time.Duration(proof(p.pace.within())*float64(cost))
}

// proof returns for which part of the time that it takes to fetch a whole random reads have to have waited before, where so
// many bytes come in the time that a request waits for its answer. Reads that share the link with all parts are slower
// meanwhile. Where that is up to twice, the parts that are here already make up for it, and a program that ends in the middle
// has lost nothing; the less slow they are, the sooner it is worth it. Where it is more, it would have lost: so there the reads
// have to wait for as long as the whole takes.
func proof(within int64) float64 {
	chunks := float64(within) / chunkSize
	switch slower := (chunks + wholeAtOnce + 1) / (chunks + 1); {
	case slower > 2:
		return 1
	case slower > 1.25:
		return 1. / 4
	default:
		return 1. / 8
	}
}

// partOfWhole returns the size of a request for a part of a whole object: one that takes about as long as it waits for its
// answer, so that a read in it waits little longer than for a request of its own.
func (p *Pool) partOfWhole() int64 {
	return min(max(alignUp(p.pace.within()), smallestPart), p.blockSize)
}

// fetchWholeLocked asks for the next parts, as far as they are paid for and there is room; where they are not, it is called
// again with the next read, when that has waited, when a part has come and when it is kept. Meanwhile others have their turn.
func (s *source) fetchWholeLocked() {
	w := &s.whole
	for s.mayFetchLocked() && s.skipLocked() && s.paidLocked() {
		r := &w.missing[0]
		_, to := s.gapAt(r.Off)
		if to < s.id.Size {
			to = alignDown(to)
		}
		size := min(r.Len, w.part, to-r.Off)
		chunks, keep := s.partLocked(size)
		if chunks == nil {
			break
		}
		s.startPartLocked(&block{off: r.Off, size: size, chunks: chunks, keep: keep})
		r.Off, r.Len = r.Off+size, r.Len-size
	}
	if w.state == fetching && w.flying.n == 0 && len(w.missing) == 0 {
		w.state = over
	}
	if w.flying.n == 0 && s.pool.mu.whole == s {
		s.pool.mu.whole = nil
	}
}

// fetchPartHereLocked asks for the part that begins with the chunk which a read at off waits for, in place of a request for
// it alone, and returns its block; nil where that may not be. Should the part fail, the read is as it would be without.
func (s *source) fetchPartHereLocked(off, n int64) *block {
	if !s.mayFetchLocked() || !s.paidLocked() {
		return nil
	}
	w := &s.whole
	from, to := s.gapAt(off)
	lo := alignDown(off)
	i := slices.IndexFunc(w.missing, func(r s3client.Range) bool { return r.Off <= lo && lo < r.Off+r.Len })
	if i < 0 || from > lo {
		return nil
	}
	if to < s.id.Size {
		to = alignDown(to)
	}
	r := w.missing[i]
	hi := min(lo+max(w.part, alignUp(off+n)-lo), lo+s.pool.blockSize, to, r.Off+r.Len)
	if hi <= off {
		return nil
	}
	chunks, keep := s.partLocked(hi - lo)
	if chunks == nil {
		return nil
	}
	w.missing = slices.Replace(w.missing, i, i+1,
		s3client.Range{Off: r.Off, Len: lo - r.Off}, s3client.Range{Off: hi, Len: r.Off + r.Len - hi})
	return s.startPartLocked(&block{off: lo, size: hi - lo, chunks: chunks, keep: keep})
}

// startPartLocked starts the fetch of a part.
func (s *source) startPartLocked(b *block) *block {
	b.whole, b.ahead = true, len(b.chunks)
	s.pool.mu.whole = s
	s.whole.flying.start(s.pool.pace.now())
	return s.startLocked(b)
}

// mayFetchLocked reports whether one more request for a part may be under way.
func (s *source) mayFetchLocked() bool {
	w, turn := &s.whole, s.pool.mu.whole
	return w.state == fetching && !s.closed && w.flying.n < wholeAtOnce && (turn == nil || turn == s)
}

// paidLocked reports whether random reads have waited longer than parts have been under way.
func (s *source) paidLocked() bool {
	now := s.pool.pace.now()
	return s.whole.flying.total(now) < s.whole.waited.total(now)
}

// partLocked returns memory for a part, and room among the blocks that are to be kept; nil while there is not both. So
// no read ever waits for a part that waits itself.
func (s *source) partLocked(size int64) ([][]byte, room) {
	keep := s.pool.keeper.reserve(size)
	if keep == 0 {
		return nil, 0
	}
	chunks := s.pool.mu.take(chunksFor(size), true)
	if chunks == nil {
		s.pool.keeper.free(keep)
	}
	return chunks, keep
}

// skipLocked makes the beginning of missing[0] the next byte to ask for. It is false when there is none.
func (s *source) skipLocked() bool {
	w := &s.whole
	for len(w.missing) > 0 {
		r := &w.missing[0]
		b := s.blockIn(r.Off, r.Off+r.Len)
		switch {
		case r.Len <= 0:
			w.missing = w.missing[1:]
		case b == nil || alignDown(b.off) > r.Off:
			return true
		case b.idle() && !b.kept:
			b.dropLocked()
		default:
			next := alignUp(b.end())
			r.Off, r.Len = next, r.Off+r.Len-next
		}
	}
	return false
}

// blockIn returns the first block that has bytes of [off, end), or nil.
func (s *source) blockIn(off, end int64) *block {
	if i := s.indexAt(off); i < len(s.blocks) && s.blocks[i].off < end {
		return s.blocks[i]
	}
	return nil
}

// wholeFetchedLocked goes on after a part. One that failed ends it all; one that gave its memory to others does not.
func (s *source) wholeFetchedLocked(err error) {
	w := &s.whole
	w.flying.stop(s.pool.pace.now())
	if err != nil && !errors.Is(err, context.Canceled) {
		w.missing = nil
	}
	s.fetchWholeLocked()
}
