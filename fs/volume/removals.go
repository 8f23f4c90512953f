package volume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/s3client"
)

// A program that removes one file of a directory after the other (rm -r, git gc) need not wait for each of them: with
// Options.LazyUnlink, once two have been removed in a row, what is only a name and a key is queued; in directories beside one
// that was just removed after files in it were, and of who has just listed the directory (OneOfMany), it is queued from the
// first on. The queue is sent in requests for many keys, one after the other; the first begins in a few milliseconds, or when
// the directory has its marker. When somebody waits for what is queued, that is sent as soon as it may be.
//
// For this mount a queued file is gone. Its path stays owned, so whoever makes or renames something there, or removes or
// renames a directory above, waits; so do requests whose answer could show it (watchful).

const (
	inARow    = 2                    // removals in a directory that wait, before others do not
	rowBreak  = time.Second          // between two that are in a row
	gatherFor = 2 * time.Millisecond // before each request, for others to come
	atOnce    = time.Second          // a request later than that takes no more what the name leads to then
)

// removals is the queue. Its lock is a leaf.
type removals struct {
	mu struct {
		sync.Mutex
		queued  *removalBatch // nil: none
		flying  map[*removalBatch]struct{}
		sending bool // sendRemovals is at work

		untold int   // directories with a removal that has failed, of which nobody has heard
		why    error // of one of them
	}
	send func(*removalBatch)
}

func (q *removals) init(send func(*removalBatch)) {
	q.send, q.mu.flying = send, map[*removalBatch]struct{}{}
}

// removalBatch is what one request removes.
type removalBatch struct {
	list []removal
	keys map[string]struct{}
	done chan struct{}
}

func newRemovalBatch() *removalBatch {
	return &removalBatch{keys: map[string]struct{}{}, done: make(chan struct{})}
}

func (b *removalBatch) add(r removal) {
	b.list = append(b.list, r)
	b.keys[r.what.Key] = struct{}{}
}

// split returns what of b waits for no marker, and what does; nil for nothing. b is one of them.
func (b *removalBatch) split() (ready, waiting *removalBatch) {
	waits := func(r removal) bool { return !r.marker.over() }
	if !slices.ContainsFunc(b.list, waits) {
		return b, nil
	}
	list := b.list
	b.list, b.keys = nil, map[string]struct{}{}
	for _, r := range list {
		switch {
		case waits(r):
			b.add(r)
		case ready == nil:
			ready = newRemovalBatch()
			fallthrough
		default:
			ready.add(r)
		}
	}
	return ready, b
}

// removal is a file that is gone for this mount, and its key.
type removal struct {
	dir    *Inode
	at     string
	what   s3client.Version
	marker *marking      // of dir, without which it does not go
	since  time.Time     // when it was queued
	over   chan struct{} // closed when all is done here: the path is free for others only then
	unlock func()        // of the path
}

// row is the removals in a directory.
type row struct {
	last   time.Time
	length int
	err    error     // of one that was queued, which nobody has heard of
	dirs   time.Time // when a directory was removed in which there had just been others
}

// OneOfMany says that a removal is likely to be the first of many, as its caller has just listed the directory.
func OneOfMany(ctx context.Context) context.Context { return context.WithValue(ctx, manyKey{}, true) }

type manyKey struct{}

func isOneOfMany(ctx context.Context) bool { return ctx.Value(manyKey{}) != nil }

// removesLater reports whether a removal in dir may be queued.
func (v *Volume) removesLater(ctx context.Context, dir *Inode) bool {
	if !v.opt.LazyUnlink {
		return false
	}
	now := v.opt.Now()
	dir.mu.Lock()
	inRow, failed := dir.mu.row.length >= inARow && now.Sub(dir.mu.row.last) < rowBreak, dir.mu.row.err != nil
	dir.mu.Unlock()
	later := inRow || isOneOfMany(ctx)
	if failed { // this one is told
		return false
	}
	for up, _ := v.table.Parent(dir.node); up != nil && !later; up, _ = v.table.Parent(up) {
		later = up.Value().losesTrees(now)
	}
	return later
}

// losesTrees reports whether directories in n are being removed with what is in them.
func (n *Inode) losesTrees(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Sub(n.mu.row.dirs) < rowBreak
}

// countRmdir notes that a directory was removed, n if it is known, from another.
func (v *Volume) countRmdir(dir, n *Inode) {
	if n == nil {
		return
	}
	now := v.opt.Now()
	n.mu.Lock()
	r := n.mu.row
	n.mu.Unlock()
	if r.length > 0 && now.Sub(r.last) < rowBreak || now.Sub(r.dirs) < rowBreak {
		dir.mu.Lock()
		defer dir.mu.Unlock()
		dir.mu.row.dirs = now
	}
}

