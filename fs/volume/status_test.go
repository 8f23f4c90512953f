package volume_test

import (
	"testing"
)

func TestStatusCountsWhatIsNotStored(t *testing.T) {
	m := newMount(t, plain)
	m.put("stored", "x")
	want := func(when string, open, unsaved int, bytes int64) {
		t.Helper()
		if s := m.Status(); s.Open != open || s.Unsaved != unsaved || s.Bytes != bytes {
			t.Errorf("%s: %+v", when, s)
		}
	}
	want("nothing is open", 0, 0, 0)
	reader, writer := m.open("stored", readOnly), m.create("new")
	m.writeAll(writer, "12345", 0)
	want("one read, one written", 2, 1, 5)
	m.ok(m.Sync(ctx))
	want("after a sync", 2, 0, 0)
	m.close(reader)
	m.close(writer)
	want("all closed", 0, 0, 0)
	if s := m.Status(); s.Names < 2 {
		t.Errorf("%d names are remembered", s.Names)
	}
}
