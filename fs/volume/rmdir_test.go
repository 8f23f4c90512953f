package volume_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// What another client puts into a directory before it goes keeps it, however late that is.
func TestRmdirSeesWhatIsJustMade(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("d")
	m.names("d")
	m.faults.set(func(op, key string) error {
		if op == s3client.OpDeleteDir {
			m.foreign("d/x", "theirs")
		}
		return nil
	})
	m.want(m.rmdir("d"), volume.ErrNotEmpty)
	m.faults.set(nil)
	m.names("d", "x")
	if got := m.mem.Keys(); !slices.Equal(got, []string{"d/", "d/x"}) {
		t.Errorf("keys are %q", got)
	}
}

// Of two mounts that remove a directory, one does.
func TestRmdirOfWhatAnotherMountHasRemoved(t *testing.T) {
	a := newMount(t, memclient.Full())
	a.mkdir("d")
	b := mountOn(t, a.mem.Another(), a.clock)
	b.stat("d")
	a.ok(a.rmdir("d"))
	b.want(b.rmdir("d"), volume.ErrNotExist)
	b.missing("d")
	b.mkdir("d")
	b.ok(b.rmdir("d"))
}

// The answer to the removal of a directory gets lost: what is there is asked for.
func TestRmdirWhoseAnswerGotLost(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("d")
	m.mkdir("e")
	m.faults.set(func(op, _ string) error {
		if op == "after "+s3client.OpDeleteDir {
			return &s3client.Error{Op: s3client.OpDeleteDir, Err: s3client.ErrUnavailable}
		}
		return nil
	})
	m.want(m.rmdir("d"), s3client.ErrUnavailable)
	m.faults.set(nil)
	m.missing("d")
	m.names("", "e")
	m.mkdir("d")
	m.put("d/x", "x")
	m.want(m.rmdir("d"), volume.ErrNotEmpty)
}

// A server of an older version that takes over meanwhile is asked for a listing.
func TestRmdirOnAnOlderServer(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("d")
	older := memclient.Full()
	older.DeleteDirectory = false
	m.mem.SetCapabilities(older)
	m.foreign("d/x", "theirs")
	m.want(m.rmdir("d"), volume.ErrNotEmpty)
	m.names("d", "x")
	m.ok(m.unlink("d/x"))
	m.ok(m.rmdir("d"))
	m.missing("d")
	if keys := m.mem.Keys(); len(keys) > 0 {
		t.Errorf("keys are %q", keys)
	}
}

// steps is a client that notes when requests that change something begin and end; those that match wait for go.
type steps struct {
	s3client.Client
	wait func(step string) <-chan struct{} // nil: it does not
	mu   sync.Mutex
	list []string
}

func (c *steps) step(ctx context.Context, name string, do func() error) error {
	c.mu.Lock()
	c.list = append(c.list, name)
	c.mu.Unlock()
	if c.wait != nil {
		if until := c.wait(name); until != nil {
			select {
			case <-until:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	err := do()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, "done "+name)
	return err
}

func (c *steps) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (info s3client.ObjectInfo, err error) {
	err = c.step(ctx, "put "+key, func() (err error) { info, err = c.Client.Put(ctx, key, r, opt); return err })
	return info, err
}

func (c *steps) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

func (c *steps) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	return c.step(ctx, "delete "+strings.Join(s3client.KeysOf(list), " "), func() error { return s3client.DeleteVersions(ctx, c.Client, list...) })
}

// await waits until a step has begun.
func (c *steps) await(t *testing.T, step string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		begun := slices.Contains(c.list, step)
		c.mu.Unlock()
		if begun {
			return
		}
	}
	t.Fatalf("no %q", step)
}

func (c *steps) took() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, c.list = c.list, nil
	return list
}

// stepped makes a mount's client a steps.
func stepped(c *steps) setup {
	return func(o *volume.Options, _ *upload.Options) { c.Client, o.Client = o.Client, c }
}

// Where others stay, the marker of a directory and the removal of the first file are on their way at once.
func TestMarkerIsMadeBesideTheFirstRemoval(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		removing := make(chan struct{})
		c := &steps{wait: func(step string) <-chan struct{} {
			switch step {
			case "delete d/a":
				close(removing)
			case "put d/":
				return removing
			}
			return nil
		}}
		m := newMount(t, caps, stepped(c), func(o *volume.Options, _ *upload.Options) { o.MetaTimeout = 5 * time.Second })
		for _, name := range []string{"a", "b", "c"} {
			m.foreign("d/"+name, name)
		}
		m.names("d", "a", "b", "c")
		m.ok(m.unlink("d/a"))
		if got := c.took(); !slices.Contains(got, "done put d/") || !slices.Contains(got, "done delete d/a") {
			t.Errorf("%q", got)
		}
		m.ok(m.unlink("d/b"))
		m.ok(m.unlink("d/c"))
		m.names("d")
		if got := c.took(); len(got) != 4 {
			t.Errorf("the marker is made again: %q", got)
		}
	})
}

// A file that may be the last one goes when the marker is there.
func TestMarkerIsMadeBeforeTheLastRemoval(t *testing.T) {
	refuse := func(op, key string) error {
		if op == s3client.OpPut && key == "d/" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
		}
		return nil
	}
	m := newMount(t, plain)
	for _, name := range []string{"a", "b"} {
		m.foreign("d/"+name, name)
	}
	m.names("d", "a", "b")
	m.faults.set(refuse)
	m.ok(m.unlink("d/a")) // which does not need it
	m.want(m.unlink("d/b"), s3client.ErrUnavailable)
	m.faults.set(nil)
	m.names("d", "b")
	m.faults.set(refuse)
	m.want(m.unlink("d/b"), s3client.ErrUnavailable)
	m.faults.set(nil)
	m.clock.advance(time.Minute)
	m.foreign("e/a", "")
	m.foreign("e/b", "")
	m.names("e", "a", "b")
	m.clock.advance(2 * time.Second) // another client may have removed the others
	m.faults.set(func(op, key string) error {
		if op == s3client.OpDelete && key == "e/a" && !slices.Contains(m.mem.Keys(), "e/") {
			return errors.New("no marker")
		}
		return nil
	})
	m.ok(m.unlink("e/a"))
	m.faults.set(nil)
	m.ok(m.unlink("d/b"))
	m.names("d")
}

// Who waits for what is queued has it sent at once, beside what is being sent.
func TestQueuedRemovalsAreSentForWhoWaits(t *testing.T) {
	first, last := make(chan struct{}), make(chan struct{})
	var removals atomic.Int32
	c := &steps{wait: func(step string) <-chan struct{} {
		n := removals.Add(1)
		if n == 3 { // after the two that wait
			close(first)
		}
		if strings.HasSuffix(step, "d/f00011") {
			close(last)
		}
		if n > 2 {
			return last
		}
		return nil
	}}
	m := newMount(t, memclient.Full(), lazyUnlink, stepped(c), func(o *volume.Options, _ *upload.Options) { o.MetaTimeout = 5 * time.Second })
	dir, names := m.dirOf(12)
	m.rm(dir, names[:6])
	<-first
	m.rm(dir, names[6:])
	m.ok(m.rmdir("d"))
	if keys := m.mem.Keys(); len(keys) > 0 {
		t.Errorf("keys are %q", keys)
	}
}
