package limit

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pail/s3client"
	"pail/s3client/clienttest"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
	"pail/s3client/retry"
)

func TestContract(t *testing.T) {
	clienttest.Run(t, func(*testing.T) s3client.Client {
		return New(memclient.New(memclient.Options{Capabilities: memclient.Full()}), 1, 1)
	})
}

// gauge counts the Heads in progress.
type gauge struct {
	s3client.Client
	now, max atomic.Int64
	enough   chan struct{} // closed once n are in progress
	once     sync.Once
	n        int64
}

func (g *gauge) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	now := g.now.Add(1)
	defer g.now.Add(-1)
	for {
		max := g.max.Load()
		if now <= max || g.max.CompareAndSwap(max, now) {
			break
		}
	}
	if now == g.n {
		g.once.Do(func() { close(g.enough) })
	}
	<-g.enough
	return g.Client.Head(ctx, key)
}

func TestNoMoreThanNAtATime(t *testing.T) {
	const n = 3
	g := &gauge{Client: memclient.New(memclient.Options{}), enough: make(chan struct{}), n: n}
	c := New(g, 1, n)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Head(t.Context(), "k"); !errors.Is(err, s3client.ErrNotFound) {
				t.Errorf("error is %v", err)
			}
		})
	}
	wg.Wait()
	if max := g.max.Load(); max != n {
		t.Errorf("%d requests were in progress at a time, want %d", max, n)
	}
}

func TestGetCountsUntilItsBodyIsClosed(t *testing.T) {
	c := New(memclient.New(memclient.Options{}), 1, 1)
	if _, err := c.Put(t.Context(), "k", strings.NewReader("content"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	first, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(first.Body); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
		if err == nil {
			err = o.Body.Close()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("a second Get went through: %v", err)
	default:
	}
	// Other requests have their own slots.
	if _, err := c.Head(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // closing twice frees one slot
		if err := first.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if len(c.reads) != 0 || len(c.others) != 0 {
		t.Errorf("%d and %d slots are taken", len(c.reads), len(c.others))
	}
}

func TestContextEndsTheWaitForASlot(t *testing.T) {
	faults := faultclient.New(memclient.New(memclient.Options{}))
	faults.Add(faultclient.Fault{Do: faultclient.Hang()})
	c := New(faults, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.Head(ctx, "k"); done <- err }()
	}
	cancel()
	for range 2 {
		var e *s3client.Error
		if err := <-done; !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestFailedGetFreesItsSlot(t *testing.T) {
	c := New(memclient.New(memclient.Options{}), 1, 1)
	for range 3 {
		if _, err := c.Get(t.Context(), "missing", s3client.GetOptions{}); !errors.Is(err, s3client.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

// Whether a removal takes whatever a key has is asked when the request goes, not before it waits.
func TestRemovalAsksWhenItIsSent(t *testing.T) {
	mem := memclient.New(memclient.Options{Capabilities: memclient.Full()})
	c := New(mem, 1, 1)
	if _, err := mem.Put(t.Context(), "k", strings.NewReader("theirs"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	c.others <- struct{}{}
	var free atomic.Bool
	removed := make(chan error)
	go func() {
		removed <- retry.New(c, retry.Options{}).DeleteVersions(t.Context(), s3client.Version{Key: "k", ETag: "ours", Any: func() bool {
			return !free.Load() // as it is late then
		}})
	}()
	runtime.Gosched()
	free.Store(true)
	<-c.others
	if err := <-removed; !errors.Is(err, s3client.ErrPrecondition) || len(mem.Keys()) != 1 {
		t.Errorf("error is %v, left is %q", err, mem.Keys())
	}
}
