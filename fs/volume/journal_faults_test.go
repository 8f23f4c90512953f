package volume_test

import (
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"pail/fs/journal/journaltest"
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
