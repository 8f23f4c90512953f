package volume_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"pail/fs/journal/journaltest"
	"pail/fs/volume"
	"pail/s3client"
)

// breakable makes as many syncs of a disk fail as the counter says.
func breakable(disk *journaltest.MemFS, fails *atomic.Int64) *journaltest.MemFS {
	disk.Hook = func(op, _ string) error {
		if op == "sync" && fails.Add(-1) >= 0 {
			return errors.New("the disk is broken")
		}
		return nil
	}
	return disk
}

// TestRenameThatNeitherJournalNorServiceTakes has a rename of an unsent file over another one fail on both sides, so that
// nobody knows whether the journal has it: both files keep their names and bytes, whatever comes then.
func TestRenameThatNeitherJournalNorServiceTakes(t *testing.T) {
	write := func(path string) func(*mount) {
		return func(m *mount) {
			h := m.open(path, readWrite)
			m.writeAll(h, "+", 3)
			m.close(h)
		}
	}
	after := map[string]struct {
		do   func(*mount)
		a, b string
	}{
		"nothing":            {func(*mount) {}, "new", "old"},
		"the source written": {write("a"), "new+", "old"},
		"the target written": {write("b"), "new", "old+"},
		"another written":    {func(m *mount) { m.put("c", "") }, "new", "old"},
		"all sent":           {func(m *mount) { m.faults.set(nil); m.stored() }, "new", "old"},
		"another attempt":    {func(m *mount) { m.faults.set(nil); m.ok(m.rename("a", "b")) }, "", "new"},
		"both removed":       {func(m *mount) { m.faults.set(nil); m.ok(m.unlink("a")); m.ok(m.unlink("b")) }, "", ""},
	}
	for name, step := range after {
		for _, fails := range []int64{1, 2, 3, 100} {
			if name == "nothing" && fails > 1 {
				continue // then a crash may find it done, as on any disk
			}
			t.Run(fmt.Sprintf("%s/%d", name, fails), func(t *testing.T) {
				var broken atomic.Int64
				disk := breakable(journaltest.New(), &broken)
				m := newMount(t, conditional, journaled(t, disk))
				m.disk = disk
				away := func(op, _ string) error {
					if op == s3client.OpPut || op == s3client.OpCopy || op == s3client.OpDelete {
						return errCut
					}
					return nil
				}
				m.faults.set(away)
				m.put("a", "new")
				m.put("b", "old")
				broken.Store(fails)
				if err := m.rename("a", "b"); err == nil {
					t.Fatal("the rename was acknowledged")
				}
				broken.Store(0)
				m.names("", "a", "b")
				step.do(m)
				m = m.crash()
				m.faults.set(away)
				got := map[string]string{}
				for _, path := range m.list("") {
					got[path] = m.get(path)
				}
				delete(got, "c")
				want := map[string]string{"a": step.a, "b": step.b}
				maps.DeleteFunc(want, func(_, s string) bool { return s == "" })
				if !maps.Equal(got, want) {
					t.Errorf("there is %q, want %q", got, want)
				}
				m.faults.set(nil)
				m.stored()
				for path, data := range want {
					if got := m.object(path); got != data {
						t.Errorf("the service has %q in %q, want %q", got, path, data)
					}
				}
			})
		}
	}
}

// What the journal has under a name is not sent over what a rename has put there, also where the service cannot refuse it.
func TestJournalDoesNotOverwriteWhatWasRenamed(t *testing.T) {
	for _, power := range []bool{false, true} {
		bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
			m := newJournaled(t, caps)
			m.put("from", "precious")
			m.stored()
			m.put("to", "old")
			var disk *journaltest.MemFS
			m.faults.removals = true
			m.faults.set(func(op, key string) error {
				switch {
				case power:
				case key == "to" && op == s3client.OpPut:
					return errCut // it stays in the journal
				case op == "after "+s3client.OpDelete && key == "from":
					disk = m.disk.Kill()
				}
				return nil
			})
			err := m.rename("from", "to")
			if err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			switch {
			case power:
				disk = m.disk.Crash(rand.New(rand.NewPCG(1, 1)), 0)
			case disk == nil:
				disk = m.disk.Kill()
			}
			m.afterwards(disk).mustHave("precious")
		})
	}
}

// Nor over what was made there after a removal.
func TestJournalDoesNotOverwriteWhatWasMade(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.put("f", "removed")
		m.ok(m.unlink("f"))
		_, _, err := m.Symlink(ctx, m.Root(), "f", "target", who)
		m.ok(err)
		m.afterwards(m.disk.Crash(rand.New(rand.NewPCG(1, 1)), 0)).mustHave("target")
	})
}

// afterwards mounts with what a mount that is gone has left on its disk, and sends that.
func (m *mount) afterwards(disk *journaltest.MemFS) *mount {
	m.faults.set(func(string, string) error { return errCut })
	n := m.after(disk)
	n.stored()
	return n
}

// A file that is being replaced is synced into the journal, however long the service takes to rename the other one.
func TestReplacedFileIsSyncedBesideTheRename(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "old")
	m.put("other", "new")
	m.stored()
	h := m.open("f", readWrite)
	defer h.Release()
	m.writeAll(h, "unsynced", 0)
	reached, synced := make(chan struct{}), make(chan struct{})
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpCopy {
			close(reached)
			<-synced
		}
		return nil
	})
	renamed := make(chan error, 1)
	go func() { renamed <- m.rename("other", "f") }()
	<-reached
	m.ok(h.Fsync(ctx))
	close(synced)
	m.ok(<-renamed)
	if got := m.get("f"); got != "new" {
		t.Errorf("it holds %q", got)
	}
}

// mv asks to replace nothing, at first: that needs no service either.
func TestJournaledRenameWhileTheServiceIsAway(t *testing.T) {
	m := newJournaled(t, conditional)
	m.missing("final") // as the kernel asks
	m.put("tmp", "mine")
	m.faults.set(func(string, string) error { return errCut })
	m.ok(m.Rename(ctx, m.Root(), "tmp", m.Root(), "final", volume.RenameFlags{NoReplace: true}))
	m.faults.set(nil)
}
