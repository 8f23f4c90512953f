package retry

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Options of a Client. Zero values mean the defaults.
type Options struct {
	Attempts int           // of one call, the first included; default 5
	Deadline time.Duration // after which no attempt begins, counted from the call; default 5 minutes
	Base     time.Duration // upper limit of the first wait, four times as much each time; default 100 ms
	Max      time.Duration // upper limit of every wait; default 20 s
	Clock    Clock         // default the system's
	Log      *slog.Logger  // nil discards; one debug line for each repetition
}

// Clock is time, for tests.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends and then returns its error.
	Sleep(ctx context.Context, d time.Duration) error
}

func (o Options) withDefaults() Options {
	o.Attempts = cmp.Or(o.Attempts, 5)
	o.Deadline = cmp.Or(o.Deadline, 5*time.Minute)
	o.Base = cmp.Or(o.Base, 100*time.Millisecond)
	o.Max = cmp.Or(o.Max, 20*time.Second)
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// wait is how long to wait before attempt n+1: from half the limit up to it, so that many clients do not come back at
// once, and a service that starts again or throttles is given seconds by a handful of attempts. The first wait, which is
// mostly for a connection that was closed meanwhile, may be as short as nothing.
func (o *Options) wait(n int) time.Duration {
	limit := o.Base
	for range min(n-1, 20) {
		limit = min(limit, o.Max/4) * 4
	}
	limit = max(min(limit, o.Max), 2)
	if n == 1 {
		return rand.N(limit)
	}
	return limit/2 + rand.N(limit/2)
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
