package lease

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Times that holders and this package must agree on.
const (
	Bound  = 5 * time.Second              // that a recall waits
	Trust  = 3 * time.Second              // for which a holder relies on what it heard last
	Linger = Trust + 500*time.Millisecond // for which one for reads lasts when its holder may not know of its end; clocks differ
)

// Authority is what a holder may rely on.
type Authority uint8

// The kinds of leases.
const (
	Names Authority = iota // nobody else makes a key
	Reads                  // nobody else changes anything
)

// Bounds of memory.
const (
	MaxHolders = 1000
	MaxLeases  = 64                // of one holder
	queue      = 2*MaxLeases + 128 // events of one holder, see Grant
)

// Errors of Join and Grant.
var (
	ErrHeld     = errors.New("another holder has a lease that overlaps")
	ErrNoHolder = errors.New("the holder has no stream of events")
	ErrTooMany  = errors.New("too many holders or leases")
	ErrClosed   = errors.New("there are no leases any more")
)

// Registry has the leases of all buckets.
type Registry struct {
	bound, linger time.Duration
	count         atomic.Int64 // of leases

	mu struct {
		sync.Mutex
		closed  bool
		holders map[holderKey]*Holder
		leases  map[uint64]map[string]*Lease // of each bucket, by prefix
		ended   []Place                      // of leases for reads, see Ended
	}
}

// Place is where a lease is.
type Place struct {
	Bucket uint64
	Prefix string
}

type holderKey struct {
	bucket uint64
	id     string
}

// Holder is a client with a stream of events about its leases in one bucket.
type Holder struct {
	r      *Registry
	key    holderKey
	events chan Event
	over   chan struct{} // closed with the Registry
	leases int           // guarded by r.mu
}

// Lease is one on a prefix.
type Lease struct {
	bucket    uint64
	prefix    string
	authority Authority
	holder    *Holder
	gone      chan struct{} // closed when it has ended
	recalled  *time.Timer   // that ends it; nil: it is neither recalled nor lingering; guarded by Registry.mu
}

// Event is what a holder is told of one of its leases.
type Event struct {
	Revoked bool // it is taken away; else it is to be given back
	Prefix  string
	Key     string // that somebody wants to make or change, or a prefix that ends in "/"; of no revoked one
}

// New makes a Registry whose recalls wait for bound; 0 means Bound.
func New(bound time.Duration) *Registry {
	r := &Registry{bound: bound, linger: Linger}
	if bound == 0 {
		r.bound = Bound
	}
	r.mu.holders = map[holderKey]*Holder{}
	r.mu.leases = map[uint64]map[string]*Lease{}
	return r
}

// Join makes a holder, whose id must not be in use. The caller ends it with Leave.
func (r *Registry) Join(bucket uint64, id string) (*Holder, error) {
	h := &Holder{r: r, key: holderKey{bucket, id}, events: make(chan Event, queue), over: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return nil, ErrClosed
	}
	if r.mu.holders[h.key] != nil {
		return nil, ErrHeld
	}
	if len(r.mu.holders) >= MaxHolders {
		return nil, ErrTooMany
	}
	r.mu.holders[h.key] = h
	return h, nil
}

// Events are those about the holder's leases, in their order.
func (h *Holder) Events() <-chan Event { return h.events }

// Bucket is the one whose keys the holder's leases are about.
func (h *Holder) Bucket() uint64 { return h.key.bucket }

// Over is closed when the Registry is: the holder is to be ended.
func (h *Holder) Over() <-chan struct{} { return h.over }

// Close tells all holders to end, and takes no others. It may be called twice.
func (r *Registry) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return
	}
	r.mu.closed = true
	for _, h := range r.mu.holders {
		close(h.over)
	}
}

// Leave ends the holder and its leases; those for reads in a while: it may not have heard of it.
func (h *Holder) Leave() {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	delete(h.r.mu.holders, h.key)
	for _, l := range h.r.mu.leases[h.key.bucket] {
		if l.holder == h {
			h.r.endSoonLocked(l)
		}
	}
}

// Restore has a lease for reads that was granted by another process end in a while: its holder may rely on it still.
func (r *Registry) Restore(bucket uint64, id, prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.addLocked(&Holder{r: r, key: holderKey{bucket, id}}, prefix, Reads)
	r.endSoonLocked(l)
}

// Ended returns where leases for reads have ended since the last call.
func (r *Registry) Ended() []Place {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.mu.ended
	r.mu.ended = nil
	return list
}

// EndedStill has Ended return places again.
func (r *Registry) EndedStill(list []Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.ended = append(r.mu.ended, list...)
}

// Held reports whether there is a lease for reads on just that prefix.
func (r *Registry) Held(at Place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.mu.leases[at.Bucket][at.Prefix]
	return l != nil && l.authority == Reads
}

// Grant gives a holder a lease on a prefix, which is empty or ends in "/". It takes the place of the holder's leases below.
func (r *Registry) Grant(bucket uint64, id, prefix string, what Authority) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.mu.holders[holderKey{bucket, id}]
	if h == nil {
		return ErrNoHolder
	}
	var inside []*Lease
	covered := false
	for _, l := range r.overlappingLocked(bucket, prefix) {
		switch {
		case l.holder != h, l.recalled != nil, l.authority < what:
			return ErrHeld
		case strings.HasPrefix(prefix, l.prefix):
			covered = true
		default:
			inside = append(inside, l)
		}
	}
	if covered {
		return nil
	}
	// Each lease may send two events, and sending never waits.
	if h.leases >= MaxLeases || len(h.events)+2*(h.leases+1) > queue {
		return ErrTooMany
	}
	for _, l := range inside {
		r.endLocked(l)
	}
	r.addLocked(h, prefix, what)
	return nil
}

