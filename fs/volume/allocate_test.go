package volume_test

import (
	"strings"
	"testing"

	"pail/fs/volume"
	"pail/s3client"
)

func TestAllocate(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("f", "hello world")
		h := m.open("f", volume.OpenFlags{Read: true, Write: true})
		keep, zero := volume.Allocation{KeepSize: true}, volume.Allocation{Zero: true}
		both := volume.Allocation{KeepSize: true, Zero: true}
		m.ok(h.Allocate(ctx, keep, 0, 100))
		m.ok(h.Allocate(ctx, volume.Allocation{}, 5, 10))
		m.ok(h.Allocate(ctx, both, 1, 3))
		m.ok(h.Allocate(ctx, both, 14, 100))
		m.ok(h.Allocate(ctx, zero, 8, 10))
		m.want(h.Allocate(ctx, keep, 0, 0), volume.ErrInvalid)
		m.want(h.Allocate(ctx, keep, -1, 5), volume.ErrInvalid)
		m.want(h.Allocate(ctx, keep, 1<<62, 1<<61), volume.ErrTooBig)
		m.close(h)
		if want := "h\x00\x00\x00o wo" + strings.Repeat("\x00", 10); m.object("f") != want {
			t.Errorf("the object holds %q, want %q", m.object("f"), want)
		}
		r := m.open("f", volume.OpenFlags{Read: true})
		m.want(r.Allocate(ctx, keep, 0, 1), volume.ErrBadHandle)
		m.close(r)
	})
}

func TestDropSetID(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "x")
	n, _, err := m.walk("f")
	m.ok(err)
	gid := uint32(7)
	for _, c := range []struct {
		mode, want uint32
		by         volume.Loss
	}{
		{0o6777, 0o777, volume.Loss{SetID: true, Member: memberOf(gid)}},
		{0o4644, 0o644, volume.Loss{SetID: true, Member: memberOf(gid)}},
		{0o2664, 0o2664, volume.Loss{SetID: true, Member: memberOf(gid)}},
		{0o2664, 0o664, volume.Loss{SetID: true, Member: memberOf(8)}},
		{0o1755, 0o1755, volume.Loss{SetID: true, Member: memberOf(gid)}},
		{0o6777, 0o6777, volume.Loss{}},
	} {
		_, err := m.Setattr(ctx, n, volume.SetAttr{Mode: &c.mode, GID: &gid}, nil)
		m.ok(err)
		m.ok(m.Setxattr(ctx, n, "security.capability", []byte("v"), 0))
		h := m.open("f", volume.OpenFlags{Write: true})
		lost, err := h.Lose(ctx, c.by)
		m.ok(err)
		m.close(h)
		st := m.stat("f")
		if got := st.Mode & 0o7777; got != c.want || !lost || len(st.Xattrs) > 0 {
			t.Errorf("%o became %o, want %o; lost is %v, attributes are %v", c.mode, got, c.want, lost, st.Xattrs)
		}
	}
}

func memberOf(group uint32) func(uint32) bool { return func(gid uint32) bool { return gid == group } }

func TestXattrNamespaces(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "x")
	n, _, err := m.walk("f")
	m.ok(err)
	for name, want := range map[string]error{
		"user.": volume.ErrInvalid, "trusted.": volume.ErrInvalid, "plain": volume.ErrNotSupported,
		"system.other": volume.ErrNotSupported, "": volume.ErrInvalid, "user.a": nil, "trusted.b": nil, "security.c": nil,
	} {
		if err := m.Setxattr(ctx, n, name, []byte("v"), 0); want != nil {
			m.want(err, want)
		} else {
			m.ok(err)
		}
	}
}
