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
	there bool // and what has the path is the same as before, or new
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
	if r.lost > seq {
		return true
	}
	for i := len(r.ring); i > 0; i-- {
		switch c := r.ring[(r.next+i-1)%len(r.ring)]; {
		case c.seq <= seq:
			return false
		case below(c.path, dir), !c.there && (c.path == dir || below(dir, c.path)):
			return true
		}
	}
	return false
}

// keptTrees is how many of the last trees that were forgotten are remembered one by one.
const keptTrees = 64

// trees are the last paths with all below that were forgotten, in order.
type trees []change

// add notes another one, and returns the sequence of the last one that has given way, if any.
func (t *trees) add(path string, seq uint64) (lost uint64) {
	if len(*t) == keptTrees {
		lost = (*t)[0].seq
		*t = append((*t)[:0], (*t)[1:]...)
	}
	*t = append(*t, change{path: path, seq: seq})
	return lost
}

// forgotten reports whether a path, or one above it, was forgotten with all below after seq.
func (t trees) forgotten(path string, seq uint64) bool {
	for i := len(t) - 1; i >= 0 && t[i].seq > seq; i-- {
		if path == t[i].path || below(path, t[i].path) {
			return true
		}
	}
	return false
}
