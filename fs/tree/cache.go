package tree

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// CacheOptions configure a Cache.
type CacheOptions[E any] struct {
	MaxEntries  int           // names; at least 1
	TTL         time.Duration // how long an entry is fresh
	NegativeTTL time.Duration // how long it is fresh that a name does not exist
	Now         func() time.Time
	Children    int // of a directory that was listed whole, up to which they can be told by Children; 0: none

	// Yields reports whether a name is not value's where something else has it too, as a directory: who learns of value alone
	// knows only as much as was known before of what else may be there. nil: no value does.
	Yields func(value E) bool
}

// Cache holds what was last heard of names. E is what is known of a name that exists. It is safe for concurrent use.
type Cache[E any] struct {
	opt CacheOptions[E]
	mu  struct {
		sync.Mutex
		seq     uint64
		floor   uint64 // answers with a stamp below are ignored
		trees   trees  // so are those about what one of these has forgotten since, and what is known from before
		recent  recent
		entries *simplelru.LRU[string, entry[E]]
		dirs    *simplelru.LRU[string, listing]

		dropping bool // entries are removed that trees have forgotten
	}
}

// Stamp is a point in the order of requests and changes, and in time. The zero Stamp is before all others.
type Stamp struct {
	seq uint64
	at  time.Time
}

// Before reports whether s was taken before t.
func (s Stamp) Before(t Stamp) bool { return s.seq < t.seq }

// State says what a cache knows of a name.
type State uint8

// States of a name.
const (
	Unknown    State = iota // nothing
	WasAbsent               // did not exist, but that is older than the NegativeTTL
	Absent                  // does not exist
	WasPresent              // existed, but that is older than the TTL
	Present                 // exists
)

type entry[E any] struct {
	stamp Stamp
	since uint64 // sequence of a stamp not before that of what was asked to find it out; 0: nobody knows
	state State  // Unknown, Absent or Present, as of stamp
	value E
	part  bool // of what may have the name nothing else was asked for, nor changed; until it is added
}

// listing says when the last whole listing of a directory began, and the one that is on its way. Zero is never.
type listing struct {
	done, doing Stamp
	names       map[string]struct{} // of entries that have come after noting, but for those that were not there; nil: too many
	noting      Stamp
	since       uint64 // the sequence of when this began
}

// NewCache returns an empty cache.
func NewCache[E any](opt CacheOptions[E]) *Cache[E] {
	c := &Cache[E]{opt: opt}
	size := max(opt.MaxEntries, 1)
	// The only error of NewLRU is about a size below 1.
	c.mu.entries, _ = simplelru.NewLRU(size, func(path string, e entry[E]) {
		// What a listing lacks is absent without an entry, too, if that was not in doubt since.
		if l, _ := c.mu.dirs.Peek(Dir(path)); e.state != Absent || e.since < l.done.seq && l.done.Before(e.stamp) {
			c.mu.dirs.Remove(Dir(path))
		}
		if !c.mu.dropping {
			c.mu.floor = max(c.mu.floor, e.stamp.seq) // an answer that it had overtaken must not come back
		}
	})
	c.mu.dirs, _ = simplelru.NewLRU[string, listing](size, nil)
	return c
}

// Begin returns a stamp of this moment, to be taken before a request is sent whose answer goes to Put.
func (c *Cache[E]) Begin() Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beginLocked()
}

func (c *Cache[E]) beginLocked() Stamp {
	c.mu.seq++
	return Stamp{seq: c.mu.seq, at: c.opt.Now()}
}

// Get returns what is known of a path, and as of when. There is a value for Present and WasPresent.
func (c *Cache[E]) Get(path string) (E, State, Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.usedLocked(path)
	if path != "" { // the root is in no listing
		l, ok := c.listingLocked(Dir(path))
		if ok && e.stamp.Before(l.done) && c.young(l.done, c.opt.NegativeTTL) {
			var none E
			return none, Absent, l.done
		}
	}
	switch {
	case e.state == Present && !c.young(e.stamp, c.opt.TTL):
		return e.value, WasPresent, e.stamp
	case e.state == Absent && !c.young(e.stamp, c.opt.NegativeTTL):
		return e.value, WasAbsent, e.stamp
	}
	return e.value, e.state, e.stamp
}

