package volume_test

import (
	"testing"

	"pail/s3client"
	"pail/s3client/memclient"
)

// What is written to a file that was just linked goes to the journal, also when the service is away.
func TestPublishedFileIsWrittenInAnOutage(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.put("tmp_1", "content")
		h := m.open("tmp_1", readWrite)
		m.ok(m.link("tmp_1", "final"))
		m.writeAll(h, "C", 0)
		m.put("tmp_2", "content")
		m.ok(m.link("tmp_2", "other"))
		late := m.open("tmp_2", readWrite)
		m.writeAll(late, "C", 0)
		m.faults.set(func(string, string) error { return errCut })
		m.close(h)
		m.close(late)
		m = m.crash()
		m.faults.set(nil)
		for _, name := range []string{"tmp_1", "final", "tmp_2", "other"} {
			if got := m.get(name); got != "Content" {
				t.Errorf("%s holds %q", name, got)
			}
		}
	})
}

// The kernel ends a handle some time after close(2), which is no reason to make a hard link.
func TestPublishedBeforeItsHandleEnds(t *testing.T) {
	m := newJournaled(t, memclient.Full())
	h := m.create("tmp_1")
	m.writeAll(h, "content", 0)
	m.ok(h.Flush(ctx))
	m.ok(m.Sync(ctx))
	m.missing("final")
	m.mem.ResetCounts()
	m.ok(m.link("tmp_1", "final"))
	m.ok(m.unlink("tmp_1"))
	m.requests(2, "link and unlink")
	m.writeAll(h, "C", 0)
	m.ok(m.rename("final", "tmp_2"))
	m.ok(m.link("tmp_2", "final")) // it is being written
	m.writeAll(h, "O", 1)
	m.faults.set(func(string, string) error { return errCut })
	m.close(h)
	m.faults.set(nil)
	m.stored()
	if got := m.second().get("final"); got != "COntent" {
		t.Errorf("it holds %q", got)
	}
}