func (r *Registry) addLocked(h *Holder, prefix string, what Authority) *Lease {
	bucket := h.key.bucket
	if r.mu.leases[bucket] == nil {
		r.mu.leases[bucket] = map[string]*Lease{}
	}
	l := &Lease{bucket: bucket, prefix: prefix, authority: what, holder: h, gone: make(chan struct{})}
	r.mu.leases[bucket][prefix] = l
	h.leases++
	r.count.Add(1)
	return l
}

// Return ends a lease of a holder, if it has it.
func (r *Registry) Return(bucket uint64, id, prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.mu.leases[bucket][prefix]; l != nil && l.holder.key.id == id {
		r.endLocked(l)
	}
}

// Idle reports whether there are no leases at all. A nil Registry never has any.
func (r *Registry) Idle() bool { return r == nil || r.count.Load() == 0 }

// Making returns the leases that keep the client with an id, which may be no holder's, from making a key.
func (r *Registry) Making(bucket uint64, id, key string) []*Lease {
	return r.others(id, Names, func() []*Lease { return r.aboveLocked(bucket, key) })
}

// MakingBelow is Making for any key that begins with a prefix.
func (r *Registry) MakingBelow(bucket uint64, id, prefix string) []*Lease {
	return r.others(id, Names, func() []*Lease { return r.overlappingLocked(bucket, prefix) })
}

// Changing is Making for what a key has, or that it is there.
func (r *Registry) Changing(bucket uint64, id, key string) []*Lease {
	return r.others(id, Reads, func() []*Lease { return r.aboveLocked(bucket, key) })
}

// ChangingBelow is Changing for any key that begins with a prefix.
func (r *Registry) ChangingBelow(bucket uint64, id, prefix string) []*Lease {
	return r.others(id, Reads, func() []*Lease { return r.overlappingLocked(bucket, prefix) })
}

// others returns those of the leases that find gives which are not a client's, and say what or more.
func (r *Registry) others(id string, what Authority, find func() []*Lease) []*Lease {
	if r.Idle() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(find(), func(l *Lease) bool { return l.holder.key.id == id || l.authority < what })
}

// aboveLocked returns the leases that cover a key.
func (r *Registry) aboveLocked(bucket uint64, key string) (list []*Lease) {
	leases := r.mu.leases[bucket]
	for end := 0; len(leases) > 0; end++ {
		if l := leases[key[:end]]; l != nil {
			list = append(list, l)
		}
		next := strings.IndexByte(key[end:], '/')
		if next < 0 {
			break
		}
		end += next
	}
	return list
}

// overlappingLocked returns the leases that cover a prefix, or that it covers.
func (r *Registry) overlappingLocked(bucket uint64, prefix string) []*Lease {
	list := r.aboveLocked(bucket, prefix)
	for _, l := range r.mu.leases[bucket] {
		if len(l.prefix) > len(prefix) && strings.HasPrefix(l.prefix, prefix) {
			list = append(list, l)
		}
	}
	return list
}

// BeginRecall asks the holders to give leases back, as somebody wants to make or change a key.
func (r *Registry) BeginRecall(list []*Lease, key string) {
	for _, l := range list {
		r.recall(l, key)
	}
}

// Recall is BeginRecall, and waits for the end of the leases or that of ctx: not for one after the other.
func (r *Registry) Recall(ctx context.Context, list []*Lease, key string) error {
	r.BeginRecall(list, key)
	for _, l := range list {
		select {
		case <-l.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *Registry) recall(l *Lease, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.recalled == nil && r.mu.leases[l.bucket][l.prefix] == l {
		l.recalled = time.AfterFunc(r.bound, func() { r.revoke(l) })
		l.holder.events <- Event{Prefix: l.prefix, Key: key}
	}
}

// revoke ends a lease that was not given back in time, and all others of its holder: nobody is to wait for them, too. The
// holder, if it has not heard of the recall, relies on none any more; but if it has, it may rely on those that were not
// recalled.
func (r *Registry) revoke(l *Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.leases[l.bucket][l.prefix] != l {
		return
	}
	for _, late := range r.mu.leases[l.bucket] {
		if late.holder != l.holder || late != l && late.authority == Reads && late.recalled != nil { // that ends by itself
			continue
		}
		late.holder.events <- Event{Revoked: true, Prefix: late.prefix}
		if late == l {
			r.endLocked(late)
		} else {
			r.endSoonLocked(late)
		}
	}
}

// end ends a lease that has lingered.
func (r *Registry) end(l *Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.leases[l.bucket][l.prefix] == l {
		r.endLocked(l)
	}
}

// endSoonLocked ends a lease whose holder may not know that yet.
func (r *Registry) endSoonLocked(l *Lease) {
	switch {
	case l.authority < Reads:
		r.endLocked(l)
	case l.recalled == nil:
		l.recalled = time.AfterFunc(r.linger, func() { r.end(l) })
	}
}

func (r *Registry) endLocked(l *Lease) {
	delete(r.mu.leases[l.bucket], l.prefix)
	if len(r.mu.leases[l.bucket]) == 0 {
		delete(r.mu.leases, l.bucket)
	}
	if l.recalled != nil {
		l.recalled.Stop()
	}
	if l.authority == Reads {
		r.mu.ended = append(r.mu.ended, Place{l.bucket, l.prefix})
	}
	l.holder.leases--
	r.count.Add(-1)
	close(l.gone)
}
