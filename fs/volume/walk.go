package volume

import (
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

// walks recognise programs that open the files of a directory in the order of its listing, as grep -r and cp -r do: then
// the next ones are fetched ahead, several at once. What was fetched serves one open, within aheadFor; later it is dropped.
type walks struct {
	jobs // fetches

	mu struct {
		sync.Mutex
		dirs  *simplelru.LRU[string, *walk]
		hit   time.Time             // when an open was last served
		files map[string]*aheadFile // by path
	}
}

// walk is a directory that was listed. Guarded by walks.mu.
type walk struct {
	names  []string // files in order
	index  map[string]int
	next   int // behind the furthest open
	streak int // opens in order
	ahead  int // behind the last file that was fetched
	depth  int // files to fetch ahead

	dirs    map[string]int // directories in order
	entered int            // behind the furthest that was listed
	deep    bool           // they are too large to be read together
}

func newWalks() *walks {
	w := &walks{}
	w.init()
	w.mu.dirs, _ = simplelru.NewLRU[string, *walk](walkDirs, nil) // the only error is about a size below 1
	w.mu.files = map[string]*aheadFile{}
	return w
}

// listed notes a page of a listing.
func (w *walks) listed(dir string, items []dirItem, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if first || !ok || len(d.names)+len(d.dirs) > walkNames {
		d = &walk{index: map[string]int{}, dirs: map[string]int{}, depth: walkStreak, deep: ok && d.deep}
		w.mu.dirs.Add(dir, d)
	}
	for i := range items {
		switch items[i].obj.mode() {
		case attr.Regular:
			d.index[items[i].name] = len(d.names)
			d.names = append(d.names, items[i].name)
		case attr.Dir:
			d.dirs[items[i].name] = len(d.dirs)
		}
	}
}

// opened notes an open and returns the names to fetch ahead. most bounds them.
func (w *walks) opened(dir, name string, now time.Time, most int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Get(dir)
	if !ok {
		return nil
	}
	i, ok := d.index[name]
	switch {
	case !ok:
		return nil
	case i < d.next-walkJitter || i > d.next+walkJitter:
		d.next, d.streak, d.ahead, d.depth = i+1, 0, 0, walkStreak
		return nil
	}
	if i >= d.next { // else one of several readers is late
		d.streak++
	}
	if now.Sub(w.mu.hit) < aheadFor { // the walk goes on in another directory
		d.streak = max(d.streak, walkStreak)
	}
	d.next = max(d.next, i+1)
	if d.streak < walkStreak {
		return nil
	}
	d.depth = min(2*d.depth, most)
	from := max(d.ahead, d.next)
	d.ahead = max(from, min(d.next+d.depth, len(d.names)))
	return d.names[from:d.ahead]
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
		d.streak, d.depth = 0, walkStreak
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