// entryLocked returns what is known of a path.
func (c *Cache[E]) entryLocked(path string) (e entry[E], ok bool) {
	e, ok = c.mu.entries.Peek(path)
	return c.unlessForgottenLocked(path, e, ok)
}

// usedLocked is entryLocked for somebody who makes use of it.
func (c *Cache[E]) usedLocked(path string) (e entry[E], ok bool) {
	e, ok = c.mu.entries.Get(path)
	return c.unlessForgottenLocked(path, e, ok)
}

func (c *Cache[E]) unlessForgottenLocked(path string, e entry[E], ok bool) (entry[E], bool) {
	if ok && c.mu.trees.forgotten(path, e.stamp.seq) {
		return entry[E]{}, false
	}
	return e, ok
}

// listingLocked returns what is known of the listings of a directory.
func (c *Cache[E]) listingLocked(dir string) (l listing, ok bool) {
	if l, ok = c.mu.dirs.Peek(dir); ok && c.mu.trees.forgotten(dir, l.since) {
		return listing{}, false
	}
	return l, ok
}

func (c *Cache[E]) young(s Stamp, ttl time.Duration) bool { return c.opt.Now().Sub(s.at) < ttl }

// Age returns how long ago a stamp was taken.
func (c *Cache[E]) Age(s Stamp) time.Duration { return c.opt.Now().Sub(s.at) }

// Put says that path existed at s. It reports false, and does nothing, if something later is known, or if this says that path is
// no directory, and something below may have been changed since.
func (c *Cache[E]) Put(path string, value E, s Stamp) bool {
	return c.put(path, entry[E]{stamp: s, since: s.seq, state: Present, value: value})
}

// PutPart is Put where nothing was asked of what else may have the name; see CacheOptions.Yields.
func (c *Cache[E]) PutPart(path string, value E, s Stamp) bool {
	return c.put(path, entry[E]{stamp: s, since: s.seq, state: Present, value: value, part: true})
}

// PutAbsent says that path did not exist at s.
func (c *Cache[E]) PutAbsent(path string, s Stamp) bool {
	return c.put(path, entry[E]{stamp: s, since: s.seq, state: Absent})
}

// Set says that path exists now: we have just made or changed it. since is a stamp from before the request that did so, as
// somebody else may have changed it before its answer came; the zero Stamp if it tells less than what value says. Like PutPart
// it tells nothing of what else may have the name.
func (c *Cache[E]) Set(path string, value E, since Stamp) Stamp {
	return c.set(path, entry[E]{since: since.seq, state: Present, value: value, part: true})
}

// SetAbsent says that path does not exist now, as Set does.
func (c *Cache[E]) SetAbsent(path string, since Stamp) Stamp {
	return c.set(path, entry[E]{since: since.seq, state: Absent, part: true})
}

func (c *Cache[E]) set(path string, e entry[E]) Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.stamp = c.beginLocked()
	old, _ := c.entryLocked(path)
	c.mu.recent.add(change{path, e.stamp.seq, e.state == Present && old.state == Present})
	if l, ok := c.listingLocked(Dir(path)); ok && path != "" && c.hidesLocked(l, path, e) {
		l.names = nil
		c.mu.dirs.Add(Dir(path), l)
	}
	c.addLocked(path, e)
	return e.stamp
}

func (c *Cache[E]) addLocked(path string, e entry[E]) {
	if e.part {
		e.part = false
		if c.yields(e) {
			e.since = min(e.since, c.aloneLocked(path))
		}
	}
	c.mu.entries.Add(path, e)
	c.noteLocked(path, e)
}

// noDir reports whether an entry tells that there is no directory.
func (c *Cache[E]) noDir(e entry[E]) bool {
	return e.state == Absent || e.state == Present && c.opt.Yields != nil && c.opt.Yields(e.value)
}

// yields reports whether something else may have the name of what an entry tells.
func (c *Cache[E]) yields(e entry[E]) bool {
	return c.opt.Yields != nil && c.noDir(e)
}

