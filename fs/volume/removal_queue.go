package volume

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/fs/lease"
	"pail/s3client"
)

const (
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

		marking map[*marking]*removalBatch // batches that go when a directory has its marker
		waiting int                        // removals in these, until they are over
		room    chan struct{}              // closed when these are less, for another

		untold int   // directories with a removal that has failed, of which nobody has heard
		why    error // of one of them
	}
	send func(*removalBatch)
}

func (q *removals) init(send func(*removalBatch)) {
	q.send, q.mu.room = send, make(chan struct{})
	q.mu.flying, q.mu.marking = map[*removalBatch]struct{}{}, map[*marking]*removalBatch{}
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

// removal is a file that is gone for this mount, and its key.
type removal struct {
	dir    *Inode
	at     string
	what   s3client.Version
	marker *marking      // of dir, without which it does not go
	over   chan struct{} // closed when all is done here: the path is free for others only then
	unlock func()        // of the path
}

// queueRemoval has a key removed soon, when the directory has its marker. It waits while others have to go first.
func (v *Volume) queueRemoval(ctx context.Context, r removal) error {
	for {
		room, marked := v.removals.add(r)
		if room == nil {
			return nil
		}
		r.marker.hurry()
		select {
		case <-room:
		case <-marked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add queues a removal, or returns what ends when there may be room for it. Where it is its marker that has to be waited for,
// marked is the end of that, after which there is other room.
func (q *removals) add(r removal) (room, marked <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.marker.over() {
		b := q.queueLocked()
		if len(b.list) == s3client.MaxDeleteKeys {
			return b.done, nil
		}
		b.add(r)
		return nil, nil
	}
	if q.mu.waiting == s3client.MaxDeleteKeys {
		return q.mu.room, r.marker.done
	}
	b := q.mu.marking[r.marker]
	if b == nil {
		b = newRemovalBatch()
		q.mu.marking[r.marker] = b
		go q.sendMarked(r.marker, b)
	}
	b.add(r)
	q.mu.waiting++
	return nil, nil
}

// queueLocked returns what is queued, and has it sent.
func (q *removals) queueLocked() *removalBatch {
	if q.mu.queued == nil {
		q.mu.queued = newRemovalBatch()
	}
	if !q.mu.sending {
		q.mu.sending = true
		go q.sendRemovals()
	}
	return q.mu.queued
}

// sendMarked sends a batch when its marker is there.
func (q *removals) sendMarked(marker *marking, b *removalBatch) {
	<-marker.done
	q.mu.Lock()
	delete(q.mu.marking, marker)
	q.mu.flying[b] = struct{}{}
	q.mu.Unlock()
	q.send(b)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.waiting -= len(b.list)
	close(q.mu.room)
	q.mu.room = make(chan struct{})
}

func all(*removalBatch) bool { return true }

// settle waits for the requests that remove keys of the batches that match, as they are now.
func (q *removals) settle(ctx context.Context, match func(*removalBatch) bool) error {
	var wait []*removalBatch
	q.mu.Lock()
	if q.mu.queued != nil && match(q.mu.queued) {
		go q.send(q.takeLocked())
	}
	for b := range q.mu.flying {
		if match(b) {
			wait = append(wait, b)
		}
	}
	for m, b := range q.mu.marking {
		if match(b) {
			m.hurry()
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
	for m, b := range q.mu.marking {
		if b.holds(paths) {
			m.hurry()
		}
	}
	if q.mu.queued != nil && q.mu.queued.holds(paths) {
		go q.send(q.takeLocked())
	}
}

// holds reports whether a batch holds one of the paths, or one below.
func (b *removalBatch) holds(paths []string) bool {
	return slices.ContainsFunc(b.list, func(r removal) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return r.at == path || below(r.at, path) })
	})
}

// takeLocked makes what is queued a batch that is being sent.
func (q *removals) takeLocked() *removalBatch {
	b := q.mu.queued
	q.mu.flying[b], q.mu.queued = struct{}{}, nil
	return b
}

// take is takeLocked for sendRemovals; nil ends it.
func (q *removals) take() *removalBatch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.sending = q.mu.queued != nil; !q.mu.sending {
		return nil
	}
	return q.takeLocked()
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
		b := q.take()
		if b == nil {
			return
		}
		q.send(b)
	}
}

func (v *Volume) sendBatch(b *removalBatch) {
	defer v.removals.over(b)
	list, failed := b.marked()
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

// marked returns what of a batch, whose markers are over, is to be removed, and which keys stay for want of one.
func (b *removalBatch) marked() (list []removal, stay map[string]error) {
	stay = map[string]error{}
	for _, r := range b.list {
		if err := r.marker.wait(); err != nil {
			stay[r.what.Key] = err
		} else {
			list = append(list, r)
		}
	}
	return list, stay
}

// removeKeys removes keys, and returns why some are still there. Services that know no request for many keys get one for each.
func (v *Volume) removeKeys(ctx context.Context, list []removal) (failed map[string]error) {
	if len(list) == 0 {
		return nil
	}
	versions := make([]s3client.Version, len(list))
	for i, r := range list {
		versions[i] = r.what
	}
	failed = s3client.NotRemoved(s3client.DeleteVersions(ctx, v.opt.Client, versions...), s3client.KeysOf(versions))
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	list = slices.DeleteFunc(list, func(r removal) bool {
		err := failed[r.what.Key]
		return err == nil || !refusesMany(err)
	})
	for _, r := range list {
		work.Go(func() error {
			err := s3client.DeleteVersions(ctx, v.opt.Client, r.what)
			mu.Lock()
			defer mu.Unlock()
			failed[r.what.Key] = err
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
	return failed
}

// within reports whether it is less than a while since began. A clock that stands still while the machine sleeps does not count.
func (v *Volume) within(while time.Duration, began time.Time) bool {
	return max(lease.Between(began, v.opt.Now())) < while
}

// refusesMany reports whether a service does not take requests for many keys.
func refusesMany(err error) bool {
	var of *s3client.Error
	if errors.As(err, &of) && of.Key != "" {
		return false // but this key
	}
	return errors.Is(err, s3client.ErrUnsupported) || errors.Is(err, s3client.ErrInvalid) || errors.Is(err, s3client.ErrAccess)
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
