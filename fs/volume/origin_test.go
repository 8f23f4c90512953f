package volume_test

import (
	"strings"
	"testing"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/volume"
	"pail/s3client"
)

// oneNameAgain returns a mount of a bucket in which the file b had another name.
func oneNameAgain(t *testing.T, caps s3client.Capabilities) *mount {
	t.Helper()
	m := newMount(t, caps)
	m.put("a", "content")
	m.ok(m.link("a", "b"))
	m.ok(m.unlink("a"))
	return m
}

func (m *mount) meta(key string) s3client.Meta {
	m.t.Helper()
	info, err := m.mem.Another().Head(ctx, key)
	m.ok(err)
	return info.Meta
}

// What says where a file comes from costs the unlink nothing, another mount one request, and goes with the first change.
func TestOriginOfALastName(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("a", "content")
		m.ok(m.link("a", "b"))
		_, _, err := m.walk("b")
		m.ok(err)
		m.mem.ResetCounts()
		m.ok(m.unlink("a"))
		m.requests(9, "unlink")
		m.nlink("b", 1)
		m.requests(0, "stat by who has moved it")
		if origin, ok := links.ParseOrigin(m.meta("b")); !ok || origin.Name == "" || m.object("b") != "content" {
			t.Errorf("b holds %q, and says %v", m.object("b"), m.meta("b"))
		}
		for name, change := range map[string]func(m *mount){
			"chmod": func(m *mount) {
				mode := uint32(0o600)
				n, _, err := m.walk("b")
				m.ok(err)
				_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
				m.ok(err)
			},
			"write": func(m *mount) {
				h := m.open("b", readWrite)
				m.writeAll(h, "C", 0)
				m.close(h)
			},
		} {
			m := oneNameAgain(t, caps)
			other := mountOn(t, m.mem.Another(), m.clock)
			other.missing("x")
			before := other.mem.Requests()
			other.nlink("b", 1)
			first := other.mem.Requests() - before
			other.nlink("b", 1)
			if again := other.mem.Requests() - before; again != first {
				t.Errorf("the second stat is %d requests", again-first)
			}
			change(other)
			if meta := m.meta("b"); meta[links.OriginName] != "" {
				t.Errorf("after %s it says %v", name, meta)
			}
		}
	})
}

// A file whose metadata has no room for that keeps the pointer.
func TestOriginThatHasNoRoom(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("a", "content")
		n, _, err := m.walk("a")
		m.ok(err)
		m.ok(m.Setxattr(ctx, n, "user.x", []byte(strings.Repeat("x", 1300)), 0))
		m.ok(m.link("a", "b"))
		m.ok(m.unlink("a"))
		m.ok(m.link("b", "c"))
		for _, m := range []*mount{m, m.second()} {
			m.nlink("b", 2)
			m.whole("with much metadata", []string{"b", "c"}, nil)
		}
		m.ok(m.unlink("c"))
		m.nlink("b", 1)
		m.ok(m.unlink("b"))
		if keys := m.mem.Keys(); len(keys) != 0 {
			t.Errorf("keys are %q", keys)
		}
	})
}

// Another program that copies an object with its metadata copies what that says. It is the file, and no name of any other.
func TestCopyOfALastNameIsAFile(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := oneNameAgain(t, caps)
		_, err := m.mem.Another().Copy(ctx, "copy", "b", s3client.CopyOptions{})
		m.ok(err)
		other := m.second()
		h := other.open("copy", readWrite)
		other.writeAll(h, "C", 0)
		m.ok(m.unlink("b"))
		other.ok(other.rename("copy", "c"))
		other.close(h)
		if got := m.second().get("c"); got != "Content" {
			t.Errorf("c holds %q", got)
		}
		if st := other.stat("c"); st.Mode&attr.TypeMask != attr.Regular || st.Nlink != 1 {
			t.Errorf("it is %+v", st)
		}
	})
}
