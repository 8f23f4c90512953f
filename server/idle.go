package server

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// idleAfter is how long there must be no request before memory is given back.
const idleAfter = 10 * time.Second

// idle gives memory back to the system when no request has ended for a while. Under load that would cost more than it
// gains: memory given back is slow to get again.
type idle struct {
	requests atomic.Uint64 // that have ended

	// Of the goroutine that runs.
	seen  uint64 // requests at the last look
	given bool   // memory back, since the last request
}

// run looks until ctx ends.
func (i *idle) run(ctx context.Context) {
	t := time.NewTicker(idleAfter)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if i.pauses() {
				debug.FreeOSMemory()
			}
		}
	}
}

// pauses reports, once in each pause, that nothing was done since the last call.
func (i *idle) pauses() bool {
	if now := i.requests.Load(); now != i.seen {
		i.seen, i.given = now, false
		return false
	}
	first := !i.given
	i.given = true
	return first
}
