package lease

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"pail/fs/tree"
	"pail/s3client"
)

// Times and bounds of a Keeper.
const (
	again       = 5 * time.Second // between two creations under a prefix that is worth a lease
	idle        = time.Minute     // until a lease that is not used is given back
	barred      = time.Minute     // for which what was recalled is not asked for again
	refused     = 10 * time.Second
	broken      = 10 * time.Minute // for which nothing is asked where it cannot work
	closing     = time.Second      // that Close takes to give leases back
	opening     = time.Second      // that a stream may take to say its first word
	streamAge   = time.Hour        // of a stream, as clocks go apart by up to half a second in that time
	clocksApart = time.Second      // of the two of this machine, with a stream
	patience    = s3client.LeaseTrust
	claimTime   = s3client.LeaseBound - time.Second // for claims before a lease is given back
	claimWait   = time.Second                       // before what could not be claimed is tried again, at first
	claimMost   = time.Minute                       // and at most

	silences  = 3 // streams in a row without a first word, of which a busy service may have one, until that is how it is
	maxLeases = 32
	maxRecent = 1024 // prefixes of which the last creation is remembered
	maxBars   = 1024
)

// Options of a Keeper. All but Log and Now are required.
type Options struct {
	Join  func(context.Context) (s3client.LeaseStream, error)
	Stamp func() tree.Stamp // of this moment, in the order of requests; called under the keeper's lock
	// Claim makes the keys under prefix on the service that are promised and not there yet, until ctx ends. It reports
	// false if some of them may be made another time.
	Claim func(ctx context.Context, prefix string) (over bool)
	Reads bool             // ask for leases for reads, where there are such
	Log   *slog.Logger     // nil discards
	Now   func() time.Time // nil means time.Now
}

// Keeper keeps leases. It is safe for concurrent use.
type Keeper struct {
	opt  Options
	ctx  context.Context // of the stream and of work in the background; ends with stop
	stop context.CancelFunc
	work sync.WaitGroup

	asking chan struct{} // holds a token while somebody asks

	mu struct {
		sync.Mutex
		closed bool
		stream s3client.LeaseStream // nil: there is none
		opened time.Time            // when the stream was
		sent   time.Time            // by the service: its last event
		held   map[string]*held
		bars   []bar
		asked  *held                // whose answer has not come; nil: none
		off    time.Time            // until then nothing is asked
		silent int                  // streams in a row that had no first word
		recent map[string]time.Time // last creation under a prefix
	}
}

// held is a lease. Its fields are guarded by Keeper.mu.
type held struct {
	prefix string
	stream s3client.LeaseStream
	reads  bool
	since  tree.Stamp
	used   time.Time
	users  int
	ending bool
	missed bool          // it is nothing to rely on when the answer comes: recalled, revoked or forfeit
	unused chan struct{} // closed when the last user of an ending one is gone
	paused chan struct{} // not relied on while one is asked for that takes its place; closed without users; nil: it is not
}

// bar keeps prefixes from being asked for.
type bar struct {
	key    string
	exact  bool // this prefix only, and those above; else all that hold the key
	passed time.Time
}

// New makes a Keeper, which does nothing by itself.
func New(opt Options) *Keeper {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	k := &Keeper{opt: opt, asking: make(chan struct{}, 1)}
	k.ctx, k.stop = context.WithCancel(context.Background())
	k.mu.held, k.mu.recent = map[string]*held{}, map[string]time.Time{}
	return k
}

// Use begins something that relies on a lease which covers prefix. What was found absent after since is so until done is
// called, which must be soon. ok is false where there is no such lease.
func (k *Keeper) Use(prefix string) (since tree.Stamp, done func(), ok bool) {
	return k.use(prefix, false)
}

// UseReads is Use for a lease for reads: whatever was found after since is as it was.
func (k *Keeper) UseReads(prefix string) (since tree.Stamp, done func(), ok bool) {
	return k.use(prefix, true)
}

func (k *Keeper) use(prefix string, reads bool) (since tree.Stamp, done func(), ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.coveringLocked(prefix)
	if h == nil || h.ending || h.paused != nil || reads && !h.reads || k.ageLocked() >= s3client.LeaseTrust || k.oldLocked() {
		return tree.Stamp{}, nil, false
	}
	h.users++
	h.used = k.opt.Now()
	return h.since, func() { k.leave(h) }, true
}

// Granted tells since when there is a lease that covers prefix, be it that it cannot be relied on just now. A later one is
// since a moment after the call.
func (k *Keeper) Granted(prefix string) (since tree.Stamp, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.coveringLocked(prefix); h != nil {
		return h.since, true
	}
	return tree.Stamp{}, false
}

// GrantedReads is Granted for a lease for reads.
func (k *Keeper) GrantedReads(prefix string) (since tree.Stamp, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.coveringLocked(prefix); h != nil && h.reads {
		return h.since, true
	}
	return tree.Stamp{}, false
}

// Covering returns the prefix of the lease that covers one.
func (k *Keeper) Covering(prefix string) (of string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.coveringLocked(prefix); h != nil {
		return h.prefix, true
	}
	return "", false
}

func (k *Keeper) leave(h *held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.users--; h.users > 0 {
		return
	}
	if h.ending {
		close(h.unused)
	}
	if h.paused != nil {
		close(h.paused)
	}
}

func (k *Keeper) coveringLocked(prefix string) *held {
	for _, h := range k.mu.held {
		if strings.HasPrefix(prefix, h.prefix) {
			return h
		}
	}
	return nil
}

