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
	context.Context // the values; never cancelled
	interrupt       <-chan struct{}
	grace           time.Duration

	watch sync.Once
	done  chan struct{}
	ended chan struct{}
}

// interruptible returns a context for a request that changes nothing. The caller calls end when the request is over.
func interruptible(ctx context.Context) (_ context.Context, end func()) {
	p := newPatient(ctx, interruptGrace)
	return p, p.end
}

// detached returns a context for a request whose result would be unknown if it were broken off.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func newPatient(ctx context.Context, grace time.Duration) *patient {
	return &patient{
		Context:   context.WithoutCancel(ctx),
		interrupt: ctx.Done(),
		grace:     grace,
		done:      make(chan struct{}),
		ended:     make(chan struct{}),
	}
}

// Done implements context.Context.
func (p *patient) Done() <-chan struct{} {
	p.watch.Do(func() { go p.wait() })
	return p.done
}

// Err implements context.Context.
func (p *patient) Err() error {
	select {
	case <-p.done:
		return context.Canceled
	default:
		return nil
	}
}

// wait closes done a grace after the interrupt, unless the request ends before.
func (p *patient) wait() {
	select {
	case <-p.ended:
		return
	case <-p.interrupt:
	}
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		close(p.done)
	}
}

func (p *patient) end() { close(p.ended) }
