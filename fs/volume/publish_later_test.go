package volume_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// away lets no change reach the service.
func away(op, _ string) error {
	if op == s3client.OpList || op == s3client.OpHead {
		return nil
	}
	return errCut
}

// With a journal, git's way to publish a file is one request, for which nobody waits.
func TestPublishedHereIsOneRequest(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaledOwn(t, caps)
		m.mkdir("d")
		m.stored()
		for _, name := range []string{"tmp_1", "final", "tmp_2", "final2"} {
			m.missing("d/" + name)
		}
		m.faults.set(away)
		m.put("d/tmp_1", "content")
		ino := m.stat("d/tmp_1").Ino
		m.ok(m.link("d/tmp_1", "d/final"))
		m.nlink("d/tmp_1", 2)
		if st := m.stat("d/final"); st.Ino != ino || st.Nlink != 2 {
			t.Errorf("the second name has %+v", st)
		}
		m.names("d", "final", "tmp_1")
		m = m.crash()
		m.faults.set(away)
		for _, name := range []string{"d/tmp_1", "d/final"} {
			if got := m.get(name); got != "content" {
				t.Errorf("after a crash %s holds %q", name, got)
			}
		}
		m.faults.set(nil)
		m.stored()
		m.ok(m.unlink("d/tmp_1"))
		n, _, err := m.walk("d")
		m.ok(err)
		volume.Own(n)
		m.faults.set(away)
		m.put("d/tmp_2", "content 2")
		m.ok(m.link("d/tmp_2", "d/final2"))
		m.ok(m.unlink("d/tmp_2"))
		m.nlink("d/final2", 1)
		m.missing("d/tmp_2")
		m.names("d", "final", "final2")
		m = m.crash()
		m.faults.set(away)
		m.names("d", "final", "final2")
		m.mem.ResetCounts()
		m.faults.set(nil)
		m.stored()
		if got := m.mem.Counts(); got[s3client.OpPut] != 1 || got[s3client.OpCopy]+got[s3client.OpDelete] > 0 {
			t.Errorf("the requests were %v", got)
		}
		if got := m.mem.Keys(); !slices.Equal(got, []string{"d/", "d/final", "d/final2"}) {
			t.Errorf("keys are %q", got)
		}
		if got := m.second().get("d/final2"); got != "content 2" {
			t.Errorf("it holds %q", got)
		}
	})
}

// The second name can go again, and the file be written to.
func TestPublishedHereAndTakenBack(t *testing.T) {
	m := newJournaledOwn(t, memclient.Full())
	m.missing("tmp_1")
	m.missing("final")
	m.faults.set(away)
	m.put("tmp_1", "content")
	m.ok(m.link("tmp_1", "final"))
	m.ok(m.unlink("final"))
	m.missing("final")
	m.nlink("tmp_1", 1)
	m = m.crash()
	m.OwnRoot()
	m.names("", "tmp_1")
	m.missing("tmp_2")
	m.missing("final")
	m.faults.set(away)
	h := m.open("tmp_1", readWrite)
	m.writeAll(h, "C", 0)
	m.close(h)
	m.put("tmp_2", "two")
	h = m.open("tmp_2", readWrite) // to write to it later
	m.writeAll(h, "T", 0)
	m.ok(h.Flush(ctx))
	m.ok(m.link("tmp_2", "final"))
	m.writeAll(h, "TWO", 0)
	m.ok(m.unlink("tmp_2"))
	m.ok(h.Fsync(ctx))
	m = m.crash()
	m.faults.set(nil)
	m.stored()
	if a, b := m.second().get("tmp_1"), m.second().get("final"); a != "Content" || b != "TWO" {
		t.Errorf("the files hold %q and %q", a, b)
	}
	m.names("", "final", "tmp_1")
}

// Whatever fails while a hard link is made of it is tried again; a crash in between leaves two whole files or one with two names.
func TestPublishedHereAndLinkedWithFaults(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		for fail := range 9 {
			for _, when := range []string{"", "after "} {
				for _, crash := range []bool{false, true} {
					t.Run(fmt.Sprint(fail, when, crash), func(t *testing.T) {
						m := newJournaledOwn(t, caps)
						m.put("tmp_1", "content")
						m.ok(m.link("tmp_1", "final"))
						n := 0
						m.faults.set(func(op, _ string) error {
							if strings.HasPrefix(op, "after ") != (when != "") || strings.HasSuffix(op, s3client.OpList) {
								return nil
							}
							if n++; n > fail {
								return errCut
							}
							return nil
						})
						mode := uint32(0o600)
						file, _, err := m.walk("tmp_1")
						m.ok(err)
						_, _ = m.Setattr(ctx, file, volume.SetAttr{Mode: &mode}, nil) // makes a hard link of it
						m.names("", "final", "tmp_1")
						if crash {
							m = m.crash()
						}
						m.faults.set(nil)
						for _, name := range []string{"tmp_1", "final"} {
							if got := m.get(name); got != "content" {
								t.Errorf("%s holds %q", name, got)
							}
						}
						m.ok(m.unlink("tmp_1"))
						m.stored()
						other := m.second()
						other.names("", "final")
						if got := other.get("final"); got != "content" {
							t.Errorf("in the end it holds %q", got)
						}
					})
				}
			}
		}
	})
}

// Another client that makes one of the names first has it; what was published is kept, too.
func TestPublishedHereAndMadeByAnother(t *testing.T) {
	for _, taken := range []string{"tmp_1", "final"} {
		for what, do := range map[string]func(m *mount){
			"a link": func(m *mount) {
				mode := uint32(0o600)
				n, _, err := m.walk("tmp_1")
				m.ok(err)
				_, _ = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
			},
			"first removed":  func(m *mount) { m.ok(m.unlink("tmp_1")) },
			"second removed": func(m *mount) { m.ok(m.unlink("final")) },
		} {
			t.Run(taken+" "+what, func(t *testing.T) {
				m := newJournaledOwn(t, memclient.Full())
				m.put("tmp_1", "content")
				m.ok(m.link("tmp_1", "final"))
				m.foreign(taken, "theirs")
				do(m)
				m.stored()
				other := m.second()
				if got := other.object(taken); got != "theirs" {
					t.Errorf("the other's file holds %q", got)
				}
				if !slices.ContainsFunc(other.list(""), func(name string) bool { return other.get(name) == "content" }) {
					t.Errorf("what was written here is lost: %q", other.list(""))
				}
			})
		}
	}
}
