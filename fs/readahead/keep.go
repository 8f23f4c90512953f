package readahead

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// keeper has blocks kept that were fetched. A fetch for one that is to be kept begins only when there is room for it among
// those that are: so a Keeper that is slower than the service slows fetching ahead down, and its blocks leave memory for
// demanded ones. These do not wait for room: without it they are not kept.
type keeper struct {
	to     Keeper // nil: nothing is kept
	room   *semaphore.Weighted
	all    int64 // chunks that room has
	one    sync.Mutex
	blocks sync.WaitGroup // that are to be kept; Add only while a fetch of their source is under way
}

// room is what a block takes among those to be kept, in chunks; 0: it is not kept.
type room int64

func newKeeper(to Keeper, limit int64) *keeper {
	all := max(limit/2, 1)
	return &keeper{to: to, room: semaphore.NewWeighted(all), all: all}
}

// reserve makes room for a block of size bytes. The caller gives it back with free.
func (k *keeper) reserve(ctx context.Context, size int64, demanded bool) (room, error) {
	n := int64(chunksFor(size))
	if k.to == nil || n > k.all {
		return 0, nil
	}
	if !demanded {
		if err := k.room.Acquire(ctx, n); err != nil {
			return 0, err
		}
	} else if !k.room.TryAcquire(n) {
		return 0, nil
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
}
