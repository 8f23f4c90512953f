package volume_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"pail/fs/keymap"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// once runs fn before the first request that is one of those.
func (m *mount) once(is func(op, key string) bool, fn func()) {
	var done atomic.Bool
	m.faults.set(func(op, key string) error {
		if is(op, key) && done.CompareAndSwap(false, true) {
			fn()
		}
		return nil
	})
}

func movingBack(key string) func(op, of string) bool {
	return func(op, of string) bool { return op == s3client.OpPut && of == key }
}

func burying(op, key string) bool {
	return (op == s3client.OpPut || op == s3client.OpDelete) && strings.HasPrefix(key, ".pail/inodes/")
}

// What another client does while the last name becomes a plain object is neither undone nor lost.
func TestLastNameMeetsAnotherClient(t *testing.T) {
	for name, c := range map[string]struct {
		at   func(op, key string) bool
		do   func(m, other *mount, h *volume.Handle)
		want map[string]string // of all names
	}{
		"rename": {movingBack("b"), func(_, other *mount, _ *volume.Handle) { other.ok(other.rename("b", "c")) },
			map[string]string{"c": "old"}},
		"replace": {movingBack("b"), func(_, other *mount, _ *volume.Handle) {
			other.put("tmp", "new content")
			other.ok(other.rename("tmp", "b"))
		}, map[string]string{"b": "new content"}},
		"tool": {movingBack("b"), func(m, _ *mount, _ *volume.Handle) { m.foreign("b", "stored by a tool") },
			map[string]string{"b": "stored by a tool"}},
		"unlink": {movingBack("b"), func(_, other *mount, _ *volume.Handle) { other.ok(other.unlink("b")) },
			map[string]string{}},
		"write before": {movingBack("b"), func(_, other *mount, h *volume.Handle) {
			other.writeAll(h, "NEW", 0)
			other.ok(h.Flush(ctx))
		}, map[string]string{"b": "NEW"}},
		"write after": {burying, func(_, other *mount, h *volume.Handle) {
			other.writeAll(h, "NEW", 0)
			other.ok(h.Flush(ctx))
		}, map[string]string{"b": "NEW"}},
	} {
		t.Run(name, func(t *testing.T) {
			linking(t, func(t *testing.T, caps s3client.Capabilities) {
				m := newMount(t, caps)
				m.put("a", "old")
				m.ok(m.link("a", "b"))
				other := m.second()
				h := other.open("b", readWrite)
				m.once(c.at, func() { c.do(m, other, h) })
				m.ok(m.unlink("a"))
				m.faults.set(nil)
				h.Release()
				after := m.second()
				if got := after.list(""); len(got) != len(c.want) {
					t.Errorf("names are %q, want %q", got, c.want)
				}
				for name, want := range c.want {
					if got := after.get(name); got != want {
						t.Errorf("%s holds %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

// In the moment between the end of a file with several names and the removal of what says so, nobody takes that for the file.
func TestOpenAtTheEndOfAFile(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("a", "old")
		m.ok(m.link("a", "b"))
		other := mountOn(t, m.mem.Another(), m.clock)
		n, _, err := other.walk("b")
		m.ok(err)
		opened := false
		m.once(func(op, _ string) bool { return op == s3client.OpDeleteMany }, func() {
			opened = true
			_, err := other.Open(ctx, n, readOnly)
			other.want(err, volume.ErrStale) // the kernel looks it up again
			if got := other.get("b"); got != "old" {
				t.Errorf("b holds %q", got)
			}
		})
		m.ok(m.unlink("a"))
		if !opened {
			t.Error("there was no such moment")
		}
	})
}

// Bytes that are too many to pass through this machine move in parts, and only over the name that was there.
func TestLastNameOfALargeFile(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 6<<16)
	for want, do := range map[string]func(*mount){big: func(*mount) {}, "stored by a tool": func(m *mount) { m.foreign("b", "stored by a tool") }} {
		m := newMount(t, memclient.Full())
		m.foreign("a", big)
		m.ok(m.link("a", "b"))
		named := false
		m.once(func(op, key string) bool {
			read := op == s3client.OpHead && named
			named = op == s3client.OpHead && key == "b"
			return read
		}, func() { do(m) })
		m.ok(m.unlink("a"))
		if got := m.object("b"); got != want {
			t.Errorf("b holds %d bytes, want %d", len(got), len(want))
		}
	}
}

// The keys that names say have the old prefix then.
func TestHardLinksBelowARenamedPrefix(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("team")
	below := func(prefix string) *mount {
		return mountOn(t, m.mem.Another(), m.clock, ttl(0), func(o *volume.Options, _ *upload.Options) { o.Keys = keymap.New(prefix) })
	}
	sub := below("team")
	sub.put("a", "content")
	sub.ok(sub.link("a", "b"))
	m.ok(m.rename("team", "crew"))
	crew := below("crew")
	crew.whole("afterwards", []string{"a", "b"}, nil)
	h := crew.open("a", readWrite)
	crew.writeAll(h, "C", 0)
	crew.close(h)
	if got := crew.get("b"); got != "Content" {
		t.Errorf("b holds %q", got)
	}
	crew.ok(crew.unlink("a"))
	crew.ok(crew.rename("b", "c"))
	crew.names("", "c")
	for _, m := range []*mount{crew, below("crew")} {
		if got := m.get("c"); got != "Content" {
			t.Errorf("c holds %q", got)
		}
	}
}
