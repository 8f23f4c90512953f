package volume

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pail/fs/attr"
)

// Limits of walks.
const (
	walkDirs   = 16     // directories that may be walked at once
	walkNames  = 10_000 // of one directory, the last that were listed
	walkJitter = 16     // by so many files an open may be out of order, as several readers make them
	walkStreak = 3      // opens in order after which the next are expected
)

// walks recognise programs that go through the files of a directory in the order of its listing, as grep -r, cp -r and
// ls -l do: then the next ones are asked for ahead, several at once. What was fetched of a file serves one open, within
// aheadFor; later it is dropped. Attributes that were asked for are in the cache of names.
type walks struct {
	jobs // requests

	mu struct {
		sync.Mutex
		dirs  *simplelru.LRU[string, *walk]
		hit   time.Time                // when an open was last served
		files map[string]*aheadFile    // by path
		heads map[string]chan struct{} // the attributes that are on their way, by path; closed when they have come
		habit habit
	}
}

// walk is a directory that was listed. Guarded by walks.mu.
type walk struct {
	names []walkName     // files in order, without the first ones of a large directory
	base  int            // number of these
	index map[string]int // of names, counted from the first
	opens pass
	looks pass
	habit habit

	dirs    map[string]int // directories in order
	entered int            // behind the furthest that was listed
	deep    bool           // they are too large to be read together
}

// walkName is a file. Of a typed one the listing told that it is a regular file, so that not everybody who goes through
// the names asks for the attributes.
type walkName struct {
	name  string
	typed bool
}

// pass is how far a program is with the files of a directory.
type pass struct {
	next   int // behind the furthest
	streak int // in order
	ahead  int // behind the last that was asked for ahead
	depth  int // files to ask for ahead
}

// habit is what a program does with the files that it looks up.
type habit struct {
	answered int       // lookups
	opened   int       // of these
	typed    bool      // it looks up files of which it knows the type, too
	depth    int       // files that were asked for ahead
	at       time.Time // of the last lookup
}

// inherited is the habit as it is expected in another directory, where it may soon turn out to have changed.
func (h *habit) inherited() habit {
	next := habit{typed: h.typed, depth: h.depth}
	switch {
	case h.reading():
		next.answered, next.opened = 1, 1
	case h.looking():
		next.answered = 1
	}
	return next
}

// reading reports whether most files are opened that are looked up.
func (h *habit) reading() bool { return h.opened > 0 && 2*h.opened >= h.answered }

// looking reports whether few are. Several readers at once have a few answers that they have not come to yet.
func (h *habit) looking() bool { return h.answered > 0 && 4*h.opened <= h.answered }

func newWalks() *walks {
	w := &walks{}
	w.init()
	w.mu.dirs, _ = simplelru.NewLRU[string, *walk](walkDirs, nil) // the only error is about a size below 1
	w.mu.files = map[string]*aheadFile{}
	w.mu.heads = map[string]chan struct{}{}
	return w
}

// listed notes a page of a listing.
func (w *walks) listed(dir string, items []dirItem, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if first || !ok || len(d.dirs) > walkNames {
		d = &walk{index: map[string]int{}, dirs: map[string]int{}, opens: pass{depth: walkStreak}, looks: pass{depth: 1}, deep: ok && d.deep}
		w.mu.dirs.Add(dir, d)
	}
	for i := range items {
		switch typ := items[i].obj.mode(); typ {
		case attr.Regular, 0:
			d.index[items[i].name] = d.base + len(d.names)
			d.names = append(d.names, walkName{items[i].name, typ != 0})
		case attr.Dir:
			d.dirs[items[i].name] = len(d.dirs)
		}
	}
	if len(d.names) > walkNames {
		d.forget(walkNames / 2)
	}
}

// forget drops the names but the last n, which are more than a reader is behind the listing.
func (d *walk) forget(n int) {
	drop := len(d.names) - n
	for _, f := range d.names[:drop] {
		delete(d.index, f.name)
	}
	d.names, d.base = slices.Clone(d.names[drop:]), d.base+drop
}

// between returns the files from one position to another.
func (d *walk) between(from, to int) []walkName {
	from = max(from-d.base, 0)
	return d.names[from:max(to-d.base, from)]
}

