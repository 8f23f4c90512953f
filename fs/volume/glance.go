package volume

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pail/fs/links"
	"pail/fs/tree"
)

// Limits of glances.
const (
	glancePages = 4               // of a directory, 1000 keys each; one with more is asked about name by name
	glanceWorth = 50              // entries that may be read for one name that is asked for
	glanceDirs  = 1024            // directories of which it is known how they were looked at
	rootKnown   = time.Second     // what ReadRoot has found
	glanceAgain = 5 * time.Minute // until a directory that had more pages is tried again
)

// glances list whole directories for lookups. A name about which nothing is known costs two requests, and who looks up
// one looks up more: programs that copy, unpack or stat many files go through the names of one directory. So the second
// name that is looked up within the TTL makes the mount read the directory; then names that are there and names that are
// not need no request. A directory that was read before and has aged is read again at once if it is small: that is less than asking
// for one name. One with more entries is read again when so many names have been asked about that it is worth while: who
// creates files in a directory would else read it every other second, however large it is by then.
type glances struct {
	jobs // readings

	mu struct {
		sync.Mutex
		dirs *simplelru.LRU[string, *glance]
	}
}

// glance is how a directory was looked at. Guarded by glances.mu.
type glance struct {
	name    string    // that was asked for by itself
	at      time.Time // when
	whole   bool      // the last reading came to the end
	entries int       // that it found
	asked   int       // names that were asked for by themselves since
	large   time.Time // when a reading did not come to the end
	run     *glanceRun
}

// glanceRun is a reading that is on its way.
type glanceRun struct {
	step    chan struct{} // closed after each page; then there is another one
	entries int           // read so far
	over    bool
}

func newGlances() *glances {
	g := &glances{}
	g.init()
	g.mu.dirs, _ = simplelru.NewLRU[string, *glance](glanceDirs, nil) // the only error is about a size below 1
	return g
}

// glance reads the directory that holds a path, or waits for a reading on its way, if that is worth while. It returns as
// soon as something fresh is known of the path, and reports whether that may be so.
func (v *Volume) glance(ctx context.Context, path string) bool {
	_, _, shared := links.ParseInode(path) // of which nobody looks up another for that
	if path == "" || shared || v.opt.TTL <= 0 || v.opt.NegativeTTL <= 0 {
		return false
	}
	dir := tree.Dir(path)
	run, step := v.glances.join(v, dir, path)
	for step != nil {
		select {
		case <-step:
		case <-ctx.Done():
			return false // the request that comes next says so
		}
		step = v.glances.next(run)
		if v.told(path) {
			return true
		}
	}
	return v.told(path)
}

// told reports whether it is known what a path has, or that nothing does.
func (v *Volume) told(path string) bool {
	state, _ := v.names.State(path)
	return state == tree.Present || state == tree.Absent
}

// join returns the reading of a directory, which it starts if it is time for one, and the end of its next step.
func (g *glances) join(v *Volume, dir, path string) (*glanceRun, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d, ok := g.mu.dirs.Get(dir)
	if !ok {
		d = &glance{}
		g.mu.dirs.Add(dir, d)
	}
	now := v.opt.Now()
	again := d.name != "" && d.name != path && now.Sub(d.at) < v.opt.TTL
	d.name, d.at = path, now
	d.asked++
	switch {
	case d.run != nil:
	case v.told(path): // a reading has just ended
		return nil, nil
	case !d.large.IsZero() && now.Sub(d.large) < glanceAgain, !again && !d.whole, d.asked*glanceWorth < d.entries:
		return nil, nil
	default:
		run := &glanceRun{step: make(chan struct{})}
		if !g.start(func() { v.readGlance(dir, d, run, glancePages) }) {
			return nil, nil
		}
		d.run = run
	}
	return d.run, d.run.step
}

// next returns the end of the next step, nil if there is none.
func (g *glances) next(run *glanceRun) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if run.over {
		return nil
	}
	return run.step
}

// ReadRoot begins to read the root directory, for whoever comes first after the mount. It is one request, and does not wait
// for the answer. What it tells is there is believed for a second, and what it does not tell is not believed to be absent:
// nobody here has looked yet, so nobody expects old answers.
func (v *Volume) ReadRoot() {
	if v.opt.TTL <= 0 || v.opt.NegativeTTL <= 0 {
		return
	}
	v.glances.mu.Lock()
	defer v.glances.mu.Unlock()
	d, run := &glance{}, &glanceRun{step: make(chan struct{})}
	if v.glances.start(func() { v.forgetLater(v.readGlance("", d, run, 1)) }) {
		d.run = run
		v.glances.mu.dirs.Add("", d)
	}
}

// forgetLater makes the cache forget what it knows from a listing of the root alone, after rootKnown.
func (v *Volume) forgetLater(items []dirItem) {
	select {
	case <-time.After(rootKnown):
	case <-v.glances.ctx.Done():
	}
	for _, it := range items {
		if _, s := v.names.State(it.name); s == it.stamp {
			v.names.Forget(it.name)
		}
	}
}

// readGlance reads a directory, so many pages at most, and returns what the last one told. A failure leaves it to the lookups to find out for themselves.
func (v *Volume) readGlance(dir string, d *glance, run *glanceRun, most int) (items []dirItem) {
	ctx, cancel := context.WithTimeout(v.glances.ctx, v.opt.MetaTimeout)
	defer cancel()
	l := v.beginListing(dir)
	l.presence = most < glancePages
	for pages := 1; ; pages++ {
		got := v.page(ctx, l.query())
		more := false
		if got.err == nil {
			items, more = l.take(got)
			run.entries += len(items)
			v.walks.listed(dir, items, pages == 1)
		}
		goOn := more && got.err == nil && pages < most
		if !v.glances.stepped(d, run, got.err == nil && !more && !l.presence, goOn) {
			if more && pages == glancePages {
				v.glances.tooLarge(d, v.opt.Now())
			}
			return items
		}
	}
}

// tooLarge notes that a reading did not come to the end.
func (g *glances) tooLarge(d *glance, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d.large = now
}

// stepped tells those who wait that a page is read, the last one if whole, and reports whether to go on.
func (g *glances) stepped(d *glance, run *glanceRun, whole, goOn bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(run.step)
	if goOn {
		run.step = make(chan struct{})
		return true
	}
	run.over, d.run = true, nil
	d.entries, d.asked = run.entries, 0
	d.whole = whole
	return false
}
