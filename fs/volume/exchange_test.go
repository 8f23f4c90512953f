package volume_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

func (m *mount) exchange(a, b string) error {
	m.t.Helper()
	dirA, nameA := m.parent(a)
	dirB, nameB := m.parent(b)
	return m.Rename(ctx, dirA, nameA, dirB, nameB, volume.RenameFlags{Exchange: true})
}

func TestExchangeIsUndoneWhenItFails(t *testing.T) {
	for failing := 1; failing <= 3; failing++ {
		t.Run(fmt.Sprint("step ", failing), func(t *testing.T) {
			m := newMount(t, memclient.Full())
			m.put("a", "1")
			m.mkdir("d")
			m.put("d/b", "2")
			before := slices.Clone(m.mem.Keys())
			step, down := 0, errors.New("no answer")
			m.faults.set(func(op, _ string) error {
				if op == s3client.OpRename {
					if step++; step == failing {
						return down
					}
				}
				return nil
			})
			m.want(m.exchange("a", "d"), down)
			m.faults.set(nil)
			if after := m.mem.Keys(); !slices.Equal(after, before) {
				t.Errorf("the bucket holds %q, held %q", after, before)
			}
			m.names("", "a", "d")
			m.ok(m.exchange("d", "a"))
			if got := m.get("d"); got != "1" {
				t.Errorf("d holds %q", got)
			}
			if got := m.get("a/b"); got != "2" {
				t.Errorf("a/b holds %q", got)
			}
			m.names("", "a", "d")
		})
	}
}

func TestExchangeOfOpenFiles(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.put("a", "1")
	m.put("b", "2")
	h := m.open("a", volume.OpenFlags{Read: true, Write: true})
	m.writeAll(h, "written", 0)
	m.ok(m.exchange("a", "b"))
	m.writeAll(h, "W", 0)
	m.close(h)
	if a, b := m.object("a"), m.object("b"); a != "2" || b != "Written" {
		t.Errorf("a holds %q and b %q", a, b)
	}
}

func TestExchangeRefuses(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("d")
	m.put("d/f", "x")
	m.want(m.exchange("d", "none"), volume.ErrNotExist)
	m.want(m.exchange("none", "d"), volume.ErrNotExist)
	m.want(m.exchange("d", "d/f"), volume.ErrInvalid)
	m.want(m.exchange("d/f", "d"), volume.ErrInvalid)
	m.ok(m.exchange("d/f", "d/f"))
	m.want(m.exchange("none", "none"), volume.ErrNotExist)
}

func TestExchangeOfHardLinks(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.put("a", "linked")
	m.ok(m.link("a", "b"))
	m.put("plain", "plain")
	m.put("c", "other")
	m.ok(m.link("c", "e"))
	m.mkdir("d")
	m.put("d/f", "below")
	h := m.open("b", readWrite)
	m.ok(m.exchange("a", "b")) // one file
	m.ok(m.exchange("a", "plain"))
	m.ok(m.exchange("b", "d"))
	m.ok(m.exchange("plain", "c")) // both have several names
	m.writeAll(h, "L", 0)
	m.close(h)
	for _, m := range []*mount{m, m.second()} {
		for path, want := range map[string]string{"a": "plain", "c": "Linked", "d": "Linked", "plain": "other", "e": "other", "b/f": "below"} {
			if got := m.get(path); got != want {
				t.Errorf("%s holds %q, want %q", path, got, want)
			}
		}
		if m.stat("c").Ino != m.stat("d").Ino || m.stat("plain").Ino != m.stat("e").Ino {
			t.Error("names of one file have different numbers")
		}
		m.nlink("c", 2)
		m.nlink("e", 2)
	}
	m.ok(m.unlink("d"))
	m.ok(m.unlink("e"))
	if c, p := m.object("c"), m.object("plain"); c != "Linked" || p != "other" {
		t.Errorf("the last names hold %q and %q", c, p)
	}
	for _, key := range m.mem.Keys() {
		if strings.HasPrefix(key, ".pail/") {
			t.Errorf("%s is left", key)
		}
	}
}

// renaming is a client that calls after when a request to rename is done.
type renaming struct {
	s3client.Client
	after func()
}

func (r *renaming) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	err := r.Client.Rename(ctx, dst, src, opt)
	r.after()
	return err
}

// Whoever looks names up while they are exchanged finds the inodes that there are.
func TestLooksDuringAnExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks sync.WaitGroup
		r := &renaming{}
		m := newMount(t, memclient.Full(), ttl(0), func(o *volume.Options, _ *upload.Options) { r.Client, o.Client = o.Client, r })
		r.after = func() {
			for _, path := range []string{"a", "b"} {
				looks.Go(func() { _, _, _ = m.walk(path) })
			}
			synctest.Wait()
		}
		m.mkdir("a")
		m.put("a/x", "in a")
		m.put("b", "file")
		dir, _, err := m.walk("a")
		m.ok(err)
		file, _, err := m.walk("b")
		m.ok(err)
		m.ok(m.exchange("a", "b"))
		looks.Wait()
		for path, want := range map[string]*volume.Inode{"a": file, "b": dir} {
			if n, _, err := m.walk(path); n != want {
				t.Errorf("%s is another inode than before: %v", path, err)
			}
		}
		if _, err := m.Getattr(ctx, dir); err != nil {
			t.Error(err)
		}
	})
}
