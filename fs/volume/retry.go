package volume

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// How long a file that could not be stored waits for the next attempt: at first, and at most.
const (
	retryBase = time.Second
	retryMax  = time.Minute
)

// retries is what the volume knows of files that could not be stored before their last writer closed them. One goroutine
// stores them; it runs only while there are any, and Close ends it.
type retries struct {
	ctx  context.Context // ends with stop
	stop context.CancelFunc

	mu struct {
		sync.Mutex
		stopped bool
		more    bool          // another one has come since the round began
		done    chan struct{} // closed at the end of the goroutine; nil while there is none
	}
}

func newRetries() *retries {
	r := &retries{}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// retryLater says that there is a file without writers that is not stored.
func (v *Volume) retryLater() {
	r := v.retries
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.more = true
	if r.mu.stopped || r.mu.done != nil {
		return
	}
	r.mu.done = make(chan struct{})
	go v.retry(r.mu.done)
}

// end stops the goroutine, in the middle of a request if need be, and waits for that until ctx ends.
func (r *retries) end(ctx context.Context) error {
	r.mu.Lock()
	r.mu.stopped = true
	done := r.mu.done
	r.mu.Unlock()
	r.stop()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retry stores files until there are none left. It waits longer after every round in which nothing succeeded.
func (v *Volume) retry(done chan struct{}) {
	defer close(done)
	for wait := retryBase; v.retries.wait(wait); wait = min(2*wait, retryMax) {
		v.retries.begin()
		stored, failed := v.storeOrphans(v.retries.ctx)
		if failed == 0 && v.retries.over() {
			return
		}
		if stored > 0 {
			wait = retryBase / 2
		}
	}
}

// wait reports false if the goroutine has to end.
func (r *retries) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

func (r *retries) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.more = false
}

// over reports whether the goroutine may end, as no other file has come; retryLater starts the next.
func (r *retries) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.more {
		r.mu.done = nil
	}
	return !r.mu.more
}

// storeOrphans stores what no handle is going to store, and returns how many files it has and has not stored.
func (v *Volume) storeOrphans(ctx context.Context) (stored, failed int) {
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	for _, n := range v.openInodes() {
		if !n.orphaned() || v.published.waits(n) || v.sender.has(n) {
			continue
		}
		work.Go(func() error {
			ok := v.storeOrphan(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				stored++
			} else {
				failed++
			}
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
	return stored, failed
}

func (v *Volume) storeOrphan(ctx context.Context, n *Inode) bool {
	err := v.sendOne(ctx, n)
	path, _ := v.table.Path(n.node)
	switch {
	case err == nil:
		v.log.Info("a file that could not be stored when it was closed is stored now", "path", path)
	case n.orphaned():
		v.log.Warn("a closed file is still not stored; it will be tried again", "path", path, "error", err)
		return false
	} // else it was a conflict, which has been settled and logged
	return true
}

// orphaned reports whether n has something that is not stored, and no handle that will do it.
func (n *Inode) orphaned() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.orphanedLocked()
}

func (n *Inode) orphanedLocked() bool { return n.mu.writers == 0 && n.unsavedLocked() }

// unsavedSize returns how large the content is.
func (n *Inode) unsavedSize() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.content == nil {
		return 0
	}
	return n.mu.content.size()
}
