package meta

import (
	"context"
	"sync"
)

// Gate lets the Views and Updates of an engine in until it is closed. The zero value is open.
type Gate struct {
	running sync.RWMutex // held shared by those inside, and whole by Close
	closed  bool         // guarded by running
}

// Enter lets a View or an Update in, which calls Leave at its end; a Gate that is closed gives ErrClosed.
func (g *Gate) Enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.running.RLock()
	if g.closed {
		g.running.RUnlock()
		return ErrClosed
	}
	return nil
}

// Leave ends what Enter has let in.
func (g *Gate) Leave() { g.running.RUnlock() }

// Close waits until nobody is inside, and runs end, the first time.
func (g *Gate) Close(end func() error) error {
	g.running.Lock()
	defer g.running.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	return end()
}