// countRemoval notes a removal in a directory that has succeeded.
func (v *Volume) countRemoval(dir *Inode) {
	now := v.opt.Now()
	dir.mu.Lock()
	defer dir.mu.Unlock()
	r := &dir.mu.row
	if now.Sub(r.last) >= rowBreak {
		r.length = 0
	}
	r.length++
	r.last = now
}

// SyncDir waits for the removals that are queued, and says that one in dir has failed; then fsync(2) of the directory
// makes durable what was done to its names.
func (v *Volume) SyncDir(ctx context.Context, dir *Inode) error {
	if err := v.removals.settle(ctx, all); err != nil {
		return err
	}
	return errors.Join(dir.removalError(), v.syncNames())
}

// removalError says, once, that a queued removal in a directory has failed.
func (n *Inode) removalError() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.mu.row.err
	if n.mu.row.err = nil; err != nil {
		n.v.removals.count(-1, nil)
	}
	return err
}

// count adds to the directories with a failed removal that nobody has heard of.
func (q *removals) count(n int, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.untold = max(q.mu.untold+n, 0); why != nil { // the unmount may have told already
		q.mu.why = why
	}
}

// tell says, once, that removals have failed of which nobody has heard.
func (q *removals) tell() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.mu.untold
	if q.mu.untold = 0; n == 0 {
		return nil
	}
	return fmt.Errorf("files that were removed are there again, in %d directories: %w", n, q.mu.why)
}

