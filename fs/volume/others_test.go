package volume_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// heldLists is a client whose listings wait once they are answered, where there is a gate.
type heldLists struct {
	s3client.Client
	gate chan chan struct{} // a listing takes one, closes it, and waits for the next
}

func (c *heldLists) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	page, err := c.Client.List(ctx, q)
	select {
	case answered := <-c.gate:
		close(answered)
		<-c.gate
	default:
	}
	return page, err
}

// Of two removals at once, one waits for the marker before, whatever a listing in between tells.
func TestMarkerIsMadeBeforeOneOfTwoRemovals(t *testing.T) {
	refused := make(chan struct{})
	marking := make(chan struct{}, 2)
	c := &steps{wait: func(step string) <-chan struct{} {
		if step == "put d/" {
			marking <- struct{}{}
			return refused
		}
		return nil
	}}
	lists := &heldLists{gate: make(chan chan struct{}, 1)}
	m := newMount(t, memclient.Full(), stepped(c), func(o *volume.Options, _ *upload.Options) {
		lists.Client, o.Client = o.Client, lists
		o.MetaTimeout = time.Minute
	})
	m.foreign("d/a", "x")
	m.foreign("d/b", "x")
	d, _, err := m.walk("d")
	m.ok(err)
	m.listOf(d)

	answered, listed := make(chan struct{}), make(chan []string)
	lists.gate <- answered
	go func() { listed <- m.listOf(d) }()
	<-answered
	results := make(chan error, 2)
	go func() { results <- m.Unlink(ctx, d, "a") }()
	<-marking
	for slices.Contains(m.mem.Keys(), "d/a") { // it goes while the marker is on its way
		time.Sleep(time.Millisecond)
	}
	lists.gate <- nil
	<-listed // which shows both
	go func() { results <- m.Unlink(ctx, d, "b") }()
	awaitCalls(t, 2, "(*marking).wait")
	if keys := m.mem.Keys(); !slices.Equal(keys, []string{"d/b"}) {
		t.Errorf("keys are %q", keys)
	}
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	close(refused)
	first, second := <-results, <-results
	if first == nil {
		first = second
	}
	m.want(first, s3client.ErrAccess)
	m.faults.set(nil)
	m.names("d", "b")
}

// What a listing has shown counts no more when something has gone since.
func TestMarkerIsMadeBeforeTheLastRemovalAfterARename(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign("d/a", "x")
	m.foreign("d/b", "x")
	m.names("d", "a", "b")
	m.ok(m.rename("d/a", "d/b"))
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut && key == "d/" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	m.want(m.unlink("d/b"), s3client.ErrAccess)
	m.faults.set(nil)
	m.names("d", "b")
}