// opened notes an open and returns the names to fetch ahead. most bounds them.
func (w *walks) opened(dir, name string, now time.Time, most int) []walkName {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if !ok {
		return nil
	}
	i, ok := d.index[name]
	if !ok {
		return nil
	}
	if d.habit.opened < d.habit.answered { // else it is opened again
		d.habit.opened++
	}
	p := &d.opens
	if i < p.next-walkJitter || i > p.next+walkJitter {
		*p = pass{next: i + 1, depth: walkStreak}
		return nil
	}
	if i >= p.next { // else one of several readers is late
		p.streak++
	}
	if now.Sub(w.mu.hit) < aheadFor { // the walk goes on in another directory
		p.streak = max(p.streak, walkStreak)
	}
	p.next = max(p.next, i+1)
	if p.streak < walkStreak {
		return nil
	}
	from := p.expect(d.base+len(d.names), most)
	return d.between(from, p.ahead)
}

// expect lets the window of what is asked for ahead grow, of n files, and returns its new part: up to p.ahead.
func (p *pass) expect(n, most int) (from int) {
	p.depth = min(2*p.depth, most)
	from = max(p.ahead, p.next)
	p.ahead = max(from, min(p.next+p.depth, n))
	return from
}

// looked notes a lookup, and returns the names whose attributes are to be asked for ahead, and whether the files are going
// to be opened. most bounds them, mostRead if they are. The name that is looked up is among them.
func (w *walks) looked(dir, name string, now time.Time, most, mostRead int) (names []walkName, read bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if !ok {
		return nil, false
	}
	i, ok := d.index[name]
	if !ok {
		return nil, false
	}
	if d.habit.answered == 0 && now.Sub(w.mu.habit.at) < aheadFor { // the walk goes on in another directory
		d.habit = w.mu.habit.inherited()
		d.looks.depth = max(d.habit.depth/2, 1)
	}
	d.habit.typed = d.habit.typed || d.names[i-d.base].typed
	p := &d.looks
	if i < p.next-walkJitter || d.passed(p.next, i) > walkJitter {
		*p = pass{next: i + 1, ahead: i + 1, depth: 1}
		return nil, false
	}
	p.next = max(p.next, i)
	switch read = d.habit.reading(); {
	case read:
		most = mostRead
	case !d.habit.looking():
		p.next = max(p.next, i+1)
		return nil, false
	}
	from := p.expect(d.base+len(d.names), most)
	p.next, d.habit.depth = max(p.next, i+1), p.depth
	for _, f := range d.between(from, p.ahead) {
		if read || d.habit.typed || !f.typed || f.name == name {
			names = append(names, f)
		}
	}
	return names, read
}

// passed counts the files that a program whose habit this is would have looked up on its way.
func (d *walk) passed(from, to int) (n int) {
	for _, f := range d.between(from, to) {
		if d.habit.typed || !f.typed {
			n++
		}
	}
	return n
}

// answered notes the answer to a lookup.
func (w *walks) answered(dir, name string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, ok := w.mu.dirs.Peek(dir); ok {
		if _, ok := d.index[name]; ok {
			d.habit.answered++
			d.habit.at = now
			w.mu.habit = d.habit
		}
	}
}

// entered notes that a directory is listed, and reports whether the ones in its parent are being gone through.
func (w *walks) entered(dir, name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if !ok {
		return false
	}
	i, ok := d.dirs[name]
	inOrder := ok && i >= d.entered && i < d.entered+walkJitter
	walking := inOrder && d.entered > 0
	d.entered = i + 1
	return walking && !d.deep
}

// missed says that what was fetched ahead was not used.
func (w *walks) missed(dir string) {
	if d, ok := w.mu.dirs.Peek(dir); ok {
		d.opens.streak, d.opens.depth = 0, walkStreak
		d.habit = habit{answered: 1, typed: d.habit.typed}
	}
}

// end breaks off what is being fetched, and drops what was. There will be no more.
func (w *walks) end() error {
	w.jobs.end()
	w.mu.Lock()
	files := w.mu.files
	w.mu.files = map[string]*aheadFile{}
	w.mu.Unlock()
	var err error
	for _, f := range files {
		f.timer.Stop()
		if e := f.close(); e != nil {
			err = e
		}
	}
	return err
}
