package volume

import "time"

// subdirs counts the directories in a directory, as its link count says. A bucket does not keep that number, and nothing
// is asked for it: it is what this mount has made and removed since it knows the directory, put right by every listing
// that comes to its end while nothing changes.
type subdirs struct {
	n       int
	changes int
	stored  int       // entries of any kind that the listing has shown
	at      time.Time // when it ended
}

// addSubdirs notes that this mount has made directories in n, or removed some.
func (n *Inode) addSubdirs(more int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.subdirs.n = max(0, n.mu.subdirs.n+more)
	n.mu.subdirs.changes++
}

// subdirChanges returns what a listing that begins now has to tell with its count.
func (n *Inode) subdirChanges() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.subdirs.changes
}

// counted takes the counts of a listing over.
func (n *Inode) counted(c subdirs) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.subdirs.stored, n.mu.subdirs.at = c.stored, n.v.opt.Now()
	if n.mu.subdirs.changes == c.changes {
		n.mu.subdirs.n = c.n
	}
}

// takeOthers reports, once for each listing, whether one of a moment ago has shown several entries, so that the directory
// is not empty when one of them has gone.
func (n *Inode) takeOthers() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.mu.subdirs
	several := s.stored > 1 && n.v.opt.Now().Sub(s.at) < moment
	s.stored = 0
	return several
}
