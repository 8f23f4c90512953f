package tree

// keptChanges is how many of the last changes are remembered one by one.
const keptChanges = 1024

// recent are the last changes of a cache by its own mount, the oldest of which give way.
type recent struct {
	ring []change
	next int
	lost uint64 // the sequence of the last one that has given way
}

// change is what a mount has done at a path.
type change struct {
	path  string
	seq   uint64
	there bool // and what has the path is there still
}

func (r *recent) add(c change) {
	if len(r.ring) < keptChanges {
		r.ring = append(r.ring, c)
		return
	}
	r.lost = r.ring[r.next].seq
	r.ring[r.next] = c
	r.next = (r.next + 1) % keptChanges
}

// since reports whether a change after seq may be about what is in a directory or below.
func (r *recent) since(dir string, seq uint64) bool {
	return r.any(seq, func(c change) bool {
		return below(c.path, dir) || !c.there && (c.path == dir || below(dir, c.path))
	})
}

// below reports whether there may have been a change after seq of a path below another.
func (r *recent) below(path string, seq uint64) bool {
	return r.any(seq, func(c change) bool { return below(c.path, path) })
}

// in reports whether there may have been a change after seq of a path in a directory.
func (r *recent) in(dir string, seq uint64) bool {
	return r.any(seq, func(c change) bool { return c.path != "" && Dir(c.path) == dir })
}

// any reports whether there may have been a change after seq that is one of those.
func (r *recent) any(seq uint64, those func(change) bool) bool {
	if r.lost > seq {
		return true
	}
	for i := len(r.ring); i > 0; i-- {
		c := r.ring[(r.next+i-1)%len(r.ring)]
		if c.seq <= seq {
			return false
		}
		if those(c) {
			return true
		}
	}
	return false
}

// keptTrees is how many of the last trees that were forgotten are remembered at least.
const keptTrees = 512

// trees are the last paths that were forgotten with all below.
type trees struct {
	order []change
	at    map[string]uint64 // the sequence of the last time
	last  uint64
}

func (t *trees) add(path string, seq uint64) {
	if t.at == nil {
		t.at = map[string]uint64{}
	}
	t.order = append(t.order, change{path: path, seq: seq})
	t.at[path], t.last = seq, seq
}

// full reports whether there are so many that the older ones are to go.
func (t *trees) full() bool { return len(t.order) == 2*keptTrees }

// drop removes the older ones, and returns the sequence of the last of these.
func (t *trees) drop() (lost uint64) {
	for _, c := range t.order[:keptTrees] {
		if lost = c.seq; t.at[c.path] == c.seq {
			delete(t.at, c.path)
		}
	}
	t.order = append(t.order[:0], t.order[keptTrees:]...)
	return lost
}

// forgotten reports whether a path, or one above it, was forgotten with all below after seq.
func (t *trees) forgotten(path string, seq uint64) bool {
	if t.last <= seq {
		return false
	}
	for {
		if t.at[path] > seq {
			return true
		}
		if path == "" {
			return false
		}
		path = Dir(path)
	}
}
