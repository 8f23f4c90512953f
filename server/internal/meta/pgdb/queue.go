package pgdb

import (
	"context"
	"errors"
	"sync"

	"pail/server/internal/meta"
)

// maxBatch bounds the Updates that share a transaction.
const maxBatch = 128

// update is an Update that waits for its place in a transaction. Its function runs on the goroutine of the caller, so that
// a panic is the caller's.
type update struct {
	ctx  context.Context
	turn chan *txn  // hands the transaction over; closed when the outcome is known
	ran  chan error // answers with what the function gave
	err  error      // the outcome, valid after turn is closed
	took sync.Once  // by the one who drives, or by the caller that leaves
}

var errPanicked = errors.New("pgdb: the function of an Update did not return")

func newUpdate(ctx context.Context) *update {
	return &update{ctx: ctx, turn: make(chan *txn), ran: make(chan error)}
}

// wait runs fn whenever it is its turn, and gives the outcome. The context ends the wait until the first turn.
func (u *update) wait(fn func(meta.Txn) error) error {
	cancelled := u.ctx.Done()
	for {
		select {
		case t, ok := <-u.turn:
			if !ok {
				return u.err
			}
			u.run(t, fn)
		case <-cancelled:
			left := false
			u.took.Do(func() { left = true })
			if left {
				return u.ctx.Err()
			}
			cancelled = nil
		}
	}
}

func (u *update) run(t *txn, fn func(meta.Txn) error) {
	err := errPanicked
	defer func() { u.ran <- err }()
	err = fn(t)
}

// queue is the Updates that wait. One goroutine drives while there are any.
type queue struct {
	mu struct {
		sync.Mutex
		waiting []*update
		driving chan struct{} // closed when the goroutine that drives ends; nil when there is none
	}
}

// add reports whether the caller has to begin to drive.
func (q *queue) add(u *update) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.waiting = append(q.mu.waiting, u)
	if q.mu.driving != nil {
		return false
	}
	q.mu.driving = make(chan struct{})
	return true
}

// next takes the Updates of the next transaction, of which the callers of none have left. There being none ends the drive.
func (q *queue) next() []*update {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		n := min(len(q.mu.waiting), maxBatch)
		if n == 0 {
			close(q.mu.driving)
			q.mu.driving, q.mu.waiting = nil, nil
			return nil
		}
		var batch []*update
		for _, u := range q.mu.waiting[:n] {
			u.took.Do(func() { batch = append(batch, u) })
		}
		q.mu.waiting = q.mu.waiting[n:]
		if len(batch) > 0 {
			return batch
		}
	}
}

// wait returns when nobody drives.
func (q *queue) wait() {
	q.mu.Lock()
	driving := q.mu.driving
	q.mu.Unlock()
	if driving != nil {
		<-driving
	}
}
