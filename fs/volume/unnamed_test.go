package volume_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/faultclient"
)

// unnamed makes a file without a name in a directory.
func (m *mount) unnamed(dir, data string) *volume.Handle {
	m.t.Helper()
	d, _, err := m.walk(dir)
	m.ok(err)
	_, h, st, err := m.CreateUnnamed(ctx, d, 0o640, readWrite, who)
	m.ok(err)
	if st.Nlink != 0 || st.UID != who.UID {
		m.t.Errorf("it has %+v", st)
	}
	m.writeAll(h, data, 0)
	m.ok(h.Flush(ctx))
	return h
}

// giveName gives the file of a handle a name.
func (m *mount) giveName(h *volume.Handle, path string) error {
	m.t.Helper()
	dir, name := m.parent(path)
	_, err := m.Link(ctx, h.Inode(), dir, name)
	return err
}

func TestUnnamedFileGetsAName(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, m := range []*mount{newMount(t, caps), newJournaled(t, caps)} {
			m.mkdir("d")
			m.stored()
			m.mem.ResetCounts()
			h := m.unnamed("d", "data")
			m.requests(0, "without a name")
			m.ok(m.giveName(h, "d/f"))
			if got := m.object("d/f"); got != "data" {
				t.Errorf("the service has %q", got)
			}
			if n, st, err := m.walk("d/f"); err != nil || n != h.Inode() || st.Nlink != 1 || st.Size != 4 {
				t.Errorf("it is %v with %+v, %v", n, st, err)
			}
			m.writeAll(h, " and more", 4)
			m.close(h)
			m.stored()
			if got := m.object("d/f"); got != "data and more" {
				t.Errorf("the service has %q", got)
			}
			m.unnamed("d", "gone").Release()
			m.names("d", "f")
			if caps.ConditionalPut {
				m.want(m.giveName(m.unnamedOf(t, "d/f"), "d/g"), volume.ErrNotExist)
			}
		}
	})
}

// unnamedOf returns a handle of a file that has lost its name.
func (m *mount) unnamedOf(t *testing.T, path string) *volume.Handle {
	h := m.open(path, readOnly)
	t.Cleanup(h.Release)
	m.ok(m.unlink(path))
	return h
}

// TestUnnamedFileThatGetsNoName: where the service has the name already, or cannot be reached, the file stays as it is, and
// may be given another.
func TestUnnamedFileThatGetsNoName(t *testing.T) {
	m := newMount(t, conditional)
	h := m.unnamed("", "mine")
	defer h.Release()
	m.missing("taken")
	m.foreign("taken", "theirs")
	m.want(m.giveName(h, "taken"), volume.ErrExist)
	m.deaf()
	m.want(m.giveName(h, "f"), errCut)
	m.faults.set(nil)
	m.missing("f")
	m.names("", "taken")
	m.writeAll(h, "!", 4)
	m.faults.set(func(op, _ string) error { // only the answer is lost
		if strings.HasPrefix(op, "after ") {
			return errCut
		}
		return nil
	})
	m.ok(m.giveName(h, "f"))
	m.faults.set(nil)
	m.names("", "f", "taken")
	if m.object("f") != "mine!" || m.object("taken") != "theirs" {
		t.Errorf("f has %q, taken %q", m.object("f"), m.object("taken"))
	}
}

// TestUnnamedFileIsClosedWhileItGetsAName: a thread may close what another gives a name; it is stored all the same, and what
// held it is freed.
func TestUnnamedFileIsClosedWhileItGetsAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l *faultclient.Client
		m := newMount(t, conditional, line(&l))
		h := m.unnamed("", "data")
		m.missing("f")
		begins := make(chan struct{})
		l.Add(faultclient.Fault{Op: s3client.OpPut, Do: faultclient.Delay(begins)})
		named := make(chan error)
		go func() { named <- m.giveName(h, "f") }()
		synctest.Wait()
		h.Release()
		close(begins)
		m.ok(<-named)
		if got := m.object("f"); got != "data" {
			t.Errorf("the service has %q", got)
		}
		if got := m.get("f"); got != "data" {
			t.Errorf("the file has %q", got)
		}
		again := m.open("f", readWrite)
		m.writeAll(again, "DATA", 0)
		m.close(again)
		if got := m.object("f"); got != "DATA" {
			t.Errorf("the service has %q", got)
		}
	})
}
