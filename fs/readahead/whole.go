package readahead

import (
	"context"
	"errors"
	"time"

	"pail/s3client"
)

const (
	largestWhole = 1 << 30   // objects that are fetched whole because of random reads
	wholeAtOnce  = 8         // requests for one
	smallestPart = 512 << 10 // of one
)

// whole decides, for random reads of one object version, between waiting for each and fetching all that is missing, once:
// that is done when they have waited for as long as it is going to take. Whatever is read later, both together cost no
// more than twice of what would have been best. Guarded by Pool.mu.
//
//	counting -> fetching -> over
type whole struct {
	state   wholeState
	waiting int           // random reads that wait for a request of their own now
	since   time.Time     // with waiting
	waited  time.Duration // while at least one of them did
	rest    int64         // bytes that the keeper does not have; 0: nobody has asked it yet

	missing []s3client.Range // still to be asked for
	part    int64            // bytes of a request
	flying  int
}

type wholeState int

const (
	counting wholeState = iota
	fetching
	over
)

// waitsLocked counts the time from now on until the returned function is called, which needs the lock too.
func (s *source) waitsLocked() (done func()) {
	w := &s.whole
	if w.waiting++; w.waiting == 1 {
		w.since = s.pool.pace.now()
	}
	return func() {
		if w.waiting--; w.waiting == 0 {
			w.waited += s.pool.pace.now().Sub(w.since)
		}
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
		p.log.Debug("random reads have waited long enough to fetch the rest", "key", id.Key, "waited", w.waited, "bytes", w.rest)
		p.mu.whole = s
		w.state, w.missing, w.part = fetching, missing, p.partOfWhole()
		s.fetchWholeLocked()
	}
}

// wholeDueLocked reports whether to go on with what considerWhole does.
func (s *source) wholeDueLocked() bool {
	p, w := s.pool, &s.whole
	if p.keeper.to == nil || s.closed || s.id.Size > largestWhole || w.state != counting || p.mu.whole != nil {
		return false
	}
	return w.waited >= p.pace.cost(withDefault(w.rest, smallObject), p.partOfWhole(), wholeAtOnce)
}

// partOfWhole returns the size of a request for a part of a whole object: one that takes about as long as it waits for its
// answer, so that a read in it waits little longer than for a request of its own.
func (p *Pool) partOfWhole() int64 {
	return min(max(alignUp(p.pace.within()), smallestPart), p.blockSize)
}

// fetchWholeLocked asks for the next parts, as far as there is room; where there is none, it is called again with the next
// read, and when a part has come and when it is kept.
func (s *source) fetchWholeLocked() {
	w := &s.whole
	for w.state == fetching && w.flying < wholeAtOnce && !s.closed && s.skipLocked() {
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
		s.startLocked(&block{off: r.Off, size: size, chunks: chunks, ahead: len(chunks), whole: true, keep: keep})
		w.flying++
		r.Off, r.Len = r.Off+size, r.Len-size
	}
	if w.state == fetching && w.flying == 0 && len(w.missing) == 0 {
		w.state = over
	}
	if (w.state == over || s.closed) && s.pool.mu.whole == s {
		s.pool.mu.whole = nil
	}
}

// partLocked returns memory for a part, and room among the blocks that are to be kept; nil while there is not both. So
// no read ever waits for a part that waits itself.
func (s *source) partLocked(size int64) ([][]byte, room) {
	keep, _ := s.pool.keeper.reserve(s.ctx, size, true) // which does not wait
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
		case b.idle():
			b.dropLocked() // nobody has kept it
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
	w.flying--
	if err != nil && !errors.Is(err, context.Canceled) {
		w.missing = nil
	}
	s.fetchWholeLocked()
}
