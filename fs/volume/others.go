package volume

import "time"

// others tells whether a directory has further entries when one of them goes, so that these keep it: what a listing of a
// moment ago has shown, if this mount has let nothing go since the listing began.
type others struct {
	stored int       // entries of any kind that the listing has shown
	at     time.Time // when it ended
	gone   int       // counts entries that this mount has let go; of a listing, when it began
	taken  bool      // somebody relies on that, and is not done: nobody else may, as it could be about the entry that he removes
}

// countedOthers takes the count of a listing over.
func (n *Inode) countedOthers(c others) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := &n.mu.others; o.gone == c.gone {
		o.stored, o.at = c.stored, n.v.opt.Now()
	}
}

// takeOthers reports whether n is not empty when one of its entries has gone. Then the caller lets one go, and calls tookOther
// however that has ended.
func (n *Inode) takeOthers() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := &n.mu.others
	if o.taken || o.stored < 2 || n.v.opt.Now().Sub(o.at) >= moment {
		return false
	}
	o.taken = true
	return true
}

func (n *Inode) tookOther() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.others = others{gone: n.mu.others.gone + 1}
}

// letGo notes that an entry of n has gone.
func (n *Inode) letGo() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.others.stored = 0
	n.mu.others.gone++
}

// begun returns what listings that begin now have to tell with their counts.
func (n *Inode) begun() (subdirs, others) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return subdirs{changes: n.mu.subdirs.changes}, others{gone: n.mu.others.gone}
}
