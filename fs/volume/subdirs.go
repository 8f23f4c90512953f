package volume

// subdirs counts the directories in a directory, as its link count says. A bucket does not keep that number, and nothing
// is asked for it: it is what this mount has made and removed since it knows the directory, put right by every listing
// that comes to its end while nothing changes.
type subdirs struct {
	n       int
	changes int
}

// addSubdirs notes that this mount has made directories in n, or removed some.
func (n *Inode) addSubdirs(more int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.subdirs.n = max(0, n.mu.subdirs.n+more)
	n.mu.subdirs.changes++
}

// countedSubdirs takes the count of a listing over.
func (n *Inode) countedSubdirs(c subdirs) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.subdirs.changes == c.changes {
		n.mu.subdirs.n = c.n
	}
}