// queueRemoval has a key removed soon. It waits while another request has to go first.
func (v *Volume) queueRemoval(ctx context.Context, r removal) error {
	q := &v.removals
	for {
		q.mu.Lock()
		if q.mu.queued == nil {
			q.mu.queued = newRemovalBatch()
		}
		if !q.mu.sending {
			q.mu.sending = true
			go q.sendRemovals()
		}
		b := q.mu.queued
		if len(b.list) < s3client.MaxDeleteKeys {
			b.add(r)
			q.mu.Unlock()
			return nil
		}
		q.mu.Unlock()
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func all(*removalBatch) bool { return true }

// settle waits for the requests that remove keys of the batches that match, as they are now.
func (q *removals) settle(ctx context.Context, match func(*removalBatch) bool) error {
	var wait []*removalBatch
	q.mu.Lock()
	if q.mu.queued != nil && match(q.mu.queued) {
		q.sendAllLocked()
	}
	for b := range q.mu.flying {
		if match(b) {
			wait = append(wait, b)
		}
	}
	q.mu.Unlock()
	for _, b := range wait {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// hurry sends what is queued at once if it holds any of the paths, or one below: somebody waits for them.
func (q *removals) hurry(paths []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.queued == nil {
		return
	}
	for _, r := range q.mu.queued.list {
		for _, path := range paths {
			if r.at == path || below(r.at, path) {
				q.sendAllLocked()
				return
			}
		}
	}
}

// sendAllLocked sends what is queued; that which needs no marker does not wait for that which does.
func (q *removals) sendAllLocked() {
	ready, waiting := q.mu.queued.split()
	q.mu.queued = nil
	for _, b := range []*removalBatch{ready, waiting} {
		if b != nil {
			q.mu.flying[b] = struct{}{}
			go q.send(b)
		}
	}
}

// take returns a batch for sendRemovals to send, or a marker that all which is queued needs; it ends with neither.
func (q *removals) take() (b *removalBatch, marker *marking) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.sending = q.mu.queued != nil; !q.mu.sending {
		return nil, nil
	}
	if b, q.mu.queued = q.mu.queued.split(); b == nil {
		return nil, q.mu.queued.list[0].marker
	}
	q.mu.flying[b] = struct{}{}
	return b, nil
}

// over says that a batch is gone.
func (q *removals) over(b *removalBatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.mu.flying, b)
	close(b.done)
}

// sendRemovals sends the queue until it is empty.
func (q *removals) sendRemovals() {
	for {
		time.Sleep(gatherFor)
		b, marker := q.take()
		switch {
		case b != nil:
			q.send(b)
		case marker != nil:
			_ = marker.wait() // sendBatch finds out
		default:
			return
		}
	}
}

func (v *Volume) sendBatch(b *removalBatch) {
	defer v.removals.over(b)
	list, failed := v.marked(b)
	ctx, cancel := v.detached(context.Background(), 0)
	defer cancel()
	v.endJournaled()
	maps.Copy(failed, v.removeKeys(ctx, list))
	for _, r := range b.list {
		<-r.over
		if err := v.overtaken(r.at, failed[r.what.Key]); err != nil {
			v.comesBack(r, err)
		}
		r.unlock()
	}
}

// marked waits for the markers without which removals do not go, and returns what is to be removed, and which keys stay for
// want of one. What another client has made in the place of what was removed long ago stays, too.
func (v *Volume) marked(b *removalBatch) (list []s3client.Version, stay map[string]error) {
	stay = map[string]error{}
	for _, r := range b.list {
		if err := r.marker.wait(); err != nil {
			stay[r.what.Key] = err
		}
	}
	for _, r := range b.list {
		if stay[r.what.Key] == nil {
			r.what.Late = v.opt.Now().Sub(r.since) < atOnce
			list = append(list, r.what)
		}
	}
	return list, stay
}

// removeKeys removes keys, and returns why some are still there. Services that know no request for many keys get one for each.
func (v *Volume) removeKeys(ctx context.Context, list []s3client.Version) (failed map[string]error) {
	if len(list) == 0 {
		return nil
	}
	failed = s3client.NotRemoved(s3client.DeleteVersions(ctx, v.opt.Client, list...), s3client.KeysOf(list))
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	list = slices.DeleteFunc(list, func(what s3client.Version) bool {
		err := failed[what.Key]
		return err == nil || !refusesMany(err)
	})
	for _, what := range list {
		work.Go(func() error {
			err := s3client.DeleteVersions(ctx, v.opt.Client, what)
			mu.Lock()
			defer mu.Unlock()
			failed[what.Key] = err
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
	return failed
}

// removedVersion is what the removal of a file takes, if it does not succeed at once: not what another client makes in its
// place. What was sent without an answer may have any ETag. The caller has the gate.
func (v *Volume) removedVersion(n *Inode, o *object, key string) s3client.Version {
	what := s3client.Version{Key: key, Late: true}
	if v.caps.ConditionalPut && !n.sent() {
		what.ETag = o.info.ETag
	}
	return what
}

// overtaken is the outcome of a removal: where it came so late that another client has made something under the name
// meanwhile, that stays.
func (v *Volume) overtaken(at string, err error) error {
	if !errors.Is(err, s3client.ErrPrecondition) {
		return err
	}
	v.names.Forget(at)
	v.log.Info("a removal came late; what another client has made under the name stays", "path", at)
	return nil
}

// refusesMany reports whether a service does not take requests for many keys.
func refusesMany(err error) bool {
	var of *s3client.Error
	if errors.As(err, &of) && of.Key != "" {
		return false // but this key
	}
	return errors.Is(err, s3client.ErrUnsupported) || errors.Is(err, s3client.ErrInvalid) || errors.Is(err, s3client.ErrAccess)
}

// comesBack says that a file which this mount takes for gone is there: a name anew, as its inode has lost it.
func (v *Volume) comesBack(r removal, err error) {
	v.names.Forget(r.at)
	v.log.Error("a removed file is there again", "path", r.at, "error", err)
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	failed := fmt.Errorf("remove %q: %w", r.at, err)
	if r.dir.mu.row.err == nil {
		v.removals.count(1, failed)
	}
	r.dir.mu.row = row{err: failed}
}

// settleBelow waits for those of keys that begin with a prefix.
func (q *removals) settleBelow(ctx context.Context, prefix string) error {
	return q.settle(ctx, func(b *removalBatch) bool {
		for key := range b.keys {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return false
	})
}

// settleKey waits until the removal of a key is over.
func (q *removals) settleKey(ctx context.Context, key string) error {
	return q.settle(ctx, func(b *removalBatch) bool {
		_, ok := b.keys[key]
		return ok
	})
}

// watchful is a client that does not ask what could show a file whose removal is queued.
type watchful struct {
	s3client.Client
	removals *removals
}

func (c watchful) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	if err := c.removals.settleKey(ctx, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return c.Client.Head(ctx, key)
}

func (c watchful) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	if err := c.removals.settleKey(ctx, key); err != nil {
		return nil, err
	}
	return c.Client.Get(ctx, key, opt)
}

func (c watchful) DeleteDirectory(ctx context.Context, key string) error {
	if err := c.removals.settleBelow(ctx, key); err != nil {
		return err
	}
	return c.Client.DeleteDirectory(ctx, key)
}

func (c watchful) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	if err := c.removals.settleBelow(ctx, q.Prefix); err != nil {
		return s3client.ListPage{}, err
	}
	return c.Client.List(ctx, q)
}
