package volume_test

import (
	"strings"
	"testing"

	"pail/fs/volume"
	"pail/s3client"
)

func TestSyncStoresOpenFilesAndLeavesThemOpen(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("old", "0123")
		fresh, old := m.create("new"), m.open("old", readWrite)
		m.writeAll(fresh, "abc", 0)
		m.writeAll(old, "XX", 1)
		m.ok(m.Sync(ctx))
		if a, b := m.object("new"), m.object("old"); a != "abc" || b != "0XX3" {
			t.Errorf("stored %q and %q", a, b)
		}
		m.mem.ResetCounts()
		m.ok(m.Sync(ctx))
		m.requests(0, "sync with nothing to store")
		m.writeAll(fresh, "def", 3)
		m.close(fresh)
		m.close(old)
		if got := m.object("new"); got != "abcdef" {
			t.Errorf("written after the sync: %q", got)
		}
	})
}

func TestSyncNamesWhatItCouldNotStore(t *testing.T) {
	m := newMount(t, conditional)
	refused, fine := m.create("refused"), m.create("fine")
	m.writeAll(refused, "a", 0)
	m.writeAll(fine, "b", 0)
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut && key == "refused" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	err := m.Sync(ctx)
	if m.want(err, s3client.ErrAccess); !strings.Contains(err.Error(), `"refused"`) || strings.Contains(err.Error(), "fine") {
		t.Errorf("error is %v", err)
	}
	if got := m.object("fine"); got != "b" {
		t.Errorf("stored %q", got)
	}
	m.faults.set(nil)
	for _, h := range []*volume.Handle{refused, fine} {
		m.close(h)
	}
	if got := m.object("refused"); got != "a" {
		t.Errorf("stored %q at close", got)
	}
}
