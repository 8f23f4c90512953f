package volume_test

import (
	"strings"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// deaf makes all PUTs fail, as a service that is away.
func (m *mount) deaf() { m.failPuts() }

func TestJournaledCloseDoesNotWaitForTheService(t *testing.T) {
	m := newJournaled(t, conditional)
	m.deaf()
	m.put("f", "data") // fails if Flush does
	if s := m.Status(); s.Unsaved != 1 || s.Bytes != 4 {
		t.Errorf("status is %+v", s)
	}
	if got := m.get("f"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.faults.set(nil)
	m.stored()
	if got := m.object("f"); got != "data" {
		t.Errorf("the service has %q", got)
	}
}

func TestCrashLosesNothingThatWasClosed(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		long := strings.Repeat("0123456789", 200) // in a data file
		m.put("changed", long)
		m.put("truncated", "to be cut")
		m.put("mode", "bytes")
		m.stored()
		m.deaf()
		m.put("new", "small")
		m.put("large", long)
		h := m.open("changed", readWrite)
		m.writeAll(h, "XY", 5)
		m.writeAll(h, "end", int64(len(long))+10)
		m.close(h)
		h = m.open("truncated", readWrite)
		m.ok(h.Truncate(ctx, 2))
		m.close(h)
		h = m.open("mode", readWrite)
		mode := uint32(0o600)
		_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
		m.ok(err)
		m.writeAll(h, "B", 0)
		m.close(h)
		h = m.create("not closed")
		m.writeAll(h, "data", 0)
		wanted := map[string]string{
			"new": "small", "large": long, "truncated": "to", "mode": "Bytes",
			"changed": long[:5] + "XY" + long[7:] + strings.Repeat("\x00", 10) + "end",
		}
		before := m.stat("changed")

		m = m.crash()
		for path, data := range wanted { // at once
			if got := m.get(path); got != data {
				t.Errorf("%q has %q, want %q", path, got, data)
			}
		}
		if st := m.stat("mode"); st.Mode&0o777 != 0o600 {
			t.Errorf("mode is %o", st.Mode)
		}
		if st := m.stat("changed"); !st.Mtime.Equal(before.Mtime) || st.Ino != before.Ino || st.UID != before.UID {
			t.Errorf("attributes are %+v, want %+v", st, before)
		}
		m.missing("not closed")
		m.stored()
		for path, data := range wanted {
			if got := m.object(path); got != data {
				t.Errorf("the service has %q in %q, want %q", got, path, data)
			}
		}
		if len(m.mem.Keys()) != len(wanted) {
			t.Errorf("the service has %q", m.mem.Keys())
		}
		m = m.crash()
		if s := m.Status(); s.Unsaved != 0 {
			t.Errorf("what is stored comes back: %+v", s)
		}
	})
}

// TestCrashAfterALostAnswer has the service take versions of which the mount never hears.
func TestCrashAfterALostAnswer(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("old", "1")
	m.stored()
	m.faults.set(func(op, _ string) error {
		if op == "after "+s3client.OpPut {
			return errCut
		}
		return nil
	})
	m.put("new", "data")
	h := m.open("old", readWrite)
	m.writeAll(h, "22", 0)
	m.ok(h.Flush(ctx))
	m.writeAll(h, "333", 0)
	m.close(h)
	m = m.crash()
	m.stored()
	if m.object("new") != "data" || m.object("old") != "333" || len(m.mem.Keys()) != 2 {
		t.Errorf("%q, %q; the service has %q", m.object("new"), m.object("old"), m.mem.Keys())
	}
}

func TestRemovedBeforeItWasSent(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("old", "1")
	m.stored()
	m.deaf()
	m.put("new", "data")
	h := m.open("old", readWrite)
	m.writeAll(h, "2", 0)
	m.close(h)
	m.ok(m.unlink("new"))
	m.ok(m.unlink("old"))
	m = m.crash()
	m.names("")
	m.ok(m.Sync(ctx))
	if keys := m.mem.Keys(); len(keys) != 0 {
		t.Errorf("the service has %q", keys)
	}
}

func TestRenamedBeforeItWasSent(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("d")
		m.put("d/a", "data")
		m.put("b", "old")
		m.ok(m.rename("d/a", "b"))
		m.put("d/c", "more")
		m.ok(m.rename("d", "e"))
		m = m.crash()
		m.names("", "b", "e")
		m.names("e", "c")
		m.stored()
		if m.object("b") != "data" || m.object("e/c") != "more" {
			t.Errorf("b has %q, e/c %q", m.object("b"), m.object("e/c"))
		}
	})
}

func TestFullJournalMakesTheWriterWait(t *testing.T) {
	m := newJournaled(t, conditional)
	m.disk.Capacity = 100
	m.put("f", "data")
	if got := m.object("f"); got != "data" { // when close returns
		t.Errorf("the service has %q", got)
	}
	m.deaf()
	h := m.create("g")
	m.writeAll(h, "data", 0)
	m.want(h.Flush(ctx), volume.ErrNoSpace)
	h.Release()
	if got := m.get("g"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.disk.Capacity = 0
	m.faults.set(nil)
}

func TestUnmountWhileTheServiceIsAway(t *testing.T) {
	m := newJournaled(t, conditional, func(o *volume.Options, _ *upload.Options) { o.Parallel = 2 })
	m.deaf()
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		m.put(name, name)
	}
	h := m.create("open")
	m.writeAll(h, "data", 0)
	err := m.Close(ctx)
	m.want(err, volume.ErrUnsent)
	if !strings.Contains(err.Error(), "7 files with 10 bytes") {
		t.Errorf("it says %v", err)
	}
	m = m.crash()
	if got := m.get("open"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.stored()
	if keys := m.mem.Keys(); len(keys) != 7 {
		t.Errorf("the service has %q", keys)
	}
}

func TestConflictInTheBackground(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "old")
	m.stored()
	m.deaf()
	h := m.open("f", readWrite)
	m.writeAll(h, "mine", 0)
	m.close(h)
	m.foreign("f", "theirs")
	m = m.crash()
	m.stored()
	if m.object("f") != "theirs" || m.object(m.conflictOf("f")) != "mine" {
		t.Errorf("f has %q", m.object("f"))
	}
	if s := m.crash().Status(); s.Unsaved != 0 {
		t.Errorf("what is settled comes back: %+v", s)
	}
}