// ageLocked returns how long ago the service sent its last event, at most.
func (k *Keeper) ageLocked() time.Duration {
	return max(k.clocksLocked(k.mu.sent))
}

func (k *Keeper) clocksLocked(since time.Time) (steady, wall time.Duration) {
	return Between(since, k.opt.Now())
}

// Between returns the time from a moment to another by both clocks: the monotonic one, which may stand while the machine
// sleeps, and the other one, which may be set.
func Between(since, now time.Time) (steady, wall time.Duration) {
	return now.Sub(since), now.Round(0).Sub(since.Round(0))
}

// Ask says that a file is made exclusively under each of prefixes, of which the first holds all others, and so on. If it is
// worth while and nobody else asks just then, it asks for a lease on the first one that can be had.
func (k *Keeper) Ask(ctx context.Context, prefixes ...string) {
	if !k.worthWhile(prefixes[0]) {
		return
	}
	select {
	case k.asking <- struct{}{}:
	default:
		return
	}
	defer func() { <-k.asking }()
	if !k.mayAsk(prefixes[len(prefixes)-1]) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := k.askOne(ctx, prefixes); err != nil {
		k.opt.Log.Debug("no lease on a directory", "prefix", prefixes[0], "error", err)
		k.pauseAfter(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closeUnusedLocked()
}

// pauseAfter lets nothing be asked for a while: for long where an error is not about to pass.
func (k *Keeper) pauseAfter(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	passes := s3client.IsAny(err, s3client.ErrUnavailable, s3client.ErrThrottled, context.DeadlineExceeded)
	if errors.Is(err, errSilent) {
		k.mu.silent++
		passes = k.mu.silent < silences
	}
	pause := broken
	if passes {
		pause = refused
	}
	if until := k.opt.Now().Add(pause); until.After(k.mu.off) {
		k.mu.off = until
	}
}

// askOne asks for prefixes until one is granted.
func (k *Keeper) askOne(ctx context.Context, prefixes []string) error {
	for _, prefix := range prefixes {
		if k.isBarred(prefix) {
			continue
		}
		stream, err := k.join(ctx)
		if err == nil {
			err = k.grant(ctx, stream, prefix)
		}
		if !errors.Is(err, s3client.ErrConflict) {
			return err
		}
		k.mu.Lock()
		k.barLocked(prefix, true, refused)
		k.mu.Unlock()
	}
	return nil
}

// mayAsk reports whether to ask for a prefix, which only one does at a time.
func (k *Keeper) mayAsk(prefix string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.coveringLocked(prefix) == nil && !k.mu.closed && !k.opt.Now().Before(k.mu.off) && len(k.mu.held) < maxLeases &&
		!k.oldLocked()
}

// oldLocked reports whether there is a stream that is to end, as what it says of time is no longer to be relied on: it is old,
// or one of the two clocks has stood or was set since it began, so that only the other one is left.
func (k *Keeper) oldLocked() bool {
	if k.mu.stream == nil {
		return false
	}
	steady, wall := k.clocksLocked(k.mu.opened)
	return max(steady, wall) >= streamAge || (steady-wall).Abs() >= clocksApart
}

// worthWhile notes a creation, and reports whether it is the second one.
func (k *Keeper) worthWhile(prefix string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.opt.Now()
	last, ok := k.mu.recent[prefix]
	if !ok && len(k.mu.recent) >= maxRecent {
		clear(k.mu.recent)
	}
	k.mu.recent[prefix] = now
	return ok && now.Sub(last) < again
}

// barLocked keeps prefixes from being asked for; all of them, if there are very many bars.
func (k *Keeper) barLocked(key string, exact bool, d time.Duration) {
	now := k.opt.Now()
	b := bar{key, exact, now.Add(d)}
	k.mu.bars = slices.DeleteFunc(k.mu.bars, func(old bar) bool {
		return !now.Before(old.passed) || old.key == key && old.exact == exact && !old.passed.After(b.passed)
	})
	if len(k.mu.bars) < maxBars {
		k.mu.bars = append(k.mu.bars, b)
	} else if b.passed.After(k.mu.off) {
		k.mu.off = b.passed
	}
}

func (k *Keeper) isBarred(prefix string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isBarredLocked(prefix)
}

func (k *Keeper) isBarredLocked(prefix string) bool {
	now := k.opt.Now()
	return slices.ContainsFunc(k.mu.bars, func(b bar) bool { return now.Before(b.passed) && b.bars(prefix) })
}

func (b bar) bars(prefix string) bool {
	if strings.HasPrefix(b.key, prefix) {
		return true
	}
	return !b.exact && strings.HasSuffix(b.key, "/") && strings.HasPrefix(prefix, b.key)
}

// Close gives leases for reads back, which others would have to wait for, ends the stream, and with it all leases, and waits
// for what is on its way. There will be no others.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.mu.closed = true
	var list []*held
	for _, h := range k.mu.held {
		if h.reads && h.beginEndLocked() {
			list = append(list, h)
		}
	}
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(k.ctx, closing)
	defer cancel()
	var work sync.WaitGroup
	for _, h := range list {
		work.Go(func() {
			<-h.unused
			_ = k.opt.Claim(ctx, h.prefix) // there is no other time for it
			k.giveBack(ctx, h)
		})
	}
	work.Wait()
	k.stop()
	k.asking <- struct{}{} // who asks starts work
	<-k.asking
	k.work.Wait()
}
