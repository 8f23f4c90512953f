package volume_test

import (
	"slices"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// Removals that are queued do not wait for the marker of their directory, which is made once, but go after it.
func TestQueuedRemovalsGoWhenTheMarkerIsThere(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		marked := make(chan struct{})
		c := &steps{wait: func(step string) <-chan struct{} {
			if step == "put d/" {
				return marked
			}
			return nil
		}}
		m := newMount(t, caps, lazyUnlink, stepped(c), func(o *volume.Options, _ *upload.Options) { o.MetaTimeout = 5 * time.Second })
		for _, name := range []string{"a", "b", "c"} {
			m.foreign("d/"+name, name)
		}
		m.names("d", "a", "b", "c")
		d, _, err := m.walk("d")
		m.ok(err)
		for _, name := range []string{"a", "b", "c"} {
			m.ok(m.Unlink(volume.OneOfMany(ctx), d, name))
		}
		if keys := m.mem.Keys(); len(keys) != 3 {
			t.Errorf("before the marker is there: %q", keys)
		}
		close(marked)
		m.ok(m.SyncDir(ctx, d))
		if got := c.took(); len(got) < 4 || got[1] != "done put d/" || slices.Contains(got[1:], "put d/") {
			t.Errorf("it took %q", got)
		}
		m.names("d")
	})
}

// Without the marker they come back, and who waits is told.
func TestQueuedRemovalsWithoutAMarkerComeBack(t *testing.T) {
	m := newMount(t, plain, lazyUnlink)
	for _, name := range []string{"d/a", "d/b", "e/a", "e/b"} {
		m.foreign(name, name)
	}
	m.names("d", "a", "b")
	m.names("e", "a", "b")
	d, _, err := m.walk("d")
	m.ok(err)
	e, _, err := m.walk("e")
	m.ok(err)
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut && key == "d/" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	many := volume.OneOfMany(ctx)
	m.ok(m.Unlink(many, e, "a"))
	m.ok(m.Unlink(many, d, "a"))
	m.want(m.SyncDir(ctx, d), s3client.ErrAccess)
	m.faults.set(nil)
	m.ok(m.SyncDir(ctx, e))
	m.names("d", "a", "b")
	m.names("e", "b")
	m.ok(m.Unlink(many, d, "a"))
	m.names("d", "b")
}
