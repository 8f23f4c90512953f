package volume_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"pail/fs/attr"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// heard is a client that calls a function when the answer to a HEAD or PUT has come, before anybody else hears of it.
type heard struct {
	s3client.Client
	answered *func(op, key string)
}

func (c heard) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	info, err := c.Client.Head(ctx, key)
	(*c.answered)(s3client.OpHead, key)
	return info, err
}

func (c heard) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := c.Client.Put(ctx, key, body, opt)
	(*c.answered)(s3client.OpPut, key)
	return info, err
}

// hear returns a set-up with a heard client; once has a function called with the first answer about a key from then on.
func hear() (change setup, once func(op, key string, do func())) {
	answered := func(string, string) {}
	change = func(o *volume.Options, _ *upload.Options) { o.Client = heard{o.Client, &answered} }
	return change, func(op, key string, do func()) {
		answered = func(gotOp, gotKey string) {
			if gotOp == op && strings.HasPrefix(gotKey, key) {
				answered = func(string, string) {}
				do()
			}
		}
	}
}

// noConflict checks that the bucket has no version that lost.
func (m *mount) noConflict() {
	m.t.Helper()
	for _, key := range m.mem.Keys() {
		if strings.Contains(key, ".conflict-") {
			m.t.Errorf("a conflict without another client: %q", key)
		}
	}
}

// What is done to a file that is made exclusively, between the answer of the service and the end of the call that makes it,
// is done to that file.
func TestFileIsUsedBeforeItsExclusiveCreateEnds(t *testing.T) {
	change, once := hear()
	m := newMount(t, conditional, ttl(0), change)
	mode := uint32(0o600)
	var early *volume.Handle
	once(s3client.OpPut, "a", func() {
		early = m.open("a", readWrite)
		m.writeAll(early, "early", 0)
		_, err := m.Setattr(ctx, early.Inode(), volume.SetAttr{Mode: &mode}, nil)
		m.ok(err)
	})
	h := m.exclusive("a")
	if got := m.stat("a").Mode; got != attr.Regular|mode {
		t.Errorf("the mode is %o", got)
	}
	m.close(early)
	m.writeAll(h, "L", 3)
	m.close(h)
	if got := m.object("a"); got != "earLy" {
		t.Errorf("a holds %q", got)
	}
	m.noConflict()
}

// A file that is removed and made again by another client while it is being opened is opened as the one that has the name, or
// not at all: two inodes under one name would be in conflict with each other.
func TestNameIsLostWhileItsFileIsOpened(t *testing.T) {
	change, once := hear()
	m := newMount(t, conditional, ttl(0), change)
	m.foreign("a", "old")
	n, _, err := m.walk("a")
	m.ok(err)
	once(s3client.OpHead, "a", func() {
		m.foreignDelete("a")
		m.missing("a")
		m.foreign("a", "new")
		m.stat("a")
	})
	_, err = m.Open(ctx, n, readWrite)
	m.want(err, volume.ErrStale)
	h := m.open("a", readWrite)
	m.writeAll(h, "newer", 0)
	m.close(h)
	m.noConflict()
}

// A name of a file with several is removed, and a file is made under it, while a lookup of the name is on its way.
func TestFileIsMadeWhileAHardLinkIsLookedUp(t *testing.T) {
	change, once := hear()
	m := newMount(t, conditional, ttl(0), change)
	m.put("a", "linked")
	m.ok(m.link("a", "b"))
	m.ok(m.link("a", "c"))
	var h *volume.Handle
	once(s3client.OpHead, ".pail/inodes/", func() {
		m.ok(m.unlink("a"))
		h = m.create("a")
	})
	n, _, err := m.walk("a")
	m.ok(err)
	if n != h.Inode() {
		t.Error("the lookup has found another file")
	}
	m.writeAll(h, "made", 0)
	if again, _, err := m.walk("a"); err != nil || again != h.Inode() {
		t.Errorf("the file has lost its name: %v", err)
	}
	m.close(h)
	if got := m.get("b"); got != "linked" {
		t.Errorf("b holds %q", got)
	}
	m.noConflict()
}
