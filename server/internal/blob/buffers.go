package blob

// Buffers keeps buffers of one size. What it hands out is not zeroed. It keeps a bounded number for ever: unlike
// sync.Pool it does not give them back to the garbage collector, because touching fresh memory costs more than the
// work done in it. It is safe for concurrent use.
type Buffers struct {
	size int
	free chan []byte
}

// NewBuffers makes a pool that keeps up to n buffers of size bytes.
func NewBuffers(n, size int) *Buffers {
	return &Buffers{size: size, free: make(chan []byte, n)}
}

// Size is the length of the buffers.
func (b *Buffers) Size() int { return b.size }

// Get gives a buffer.
func (b *Buffers) Get() []byte {
	select {
	case p := <-b.free:
		return p
	default:
		return make([]byte, b.size)
	}
}

// Put takes a buffer of Get back.
func (b *Buffers) Put(p []byte) {
	if cap(p) < b.size {
		return
	}
	select {
	case b.free <- p[:b.size]:
	default:
	}
}
