package readahead

import (
	"container/list"
	"context"
	"time"
)

// block is a range of an object that one GET brings. Its life:
//
//	waiting (a demanded block in memory.queue) -> flying -> ready | idle -> spent
//
// and from each of them dropped: out of the source's table, so that no reader finds it any more, and its chunks freed
// once its fetch has returned and its last reader has left. A failed fetch drops its block. Ready blocks were fetched
// ahead, idle ones for one read; spent ones were read to their end or passed by.
type block struct {
	src       *source
	off, size int64
	demanded  bool // made for a reader who has to get its error
	whole     bool // a part of the object, which is fetched whole
	keep      room // that a part has from the beginning
	cancel    context.CancelFunc

	// Guarded by Pool.mu. The bytes of chunks below filled do not change; those above belong to the fetch.
	chunks  [][]byte
	filled  int64
	served  int64
	ahead   int // its chunks that count in memory.ahead
	pins    int
	done    bool // the fetch has returned
	dropped bool
	kept    bool // the keeper has had it
	err     error
	waiters []waiter
	list    *list.List
	elem    *list.Element
	queued  *list.Element // its request in memory.queue, nil when there is none

	lost     context.CancelFunc // while it waits for room to be kept: ends that
	patience *time.Timer        // for lost
}

// waiter is a reader that needs the first need bytes of a block.
type waiter struct {
	need int64
	wake chan struct{}
}

func (b *block) end() int64 { return b.off + b.size }

// idle reports whether the block is nothing but memory of what was read once.
func (b *block) idle() bool { return b.done && b.pins == 0 && b.ahead == 0 }

// chunkAt returns the rest of the chunk that holds offset at of the block.
func chunkAt(chunks [][]byte, at int64) []byte { return chunks[at/chunkSize][at%chunkSize:] }

// runAt is chunkAt with the chunks that follow it in memory too, up to maxRun of them.
func runAt(chunks [][]byte, at int64) []byte {
	i := int(at / chunkSize)
	n := 1
	for ; n < maxRun && i+n < len(chunks); n++ {
		c := chunks[i+n-1]
		if cap(c) == chunkSize || &c[:chunkSize+1][chunkSize] != &chunks[i+n][0] {
			break
		}
	}
	return chunks[i][at%chunkSize : n*chunkSize]
}

// copyOut copies the bytes from offset at of a block into p, as far as p goes.
func copyOut(p []byte, chunks [][]byte, at int64) {
	for len(p) > 0 {
		n := copy(p, chunkAt(chunks, at))
		p, at = p[n:], at+int64(n)
	}
}

// dropLocked makes the block unknown to readers and its memory free, as soon as that may be.
func (b *block) dropLocked() {
	if b.dropped {
		return
	}
	m := &b.src.pool.mu.memory
	b.dropped = true
	b.src.removeLocked(b)
	m.put(b, nil)
	if b.queued != nil {
		m.queue.Remove(b.queued)
		b.queued = nil
	}
	if !b.done {
		b.cancel()
		m.leaving += len(b.chunks)
		return
	}
	if b.pins == 0 {
		m.reclaim(b)
	}
}

// advanceLocked makes n more bytes readable.
func (b *block) advanceLocked(n int64) {
	b.filled += n
	kept := b.waiters[:0]
	for _, w := range b.waiters {
		if w.need <= b.filled {
			close(w.wake)
			continue
		}
		kept = append(kept, w)
	}
	clear(b.waiters[len(kept):])
	b.waiters = kept
}

// finishLocked ends the fetch.
func (b *block) finishLocked(err error) {
	m := &b.src.pool.mu.memory
	b.done, b.err = true, err
	for _, w := range b.waiters {
		close(w.wake)
	}
	b.waiters = nil
	switch {
	case b.dropped:
		m.leaving -= len(b.chunks)
		if b.pins == 0 {
			m.reclaim(b)
		}
	case err != nil:
		b.dropLocked()
	case b.served >= b.size:
		b.spendLocked()
	case b.ahead > 0 && !b.whole:
		m.put(b, &m.ready)
	default:
		m.settle(b) // of a part of a whole, which is kept
		m.put(b, &m.idle)
	}
	m.grant()
}

// spendLocked says that no reader is expected to need the block again.
func (b *block) spendLocked() {
	m := &b.src.pool.mu.memory
	m.settle(b)
	if b.done && !b.dropped {
		m.put(b, &m.spent)
	}
}

// unpinLocked ends a reader's use of the block, of which it has read n bytes. A block that waits for memory goes with its
// last reader.
func (b *block) unpinLocked(n int64) {
	m := &b.src.pool.mu.memory
	b.pins--
	b.served += n
	switch {
	case b.dropped:
		if b.pins == 0 && b.done {
			m.reclaim(b)
		}
	case b.pins == 0 && b.queued != nil:
		b.dropLocked()
	case b.done && b.served >= b.size && b.list != &m.spent:
		b.spendLocked()
	case b.list == &m.idle:
		m.put(b, &m.idle)
	}
	if b.pins == 0 {
		m.grant()
	}
}
