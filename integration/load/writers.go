package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Writers put objects until they are halted, each with another server when the one it uses refuses or is gone.
type Writers struct {
	load    *Load
	clients []*s3.Client
	timeout time.Duration
	sizes   []int
	fresh   bool
	stop    context.CancelFunc
	group   sync.WaitGroup
	acks    []atomic.Int64 // of each client
}

// Write starts n writers of objects of the given sizes. A request that takes longer than timeout is given up. They begin with
// the first server.
func (l *Load) Write(n int, timeout time.Duration, sizes []int, clients ...*s3.Client) *Writers {
	return l.write(&Writers{clients: clients, timeout: timeout, sizes: sizes}, n)
}

// WriteFresh is Write for servers that all serve: what was sent to one and not answered may still be done when another has
// answered what came later, so no key is written to again after that.
func (l *Load) WriteFresh(n int, timeout time.Duration, sizes []int, clients ...*s3.Client) *Writers {
	return l.write(&Writers{clients: clients, timeout: timeout, sizes: sizes, fresh: true}, n)
}

func (l *Load) write(w *Writers, n int) *Writers {
	ctx, stop := context.WithCancel(context.Background())
	w.load, w.stop, w.acks = l, stop, make([]atomic.Int64, len(w.clients))
	for writer := range n {
		w.group.Go(func() { w.write(ctx, writer) })
	}
	return w
}

func (w *Writers) write(ctx context.Context, writer int) {
	at, again := 0, 0
	if w.fresh {
		at = writer % len(w.clients) // each serves
	}
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("w%d/%d", writer, i)
		if i%5 == 4 {
			key = fmt.Sprintf("w%d/again%d", writer, again)
		}
		if err := w.put(at, key, w.sizes[(i+writer)%len(w.sizes)]); err != nil {
			at = (at + 1) % len(w.clients)
			if w.fresh {
				again++
			}
			Pause(ctx, 20*time.Millisecond)
		}
	}
}

func (w *Writers) put(at int, key string, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	defer cancel()
	err := w.load.Put(ctx, w.clients[at], key, size)
	if err == nil {
		w.acks[at].Add(1)
	}
	return err
}

// Pause waits, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Acks counts the acknowledgements of a client's server.
func (w *Writers) Acks(client int) int64 { return w.acks[client].Load() }

// WaitOther waits until a server other than that of the client acknowledges, and gives which, or -1 after a time.
func (w *Writers) WaitOther(client int, within time.Duration) (other int) {
	before := make([]int64, len(w.acks))
	for i := range before {
		before[i] = w.Acks(i)
	}
	other = -1
	for deadline := time.Now().Add(within); other < 0 && w.load.WaitAcks(1, time.Until(deadline)); {
		for i := range before {
			if i != client && w.Acks(i) > before[i] {
				other = i
			}
		}
	}
	return other
}

// Halt ends the writers and waits for them.
func (w *Writers) Halt() {
	w.stop()
	w.group.Wait()
}
