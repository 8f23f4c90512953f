package volume_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// noAnswer is a client one of whose renames is not answered: done, or kept on its way.
type noAnswer struct {
	s3client.Client
	next *func(rename func() error)
}

func (c noAnswer) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	rename := func() error { return c.Client.Rename(context.WithoutCancel(ctx), dst, src, opt) }
	next := *c.next
	if *c.next = nil; next == nil {
		return rename()
	}
	next(rename)
	return &s3client.Error{Err: s3client.ErrUnavailable}
}

// newNoAnswer is a mount on a service with leases for reads. It believes nothing for longer than a second but what a lease
// assures. next is what becomes of the next rename in place of an answer.
func newNoAnswer(t *testing.T) (m *mount, next *func(rename func() error)) {
	next = new(func(func() error))
	m, s := newLeased(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) {
		o.TTL, o.NegativeTTL = time.Second, time.Second
		o.Client = noAnswer{o.Client, next}
	})
	s.reads = true
	return m, next
}

// A change whose answer got lost before there was a lease may be made under one: what was learned then is not what there is.
func TestDoubtBeforeALease(t *testing.T) {
	m, next := newNoAnswer(t)
	m.mkdir("d")
	m.put("d/f", "data")
	var late func() error
	*next = func(rename func() error) { late = rename }
	m.want(m.rename("d/f", "d/g"), s3client.ErrUnavailable)
	m.lease("d")
	m.get("d/f")
	m.missing("d/g")
	m.ok(late())
	m.clock.advance(2 * time.Second)
	m.missing("d/f")
	if got := m.get("d/g"); got != "data" {
		t.Errorf("it has %q", got)
	}
}

// Nor is what was learned under a lease on a directory that may have another name by now.
func TestRenamedLeasedDirectoryInDoubt(t *testing.T) {
	m, next := newNoAnswer(t)
	m.foreign("p/d/f", "data")
	m.lease("p/d")
	var late func() error
	*next = func(rename func() error) { late = rename }
	m.want(m.rename("p/d", "p/e"), s3client.ErrUnavailable)
	dir, _ := m.parent("p/d/f") // as a program in it
	_, _, err := m.Lookup(ctx, dir, "f")
	m.ok(err)
	m.ok(late())
	m.clock.advance(2 * time.Second)
	if _, _, err := m.Lookup(ctx, dir, "f"); !errors.Is(err, volume.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// A step of an exchange may be done without an answer, and is undone then, or later.
func TestExchangeInDoubt(t *testing.T) {
	for name, becomes := range map[string]func(rename func() error, late *func() error) error{
		"done":  func(rename func() error, _ *func() error) error { return rename() },
		"later": func(rename func() error, late *func() error) error { *late = rename; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			m, next := newNoAnswer(t)
			m.mkdir("d")
			m.lease("d")
			m.put("d/a", "A")
			m.put("d/b", "B")
			m.clock.advance(2 * time.Second)
			late := func() error { return nil }
			*next = func(rename func() error) { m.ok(becomes(rename, &late)) }
			err := m.exchange("d/a", "d/b")
			m.want(err, s3client.ErrUnavailable)
			if said := strings.Contains(err.Error(), `"d/a" may become "d/.pail-exchange-`); said != (name == "later") {
				t.Error(err)
			}
			_, _, _ = m.walk("d/a")
			m.ok(late())
			m.clock.advance(2 * time.Second)
			if name == "later" {
				m.missing("d/a")
			} else if got := m.get("d/a"); got != "A" {
				t.Errorf("it has %q", got)
			}
		})
	}
}
