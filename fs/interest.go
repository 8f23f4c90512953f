package fs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	maxReaders   = 128 // threads whose interest is remembered
	maxEarlier   = 16  // directories that a thread got names of only, in which it may still show
	mostPatience = 64  // directories
)

// interest tells who wants the attributes of the files in the directories that he lists. The kernel asks for them with the
// names of a directory, in READDIRPLUS, before anybody can know, and makes an inode of each file then: for a program such as
// find, which needs no more than names and types, that is most of the work.
//
// What the kernel was told it does not ask for again, so one file of a directory, the probe, is left without attributes. Who
// wants them looks it up, or another thread for him. A thread that goes on to another directory without that gets only names
// there, and in those that follow, until a file of one of the last of them is looked up. Each such error makes it take more
// directories to come to that conclusion, and each probe that is looked up makes probes rarer. The first directory that a
// thread lists has none, as most programs list no other.
type interest struct {
	mu struct {
		sync.Mutex
		readers *simplelru.LRU[uint32, *reader] // by thread
		watched map[uint64][]*reader            // by the number of the directory
	}
}

// reader is a thread that lists directories. Guarded by interest.mu.
type reader struct {
	dir       uint64 // where its interest is going to show, by number; 0: nowhere
	probe     string // by what; "": by nothing yet, or by any file if it gets names only
	namesOnly bool
	earlier   []uint64 // directories of which it got names only, where interest may show too

	ignored int // probes in a row that it did not look up
	enough  int // of these, to give it names only
	pause   int // directories without a probe after the next one that it looks up
	rest    int // of these

	whole uint64    // the directory that it has listed last to its end, by number
	at    time.Time // when that was
}

// aMoment is how long who has listed a directory is likely to go on with what is in it.
const aMoment = time.Second

func newInterest() *interest {
	i := &interest{}
	i.mu.readers, _ = simplelru.NewLRU(maxReaders, func(_ uint32, r *reader) { i.leaveLocked(r) }) // the only error is about a size below 1
	i.mu.watched = map[uint64][]*reader{}
	return i
}

// begins notes that the thread of a request begins to list a directory, and returns it; nil if it is not known. up is the
// number of the directory above.
func (i *interest) begins(ctx context.Context, dir, up uint64) *reader {
	i.mu.Lock()
	defer i.mu.Unlock()
	thread, r := i.threadLocked(ctx)
	if thread == 0 {
		return nil
	}
	if r == nil {
		r = &reader{enough: 1, rest: 1}
		i.mu.readers.Add(thread, r)
	}
	r.whole = 0
	if r.probe != "" && r.dir != up && r.dir != dir { // from a directory below it comes back to the files
		r.pause, r.ignored = 0, r.ignored+1
		r.namesOnly = r.ignored >= r.enough
	}
	if r.rest > 0 {
		r.rest--
		dir = 0
	}
	i.watchLocked(r, dir)
	return r
}

// ends notes that the thread of a request has listed a directory to its end.
func (i *interest) ends(ctx context.Context, dir uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, r := i.threadLocked(ctx); r != nil {
		r.whole, r.at = dir, time.Now()
	}
}

// listed reports whether the thread of a request has just listed a directory, and no other since: who removes a file then is
// likely to remove all.
func (i *interest) listed(ctx context.Context, dir uint64) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, r := i.threadLocked(ctx)
	return r != nil && r.whole == dir && time.Since(r.at) < aMoment
}

// threadLocked returns the thread of a request, 0 if it is not known, and its reader if it has listed a directory lately.
func (i *interest) threadLocked(ctx context.Context) (thread uint32, r *reader) {
	c, ok := fuse.FromContext(ctx)
	if !ok || threadOf(c) == 0 {
		return 0, nil
	}
	r, _ = i.mu.readers.Get(threadOf(c))
	return threadOf(c), r
}

// watchLocked lets the interest of a reader show in a directory; 0: in none. Of those before it only a reader of names still
// has the last.
func (i *interest) watchLocked(r *reader, dir uint64) {
	if r.namesOnly && r.dir != 0 && r.probe == "" {
		r.earlier = append(r.earlier, r.dir)
		if len(r.earlier) > maxEarlier {
			i.unwatchLocked(r, r.earlier[0])
			r.earlier = r.earlier[1:]
		}
	} else {
		i.unwatchLocked(r, r.dir)
	}
	if r.dir, r.probe = dir, ""; dir != 0 {
		i.mu.watched[dir] = append(i.mu.watched[dir], r)
	}
}

// leaveLocked lets it show nowhere.
func (i *interest) leaveLocked(r *reader) {
	for _, dir := range append(r.earlier, r.dir) {
		i.unwatchLocked(r, dir)
	}
	r.dir, r.probe, r.earlier = 0, "", nil
}

// unwatchLocked ends one watch of a directory, if it is one.
func (i *interest) unwatchLocked(r *reader, dir uint64) {
	if at := slices.Index(i.mu.watched[dir], r); at >= 0 {
		i.mu.watched[dir] = slices.Delete(i.mu.watched[dir], at, at+1)
	}
	if len(i.mu.watched[dir]) == 0 {
		delete(i.mu.watched, dir)
	}
}

// leave notes that nothing can be concluded from the directory that a reader is in.
func (i *interest) leave(r *reader) {
	if r == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.leaveLocked(r)
}

// wants reports whether a file in a directory that a reader lists is to be told with its attributes. known is whether the
// kernel has them already.
func (i *interest) wants(r *reader, dir uint64, name string, known func() bool) bool {
	if r == nil {
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case r.dir != dir:
		return true
	case r.namesOnly:
		return false
	case r.probe == "" && !known():
		r.probe = name
	}
	return r.probe != name
}

// shown notes that a file was looked up.
func (i *interest) shown(dir uint64, name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range slices.Clone(i.mu.watched[dir]) {
		switch {
		case r.namesOnly:
			r.namesOnly, r.enough = false, min(2*r.enough, mostPatience)
		case r.probe == name:
			r.pause = min(max(2*r.pause, 1), mostPatience)
			r.rest = r.pause
		default:
			continue
		}
		r.ignored = 0
		i.leaveLocked(r)
	}
}
