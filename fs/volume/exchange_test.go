package volume_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

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
	m.put("a", "1")
	m.ok(m.link("a", "b"))
	m.want(m.exchange("a", "d"), volume.ErrNotSupported)
	m.want(m.exchange("d", "b"), volume.ErrNotSupported)
}