// aloneLocked returns the sequence of a stamp not before that of what was asked to find out that nothing has a path that others
// yield to; 0 where nobody knows.
func (c *Cache[E]) aloneLocked(path string) uint64 {
	e, _ := c.entryLocked(path)
	if l, ok := c.listingLocked(Dir(path)); ok && path != "" && e.stamp.Before(l.done) {
		return l.done.seq
	}
	if c.yields(e) {
		return e.since
	}
	return 0
}

// hidesLocked reports whether a change of a path, of which a listing tells, may be one of what a directory there hides, or hide
// it: that has another name in listings.
func (c *Cache[E]) hidesLocked(l listing, path string, e entry[E]) bool {
	old, _ := c.entryLocked(path)
	switch {
	case c.opt.Yields == nil:
		return false
	case old.stamp.Before(l.done):
		old.state = Absent
	case old.state == Present && !c.yields(old):
		return c.yields(e)
	case old.state == Unknown || old.since < l.done.seq:
		return true
	}
	return old.state == Present && !c.yields(e)
}

// noteLocked notes the name of what was heard of, for Children; it forgets one that is surely not there since the last whole
// listing.
func (c *Cache[E]) noteLocked(path string, e entry[E]) {
	if c.opt.Children == 0 || path == "" {
		return
	}
	dir := Dir(path)
	l, ok := c.listingLocked(dir)
	if !ok || l.names == nil {
		return
	}
	if e.state == Absent && e.since >= l.done.seq {
		delete(l.names, base(path))
	} else if l.names[base(path)] = struct{}{}; len(l.names) > c.opt.Children {
		l.names = nil
		c.mu.dirs.Add(dir, l)
	}
}

// ChangedSince reports whether there may have been a Set, SetAbsent or Forget after s that is about what is in a directory or
// below: of a path there, or of the directory or one above unless it says that this is there still.
func (c *Cache[E]) ChangedSince(dir string, s Stamp) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.recent.since(dir, s.seq)
}

func (c *Cache[E]) put(path string, e entry[E]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entryLocked(path); ok && e.stamp.Before(old.stamp) {
		if old.since < e.stamp.seq { // it may be about what was there later than what the change has met
			c.noteLocked(path, entry[E]{state: Unknown})
		}
		return false
	}
	if c.overtakenLocked(path, e.stamp) {
		c.forgetLocked(path) // what is known is older still
		return false
	}
	if c.noDir(e) && c.mu.recent.below(path, e.stamp.seq) { // it may be a directory again since
		return false
	}
	c.addLocked(path, e)
	return true
}

// overtakenLocked reports whether an answer about a path is from before something that has been forgotten.
func (c *Cache[E]) overtakenLocked(path string, s Stamp) bool {
	return s.seq < c.mu.floor || c.mu.trees.forgotten(path, s.seq)
}

// Forget drops what is known of a path, also by requests on their way.
func (c *Cache[E]) Forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetLocked(path)
}

func (c *Cache[E]) forgetLocked(path string) Stamp {
	s := c.beginLocked()
	c.mu.recent.add(change{path: path, seq: s.seq})
	c.mu.entries.Add(path, entry[E]{stamp: s})
	if path != "" {
		c.mu.dirs.Remove(Dir(path))
	}
	return s
}

// ForgetTree drops what is known of a path and of everything below it, also by requests on their way. What is below takes room
// until many have been forgotten so, as it takes long to find.
func (c *Cache[E]) ForgetTree(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.trees.add(path, c.forgetLocked(path).seq)
	if c.mu.trees.full() {
		c.sweepLocked()
		c.mu.floor = max(c.mu.floor, c.mu.trees.drop())
	}
}

// sweepLocked removes what trees have forgotten.
func (c *Cache[E]) sweepLocked() {
	c.mu.dropping = true
	for _, p := range c.mu.entries.Keys() {
		if _, ok := c.entryLocked(p); !ok {
			c.mu.entries.Remove(p)
		}
	}
	c.mu.dropping = false
	for _, p := range c.mu.dirs.Keys() {
		if _, ok := c.listingLocked(p); !ok {
			c.mu.dirs.Remove(p)
		}
	}
}

