package readahead

import "slices"

const (
	maxStreams   = 64      // readers that one source keeps apart
	abandonAfter = 16      // reads elsewhere after which a sequential stream counts as given up, or twice their number
	jitter       = 1 << 20 // how far reads of one stream may come out of order, as the kernel's readahead makes them
	headroom     = 4       // a stream may have this many times ahead what its reader has read
)

// stream is a reader that goes through the object in order, or may turn out to.
type stream struct {
	pos        int64 // end of the furthest read
	ahead      int64 // what lies before it was asked for
	tail       int64 // blocks before it were passed by
	end        int64 // nothing behind it is going to be read
	run        int64 // bytes read in order
	step       int64 // size of the next block
	used       uint64
	sequential bool // at least two reads followed each other
}

// streams recognises sequential readers among the reads of one source. Guarded by Pool.mu.
type streams struct {
	list  []*stream
	reads uint64
}

// note enters a read of [off, off+n) and returns its stream, and those that are given up.
func (t *streams) note(off, n, blockSize int64) (st *stream, gone []*stream) {
	t.reads++
	st = t.find(off)
	if st == nil {
		st = &stream{pos: off, ahead: off, tail: off}
		st.step = min(max(2*chunkSize, alignUp(2*n)), blockSize)
		t.list = append(t.list, st)
	} else {
		st.sequential = true
	}
	st.used = t.reads
	if end := off + n; end > st.pos {
		st.run += end - max(st.pos, off)
		st.pos = end
	}
	st.ahead = max(st.ahead, off)
	return st, t.prune()
}

// find returns the stream that a read at off continues: exactly, or nearly if the stream is known to be one.
func (t *streams) find(off int64) *stream {
	var near *stream
	for _, st := range t.list {
		if st.pos == off {
			return st
		}
		if st.sequential && off >= st.pos-jitter && off <= st.pos+jitter {
			near = st
		}
	}
	return near
}

// prune removes streams that are not read any more, or are too many. Those that are not known to be sequential wait for
// their second read as long as there is room, as many readers may have begun at once.
func (t *streams) prune() (gone []*stream) {
	patience := uint64(max(abandonAfter, 2*t.sequential()))
	t.list = slices.DeleteFunc(t.list, func(st *stream) bool {
		old := st.sequential && t.reads-st.used > patience
		if old {
			gone = append(gone, st)
		}
		return old
	})
	if len(t.list) > maxStreams {
		oldest := 0
		for i, st := range t.list {
			if st.used < t.list[oldest].used {
				oldest = i
			}
		}
		gone = append(gone, t.list[oldest])
		t.list = slices.Delete(t.list, oldest, oldest+1)
	}
	return gone
}

// sequential returns the number of sequential streams.
func (t *streams) sequential() (n int) {
	for _, st := range t.list {
		if st.sequential {
			n++
		}
	}
	return n
}

// wants reports whether a stream is about to read bytes of [off, end).
func (t *streams) wants(off, end int64) bool {
	return slices.ContainsFunc(t.list, func(st *stream) bool {
		return st.sequential && off < st.ahead && end > st.pos-jitter
	})
}

// grow doubles the size of the stream's next block.
func (st *stream) grow(blockSize int64) { st.step = min(2*st.step, blockSize) }

// promised says that the stream is going to be read to its end, which needs no proof.
func (st *stream) promised(blockSize int64) {
	st.sequential, st.step = true, blockSize
	st.run = max(st.run, st.end-st.pos)
}

// horizon is the offset up to which the stream may be fetched ahead.
func (st *stream) horizon(window int64) int64 { return st.pos + min(headroom*st.run, window) }

func alignDown(off int64) int64 { return off - off%chunkSize }
func alignUp(off int64) int64   { return alignDown(off + chunkSize - 1) }
