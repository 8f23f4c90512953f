package volume_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// Under a lease too, what is made or removed by one call is so on the service when the call returns: another machine may be
// told of it by other means, and directories are made to keep others out.
func TestChangesUnderALeaseWait(t *testing.T) {
	m, s := newLeased(t, memclient.Full(), lazyUnlink)
	s.reads = true
	m.mkdir("d")
	m.lease("d")
	for _, name := range []string{"d/a", "d/b", "d/a/c"} {
		m.mkdir(name)
		if !slices.Contains(m.mem.Keys(), name+"/") {
			t.Errorf("%s is not on the service", name)
		}
	}
	m.ok(m.unlink("d/lease0"))
	if slices.Contains(m.mem.Keys(), "d/lease0") {
		t.Error("it is not removed")
	}
}

// heldRemoval is a client whose removal of a key closes begun, and waits for letGo to be closed.
type heldRemoval struct {
	s3client.Client
	key          string
	begun, letGo chan struct{}
}

func (h heldRemoval) Delete(ctx context.Context, keys ...string) error {
	if slices.Contains(keys, h.key) {
		close(h.begun)
		<-h.letGo
	}
	return h.Client.Delete(ctx, keys...)
}

// A lease is given back when the removals under it that are queued are over; meanwhile the names that are promised there are
// claimed.
func TestLeaseIsGivenBackAfterQueuedRemovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := heldRemoval{key: "d/lease0", begun: make(chan struct{}), letGo: make(chan struct{})}
		m, s := newLeased(t, memclient.Full(), lazyUnlink, func(o *volume.Options, _ *upload.Options) {
			h.Client = o.Client
			o.Client = h
		})
		s.reads = true
		m.mkdir("d")
		m.lease("d")
		for _, name := range []string{"d/a", "d/b"} { // two in a row
			m.put(name, "data")
			m.ok(m.unlink(name))
		}
		m.ok(m.unlink("d/lease0"))
		open := m.exclusive("d/open")
		<-h.begun
		over := make(chan struct{})
		go func() {
			defer close(over)
			s.recall(t, "d/", "d/x")
		}()
		synctest.Wait()
		select {
		case <-over:
			t.Error("the lease was given back before")
		default:
		}
		if !slices.Contains(m.mem.Keys(), "d/open") {
			t.Error("the name is not claimed while removals are waited for")
		}
		close(h.letGo)
		<-over
		if slices.Contains(m.mem.Keys(), "d/lease0") {
			t.Error("it is not removed")
		}
		m.ok(open.Flush(ctx))
		open.Release()
		time.Sleep(time.Second) // the queue ends
	})
}
