package volume

import (
	"context"
	"sync"
)

// jobs are goroutines that a part of the volume has at work for nobody who waits. Methods are safe for concurrent use; the
// lock is a leaf.
type jobs struct {
	ctx  context.Context // of their requests; ends with end
	stop context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	ended bool
}

func (j *jobs) init() { j.ctx, j.stop = context.WithCancel(context.Background()) }

// start begins a job, unless they have ended.
func (j *jobs) start(job func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.work.Go(job)
	}
	return !j.ended
}

// end breaks off the requests that are on their way, and waits for the jobs. There will be no others.
func (j *jobs) end() {
	j.mu.Lock()
	j.ended = true
	j.mu.Unlock()
	j.stop()
	j.work.Wait()
}
