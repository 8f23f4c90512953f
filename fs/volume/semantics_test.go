package volume_test

import (
	"context"
	"testing"

	"pail/fs/attr"
	"pail/fs/volume"
	"pail/s3client"
)

func TestWithoutConditionsTheLastWriterWins(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "first")
	h := m.open("f", readWrite)
	m.writeAll(h, "mine!", 0)
	m.foreign("f", "theirs")
	m.close(h)
	if got := m.object("f"); got != "mine!" {
		t.Errorf("stored %q", got)
	}
	m.names("", "f")
}

func TestNewFilesTakeTheGroupOfASetgidDirectory(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("shared")
		n, _, err := m.walk("shared")
		m.ok(err)
		mode, group := uint32(0o2775), uint32(4321)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode, GID: &group}, nil)
		m.ok(err)
		m.put("shared/f", "x")
		m.mkdir("shared/d")
		other := mountOn(t, m.mem, m.clock)
		if st := other.stat("shared/f"); st.GID != group || st.UID != who.UID {
			t.Errorf("owner of the file is %d:%d", st.UID, st.GID)
		}
		if st := other.stat("shared/d"); st.GID != group || st.Mode != attr.Dir|0o2750 {
			t.Errorf("directory has group %d, mode %o", st.GID, st.Mode)
		}
	})
}

// A caller that gets a signal has its context ended. What it changes is done all the same; what it waits for is not.
func TestChangesAreNotBrokenOff(t *testing.T) {
	m := newMount(t, conditional)
	m.foreign("dir/other", "x")
	m.put("f", "old")
	h := m.open("f", readWrite)
	m.writeAll(h, "new", 0)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	m.ok(h.Flush(ended))
	h.Release()
	if got := m.object("f"); got != "new" {
		t.Errorf("stored %q", got)
	}
	_, _, err := m.Mkdir(ended, m.Root(), "d", 0o700, who)
	m.ok(err)
	m.ok(m.Rename(ended, m.Root(), "f", m.Root(), "g", volume.RenameFlags{}))
	m.ok(m.Unlink(ended, m.Root(), "g"))
	dir, _, err := m.walk("dir")
	m.ok(err)
	_, _, err = m.Lookup(ended, dir, "other")
	m.want(err, context.Canceled)
}
