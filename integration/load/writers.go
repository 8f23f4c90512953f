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
	stop    context.CancelFunc
	group   sync.WaitGroup
	acks    []atomic.Int64 // of each client
}

// Write starts n writers of objects of the given sizes. A request that takes longer than timeout is given up.
func (l *Load) Write(n int, timeout time.Duration, sizes []int, clients ...*s3.Client) *Writers {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writers{load: l, clients: clients, timeout: timeout, sizes: sizes, stop: stop, acks: make([]atomic.Int64, len(clients))}
	for writer := range n {
		w.group.Go(func() { w.write(ctx, writer) })
	}
	return w
}

func (w *Writers) write(ctx context.Context, writer int) {
	for i, at := 0, 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("w%d/%d", writer, i)
		if i%5 == 4 {
			key = fmt.Sprintf("w%d/again", writer)
		}
		if err := w.put(at, key, w.sizes[(i+writer)%len(w.sizes)]); err != nil {
			at = (at + 1) % len(w.clients)
			pause(ctx, 20*time.Millisecond)
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

func pause(ctx context.Context, d time.Duration) {
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
