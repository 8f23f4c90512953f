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

// unanswered is a client whose renames are done, but some get no answer: those numbers, the first being 1, that are in it.
type unanswered struct {
	s3client.Client
	numbers []int
	done    int
	away    bool // after these, the service does not answer anything
}

func (c *unanswered) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	if err := c.gone(s3client.OpRename, src); err != nil {
		return err
	}
	err := c.Client.Rename(ctx, dst, src, opt)
	if c.done++; slices.Contains(c.numbers, c.done) {
		return &s3client.Error{Op: s3client.OpRename, Key: src, Err: s3client.ErrUnavailable}
	}
	return err
}

func (c *unanswered) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	if err := c.gone(s3client.OpHead, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return c.Client.Head(ctx, key)
}

func (c *unanswered) gone(op, key string) error {
	if !c.away || len(c.numbers) == 0 || c.done < slices.Max(c.numbers) {
		return nil
	}
	return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
}

func TestExchangeWithoutAnAnswerIsUndone(t *testing.T) {
	for step := 1; step <= 3; step++ {
		for _, names := range [][2]string{{"a", "b"}, {"a", "d"}, {"d", "a"}} {
			t.Run(fmt.Sprintf("step %d of %q", step, names), func(t *testing.T) {
				c := &unanswered{}
				m := newMount(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { c.Client, o.Client = o.Client, c })
				m.put("a", "1")
				m.put("b", "2")
				m.mkdir("d")
				m.put("d/f", "3")
				before := slices.Clone(m.mem.Keys())
				c.numbers = []int{step}
				m.want(m.exchange(names[0], names[1]), s3client.ErrUnavailable)
				if after := m.mem.Keys(); !slices.Equal(after, before) {
					t.Errorf("the bucket holds %q, held %q", after, before)
				}
				m.names("", "a", "b", "d")
				if m.get("a") != "1" || m.get("b") != "2" || m.get("d/f") != "3" {
					t.Errorf("a has %q, b %q, d/f %q", m.get("a"), m.get("b"), m.get("d/f"))
				}
			})
		}
	}
}

// Where nothing can be undone, the error says where things may be.
func TestExchangeWithoutAnyAnswerSaysWhereThingsAre(t *testing.T) {
	for step := 1; step <= 3; step++ {
		c := &unanswered{}
		m := newMount(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { c.Client, o.Client = o.Client, c })
		m.put("a", "1")
		m.put("b", "2")
		c.numbers, c.away = []int{step}, true
		err := m.exchange("a", "b")
		m.want(err, s3client.ErrUnavailable)
		for i, said := range []string{`"a" to ".pail-exchange-`, `"b" to "a"`, `" to "b"`} {
			if strings.Contains(err.Error(), said) != (i < step) {
				t.Errorf("step %d: %v", step, err)
			}
		}
		c.away = false
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
