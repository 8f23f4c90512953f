package volume

import (
	"context"
	"errors"
	"sync"
	"time"

	"pail/fs/links"
)

// maxDrops bounds the names that wait to be taken off lists. What has no room is left to fsck.
const maxDrops = 1024

// drops are names of files with several that are gone, but could not be taken off the list or counted: until then the file
// has a name too many. They are tried again as files are that could not be stored, the last time by Close.
type drops struct {
	jobs
	mu struct { // a leaf
		sync.Mutex
		waiting []drop
		running bool
	}
}

// drop is a name that is gone.
type drop struct {
	ptr links.Pointer
	key string // where it was
}

// dropName takes a name that is gone off its file's list. With the last one the file goes; when one is left, it becomes a
// plain object. Nobody waits for that to succeed: the name is gone, and what fails leaves too much.
func (v *Volume) dropName(ctx context.Context, ptr links.Pointer, key string) {
	d := drop{ptr, key}
	if !v.tryDrop(ctx, d) {
		v.dropLater(d)
	}
}

// tryDrop reports false if it is to be tried again.
func (v *Volume) tryDrop(ctx context.Context, d drop) bool {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	err := v.dropNameNow(ctx, d.ptr, d.key)
	if err == nil {
		return true
	}
	v.log.Warn("a name of a file with several is removed, but not from the list of its names", "list", d.ptr.List(), "error", err)
	stale := errors.Is(err, ErrStale) && !errors.Is(err, errAgain)
	return errors.Is(err, ErrNotExist) || errors.Is(err, ErrExist) || stale || errors.Is(err, ErrCrossDevice)
}

func (v *Volume) dropLater(d drop) {
	q := &v.drops
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.waiting) == maxDrops {
		return
	}
	q.mu.waiting = append(q.mu.waiting, d)
	if !q.mu.running {
		q.mu.running = q.start(v.retryDrops)
	}
}

// retryDrops tries until there is nothing left.
func (v *Volume) retryDrops() {
	q := &v.drops
	for wait := retryBase; ; wait = min(2*wait, retryMax) {
		select {
		case <-time.After(wait):
		case <-q.ctx.Done():
			return
		}
		if v.tryDrops(q.ctx); !q.more() {
			return
		}
	}
}

// more reports whether any are left; if not, dropLater begins anew.
func (q *drops) more() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.running = len(q.mu.waiting) > 0
	return q.mu.running
}

// tryDrops tries those once that wait.
func (v *Volume) tryDrops(ctx context.Context) {
	q := &v.drops
	q.mu.Lock()
	list := q.mu.waiting
	q.mu.waiting = nil
	q.mu.Unlock()
	for _, d := range list {
		if !v.tryDrop(ctx, d) {
			q.mu.Lock()
			q.mu.waiting = append(q.mu.waiting, d)
			q.mu.Unlock()
		}
	}
}

// endDrops tries the last time.
func (v *Volume) endDrops(ctx context.Context) {
	v.drops.end()
	v.tryDrops(ctx)
}
