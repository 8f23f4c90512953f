package readahead

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// keeper has blocks kept that were fetched. A fetch for one that is to be kept begins only when there is room for it among
// those that are: so a Keeper that is slower than the service slows fetching ahead down, and its blocks leave memory for
// demanded ones. These do not wait for room: without it they are not kept. Nor does a block wait on that is fetched ahead and
// that a reader has waited for as long as keeperPatience, lest nothing can be read beside a Keep that does not return.
type keeper struct {
	to     Keeper // nil: nothing is kept
	room   *semaphore.Weighted
	all    int64 // chunks that room has
	one    sync.Mutex
	blocks sync.WaitGroup // that are to be kept; Add only while a fetch of their source is under way
	stuck  atomic.Bool    // a reader has lost patience, and no block has been kept since
}

// keeperPatience is how long a reader waits for room for its block among those to be kept: longer than a disk takes that keeps
// up with reads.
const keeperPatience = time.Second

// room is what a block takes among those to be kept, in chunks; 0: it is not kept.
type room int64

func newKeeper(to Keeper, limit int64) *keeper {
	all := max(limit/2, 1)
	return &keeper{to: to, room: semaphore.NewWeighted(all), all: all}
}

// needs returns the room for a block of size bytes; 0: it is not to be kept.
func (k *keeper) needs(size int64) int64 {
	if n := int64(chunksFor(size)); k.to != nil && n <= k.all {
		return n
	}
	return 0
}

// reserve makes room for a block of size bytes if there is some at once. The caller gives it back with free.
func (k *keeper) reserve(size int64) room {
	n := k.needs(size)
	if n == 0 || !k.room.TryAcquire(n) {
		return 0
	}
	k.blocks.Add(1)
	return room(n)
}

// wait is reserve that waits for room. It fails with ctx, and gives up without an error where a Keeper is stuck or when a
// reader has no patience any more: patient is called before the wait with what ends it, and what it returns after.
func (k *keeper) wait(ctx context.Context, size int64, patient func(lost context.CancelFunc) (over func())) (room, error) {
	n := k.needs(size)
	if r := k.reserve(size); r > 0 || n == 0 || k.stuck.Load() {
		return r, nil
	}
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	defer patient(func() {
		k.stuck.Store(true)
		cancel()
	})()
	if err := k.room.Acquire(work, n); err != nil {
		return 0, ctx.Err()
	}
	k.blocks.Add(1)
	return room(n), nil
}

func (k *keeper) free(n room) {
	if n > 0 {
		k.room.Release(int64(n))
		k.blocks.Done()
	}
}

// keep keeps the bytes of a block, whose chunks stay in place meanwhile.
func (k *keeper) keep(id ObjectID, b *block, chunks [][]byte) {
	data := make([][]byte, 0, len(chunks))
	for left := b.size; left > 0; left -= chunkSize {
		data = append(data, chunks[len(data)][:min(left, chunkSize)])
	}
	k.one.Lock()
	defer k.one.Unlock()
	k.to.Keep(id, b.off, data)
	k.stuck.Store(false)
}
