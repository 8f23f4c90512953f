package fs

import (
	"context"
	"sync"
	"time"
)

// interruptGrace is how long an interrupted request may still go on, see the package comment.
const interruptGrace = time.Second

// patient is the context of an interruptible request: cancelled a grace after the kernel's INTERRUPT. It starts to
// watch only when somebody asks for Done, as most requests are answered from memory.
type patient struct {
	context.Context // the request's, for its values and the interrupt
	grace           time.Duration

	mu    sync.Mutex
	over  bool          // end was called
	done  chan struct{} // nil: nobody has asked
	ended chan struct{} // nil: nobody watches
}

var _ context.Context = (*patient)(nil)

// interruptible returns a context for a request that changes nothing. The caller calls end when the request is over.
func interruptible(ctx context.Context) (_ context.Context, end func()) {
	p := newPatient(ctx, interruptGrace)
	return p, p.end
}

// detached returns a context for a request whose result would be unknown if it were broken off.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func newPatient(ctx context.Context, grace time.Duration) *patient {
	return &patient{Context: ctx, grace: grace}
}

// Deadline implements context.Context: there is none.
func (p *patient) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (p *patient) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if !p.over {
			p.ended = make(chan struct{})
			go p.wait(p.done, p.ended)
		}
	}
	return p.done
}

// Err implements context.Context.
func (p *patient) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return context.Canceled
	default: // also if nobody has asked for it
		return nil
	}
}

// wait closes done a grace after the interrupt, unless the request ends before.
func (p *patient) wait(done chan<- struct{}, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-p.Context.Done():
	}
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		close(done)
	}
}

func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.ended != nil {
		close(p.ended)
	}
}
