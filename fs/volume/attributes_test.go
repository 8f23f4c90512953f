package volume_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/links"
	"pail/fs/volume"
	"pail/s3client"
)

// TestJournaledMetadataChangeMeetsAnotherClient has another client replace a file whose attributes were changed here, and
// are still to be sent.
func TestJournaledMetadataChangeMeetsAnotherClient(t *testing.T) {
	for _, crash := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m := newJournaled(t, conditional)
				m.put("f", "old")
				m.stored()
				m.failCopies()
				n, _, err := m.walk("f")
				m.ok(err)
				mode, when := uint32(0o600), time.Unix(1e9, 5).UTC()
				_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode, Atime: &when}, nil)
				m.ok(err)
				m.ok(m.Setxattr(ctx, n, "user.mine", []byte("m"), 0))
				_, err = m.mem.Another().Put(ctx, "f", strings.NewReader("theirs"), s3client.PutOptions{
					Meta: s3client.Meta{"mode": "33184", "uid": "5", "gid": "6", "mtime": "77", "color": "blue"},
				})
				m.ok(err)
				if crash {
					m = m.crash()
				}
				m.faults.set(nil)
				if lost {
					times := 2
					m.faults.set(func(op, _ string) error {
						if op == "after "+s3client.OpCopy && times > 0 {
							times--
							return errCut
						}
						return nil
					})
				}
				m.stored()
				if got := m.get("f"); got != "theirs" {
					t.Errorf("it has %q", got)
				}
				info, err := m.mem.Another().Head(ctx, "f")
				m.ok(err)
				st := m.stat("f")
				if st.Mode&0o777 != 0o600 || !st.Atime.Equal(when) || st.UID != 5 || st.GID != 6 || st.Mtime.Unix() != 77 ||
					string(st.Xattrs["user.mine"]) != "m" || info.Meta["color"] != "blue" {
					t.Errorf("crash %v, lost %v: %+v, %v", crash, lost, st, info.Meta)
				}
				if keys := m.mem.Keys(); len(keys) != 1 {
					t.Errorf("the service has %q", keys)
				}
			})
		}
	}
}

// TestJournaledMetadataChangeOfARemovedFile has another client remove the file instead: it stays away.
func TestJournaledMetadataChangeOfARemovedFile(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "old")
	m.stored()
	m.foreignDelete("f")
	n, _, err := m.walk("f")
	m.ok(err)
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	m.stored()
	m.missing("f")
	if keys := m.mem.Keys(); len(keys) != 0 {
		t.Errorf("the service has %q", keys)
	}
}

// failCopies cuts off all copies inside the service, which changes of attributes are.
func (m *mount) failCopies() {
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpCopy {
			return errCut
		}
		return nil
	})
}

// TestJournaledMetadataChangeMeetsACopyAtTheLastName has another client give the file a second name and remove that, and die
// before the file under its ID has ended. Who has it open goes on writing there.
func TestJournaledMetadataChangeMeetsACopyAtTheLastName(t *testing.T) {
	m := newJournaled(t, conditional, ttl(0))
	m.put("f", "old")
	m.stored()
	m.failCopies()
	n, _, err := m.walk("f")
	m.ok(err)
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)

	mover, writer := m.second(), m.second()
	mover.ok(mover.link("f", "g"))
	h := writer.open("g", readWrite)
	writer.writeAll(h, "mid", 0) // another ETag than that of the version that was changed
	writer.ok(h.Flush(ctx))
	mover.faults.set(func(op, key string) error {
		if op == s3client.OpPut && strings.HasPrefix(key, ".pail/inodes/") {
			return errCut
		}
		return nil
	})
	mover.ok(mover.unlink("g"))
	mover.dead = true
	if _, ok := links.ParseOrigin(m.meta("f")); !ok {
		t.Fatal("f is no copy")
	}
	m.faults.set(nil)
	m.stored()
	if got := m.second().stat("f").Mode & 0o777; got != 0o600 {
		t.Errorf("f has the mode %o", got)
	}
	writer.writeAll(h, "NEW", 0)
	writer.ok(h.Flush(ctx))
	h.Release()
	if got := m.second().get("f"); got != "NEW" {
		t.Errorf("f holds %q", got)
	}
}