// BeginListing announces that a whole directory is being listed. Put what it brings with stamps that are not before the
// one returned, then call EndListing with it.
func (c *Cache[E]) BeginListing(dir string) Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.beginLocked()
	l, ok := c.listingLocked(dir)
	if !ok {
		l.since = s.seq
	}
	if l.doing = s; l.names == nil && c.opt.Children > 0 {
		l.names, l.noting = map[string]struct{}{}, s
	}
	c.mu.dirs.Add(dir, l)
	return s
}

// NoteChildren is for listings of directories below path that have begun after what they bring was asked for, which was at asOf:
// their Children are told all the same, where nothing in them was changed meanwhile.
func (c *Cache[E]) NoteChildren(path string, asOf Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.mu.entries.Keys() {
		if !below(p, path) {
			continue
		}
		if e, ok := c.entryLocked(p); !ok || e.state == Absent {
			continue
		}
		if l, ok := c.listingLocked(Dir(p)); ok && l.names != nil {
			l.names[base(p)] = struct{}{}
		}
	}
	for _, dir := range c.mu.dirs.Keys() {
		if l, ok := c.listingLocked(dir); ok && (dir == path || below(dir, path)) && !c.mu.recent.in(dir, asOf.seq) {
			l.noting = Stamp{}
			c.mu.dirs.Add(dir, l)
		}
	}
}

// Children returns the names in a directory in their order, for those who know that nobody else has changed anything in it
// after since. It reports false where they are not known, or too many.
func (c *Cache[E]) Children(dir string, since Stamp) (names []string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.dirs.Get(dir)
	l, ok := c.listingLocked(dir)
	if !ok || l.names == nil || !since.Before(l.done) || l.done.Before(l.noting) {
		return nil, false
	}
	for name := range l.names {
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		switch e, _ := c.entryLocked(path); {
		case e.stamp.Before(l.done): // not in the listing
		case e.state == Unknown || e.since <= since.seq:
			return nil, false
		case e.state == Absent: // removed later
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

// EndListing says that the listing begun at s is over and all that it brought was put: what it did not bring did not
// exist at asOf, which is not after s. That is not believed if an entry was evicted meanwhile, another listing has
// begun, or something was made since in a directory there that it lacks.
func (c *Cache[E]) EndListing(dir string, s, asOf Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.listingLocked(dir); ok && l.doing == s && !c.overtakenLocked(dir, asOf) && !c.lacksLocked(dir, asOf) {
		if l.done, l.doing = asOf, (Stamp{}); asOf.Before(l.noting) {
			l.names = nil
		}
		c.mu.dirs.Add(dir, l)
	}
}

// lacksLocked reports whether there may have been a change since asOf below a directory in dir of which nothing was heard since.
func (c *Cache[E]) lacksLocked(dir string, asOf Stamp) bool {
	return c.mu.recent.any(asOf.seq, func(made change) bool {
		if !below(made.path, dir) || Dir(made.path) == dir {
			return false
		}
		child := made.path
		for up := Dir(child); up != dir; up = Dir(up) {
			child = up
		}
		e, _ := c.entryLocked(child)
		return e.stamp.Before(asOf)
	})
}

// Sure returns what is known of path from after since, however old that is: for those who know that nobody else has changed
// anything there since. There is a value for Present; Unknown is all that is not known from then.
func (c *Cache[E]) Sure(path string, since Stamp) (value E, state State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.usedLocked(path)
	if path != "" { // the root is in no listing
		c.mu.dirs.Get(Dir(path))
		if l, ok := c.listingLocked(Dir(path)); ok && since.Before(l.done) && e.stamp.Before(l.done) {
			return value, Absent
		}
	}
	if e.since <= since.seq {
		return value, Unknown
	}
	return e.value, e.state
}

// Since returns the stamp from before the request that told what is known of path; the zero Stamp where nobody knows.
func (c *Cache[E]) Since(path string) Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.entryLocked(path)
	return Stamp{seq: e.since}
}

// Len returns the number of entries.
func (c *Cache[E]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.entries.Len()
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Dir returns the path of the directory that holds path; the root's is "".
func Dir(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}

// below reports whether path is below dir.
func below(path, dir string) bool {
	if dir == "" {
		return path != ""
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}
