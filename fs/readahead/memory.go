package readahead

import (
	"container/list"
	"errors"

	"golang.org/x/sys/unix"
)

const (
	chunkSize  = 128 << 10 // unit of memory and of alignment
	slabChunks = 64        // chunks that are mapped together
	maxRun     = 8         // chunks that are read into at once
)

// memory is the budget: free chunks, and the blocks whose chunks could become free. Guarded by Pool.mu.
//
// INVARIANT: made = len(free) + chunks of all blocks <= limit.
type memory struct {
	mapSlab func(size int) (slab []byte, free func() error)
	limit   int // chunks
	reserve int // chunks that are never filled ahead

	made  int
	ahead int // chunks of blocks fetched ahead and not read to their end
	free  [][]byte
	unmap []func() error

	spent, idle, ready, flying list.List // of *block, least recently used first
	leaving                    int       // chunks of cancelled blocks whose fetch has not returned yet
	queue                      list.List // of *request, first come first served
}

// enqueue asks for memory for b, which is demanded. granted is closed when b has it.
func (m *memory) enqueue(b *block) *request {
	r := &request{block: b, granted: make(chan struct{})}
	b.queued = m.queue.PushBack(r)
	m.grant()
	return r
}

// request is a demanded block's wait for memory.
type request struct {
	block   *block
	granted chan struct{}
}

func newMemory(limit int, mapSlab func(int) ([]byte, func() error)) memory {
	return memory{mapSlab: mapSlab, limit: limit, reserve: max(limit/8, 1)}
}

// mapSlab maps fresh memory outside Go's heap, which would keep as much again for its garbage.
func mapSlab(size int) ([]byte, func() error) {
	slab, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return make([]byte, size), func() error { return nil }
	}
	_ = unix.Madvise(slab, unix.MADV_HUGEPAGE) // only faster
	return slab, func() error { return unix.Munmap(slab) }
}

// take returns n chunks, or nil if they cannot be had at once or others wait for some. ahead keeps to what may be used
// for fetching ahead.
func (m *memory) take(n int, ahead bool) [][]byte {
	if m.queue.Len() > 0 || ahead && m.ahead+n > m.limit-m.reserve {
		return nil
	}
	return m.collect(n, ahead)
}

// collect returns n chunks, free ones or of blocks that it evicts, or nil.
func (m *memory) collect(n int, ahead bool) [][]byte {
	for len(m.free) < n {
		if !m.evict(&m.spent) && !m.grow() && !m.evict(&m.idle) && (ahead || !m.evict(&m.ready)) {
			return nil
		}
	}
	keep := len(m.free) - n
	chunks := append([][]byte(nil), m.free[keep:]...)
	clear(m.free[keep:])
	m.free = m.free[:keep]
	return chunks
}

// grow makes chunks available that were never used before.
func (m *memory) grow() bool {
	n := min(slabChunks, m.limit-m.made)
	if n <= 0 {
		return false
	}
	slab, unmap := m.mapSlab(n * chunkSize)
	m.unmap = append(m.unmap, unmap)
	for i := range n {
		m.free = append(m.free, slab[i*chunkSize:(i+1)*chunkSize]) // its capacity shows what follows, see runAt
	}
	m.made += n
	return true
}

// evict drops the first block of l that no reader is using.
func (m *memory) evict(l *list.List) bool {
	for e := l.Front(); e != nil; e = e.Next() {
		if b := e.Value.(*block); b.pins == 0 {
			b.dropLocked()
			return true
		}
	}
	return false
}

// grant serves the queue as far as there is room, and makes room for its head.
func (m *memory) grant() {
	for e := m.queue.Front(); e != nil; e = m.queue.Front() {
		r := e.Value.(*request)
		n := chunksFor(r.block.size)
		chunks := m.collect(n, false)
		if chunks == nil {
			m.cancelFlying(n)
			return
		}
		m.queue.Remove(e)
		r.block.queued = nil
		r.block.chunks = chunks
		m.put(r.block, &m.flying)
		close(r.granted)
	}
}

// cancelFlying ends fetches that no reader waits for, the newest first, until n chunks are on their way back.
func (m *memory) cancelFlying(n int) {
	for e := m.flying.Back(); e != nil && m.leaving < n; {
		b := e.Value.(*block)
		e = e.Prev()
		if b.pins == 0 {
			b.dropLocked()
		}
	}
}

// put moves b to the end of l, or to no list when l is nil.
func (m *memory) put(b *block, l *list.List) {
	if b.list != nil {
		b.list.Remove(b.elem)
	}
	b.list = l
	if l != nil {
		b.elem = l.PushBack(b)
	}
}

// reclaim frees the chunks of b, which nobody uses any more.
func (m *memory) reclaim(b *block) {
	m.put(b, nil)
	m.settle(b)
	m.free = append(m.free, b.chunks...)
	b.chunks = nil
}

// settle ends b's share in what is held ahead.
func (m *memory) settle(b *block) {
	m.ahead -= b.ahead
	b.ahead = 0
}

// release unmaps everything. No block may be left.
func (m *memory) release() error {
	var errs []error
	for _, unmap := range m.unmap {
		errs = append(errs, unmap())
	}
	m.unmap, m.free, m.made, m.limit = nil, nil, 0, 0
	return errors.Join(errs...)
}

func chunksFor(size int64) int { return int((size + chunkSize - 1) / chunkSize) }
