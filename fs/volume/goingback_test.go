package volume_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pail/fs/volume"
	"pail/s3client"
)

// unanswered fails the requests that have stored something under a key, or one in a directory, and with blind also those that ask
// what is there.
func (m *mount) unanswered(key string, err error, blind bool) {
	stored := false
	m.faults.set(func(op, of string) error {
		switch {
		case of != key && !(strings.HasSuffix(key, "/") && strings.HasPrefix(of, key)):
		case op == "after "+s3client.OpPut || op == "after "+s3client.OpCopy:
			stored = true
			return err
		case op == s3client.OpHead && stored && blind:
			return errCut
		}
		return nil
	})
}

// Where the answer to the request that makes a plain object of the last name is lost, the file has that name still: what is
// written to a handle from before shows there, and is stored there.
func TestLastNameWithoutAnAnswer(t *testing.T) {
	answers := map[string]struct {
		err   error
		blind bool
		at    string
	}{
		"lost":                       {errCut, false, "d/b"},
		"lost, and nobody can tell":  {errCut, true, "d/b"},
		"of a second attempt":        {s3client.ErrPrecondition, false, "d/b"},
		"of a second attempt, blind": {s3client.ErrPrecondition, true, "d/b"},

		"lost at the end":                       {errCut, false, ".pail/inodes/"},
		"lost at the end, and nobody can tell":  {errCut, true, ".pail/inodes/"},
		"of a second attempt at the end":        {s3client.ErrPrecondition, false, ".pail/inodes/"},
		"of a second attempt at the end, blind": {s3client.ErrPrecondition, true, ".pail/inodes/"},
	}
	meanwhile := map[string]func(m *mount, h *volume.Handle) (names []string){
		"nothing": func(*mount, *volume.Handle) []string { return []string{"d/b"} },
		"rename":  func(m *mount, _ *volume.Handle) []string { m.ok(m.rename("d/b", "d/c")); return []string{"d/c"} },
		"rename of the directory": func(m *mount, _ *volume.Handle) []string {
			m.ok(m.rename("d", "e"))
			return []string{"e/b"}
		},
		"link":   func(m *mount, _ *volume.Handle) []string { m.ok(m.link("d/b", "c")); return []string{"d/b", "c"} },
		"unlink": func(m *mount, _ *volume.Handle) []string { m.ok(m.unlink("d/b")); return nil },
		"replaced": func(m *mount, _ *volume.Handle) []string {
			m.put("new", "another")
			m.ok(m.rename("new", "d/b"))
			return nil
		},
		"chmod": func(m *mount, h *volume.Handle) []string {
			mode := uint32(0o600)
			_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, nil)
			m.ok(err)
			return []string{"d/b"}
		},
	}
	for answer, a := range answers {
		for name, do := range meanwhile {
			t.Run(answer+"/"+name, func(t *testing.T) {
				linking(t, func(t *testing.T, caps s3client.Capabilities) {
					m := newMount(t, caps, ttl(0))
					m.mkdir("d")
					m.put("a", "old")
					m.ok(m.link("a", "d/b"))
					h := m.open("a", readWrite)
					m.unanswered(a.at, a.err, a.blind)
					m.ok(m.unlink("a"))
					m.faults.set(nil)
					if got := m.stat("d/b").Ino; got != h.Inode().Ino() {
						t.Errorf("d/b is another file")
					}
					names := do(m, h)
					m.writeAll(h, "new", 0)
					m.close(h)
					for _, name := range names {
						if got := m.get(name); got != "new" {
							t.Errorf("%s holds %q here", name, got)
						}
					}
					m.ok(m.Close(ctx))
					for _, name := range names {
						if got := m.second().get(name); got != "new" {
							t.Errorf("%s holds %q elsewhere", name, got)
						}
					}
					if want := map[bool]int{true: 2, false: 0}[len(names) == 2]; want != hiddenIn(m) {
						t.Errorf("keys are %q", m.mem.Keys())
					}
				})
			})
		}
	}
}

// hiddenIn counts what files with several names leave, and are.
func hiddenIn(m *mount) int {
	keys := m.mem.Keys()
	return len(keys) - len(slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key[0] == '.' }))
}

// As long as nobody knows where the file is, nothing that is written to it is acknowledged: a crash would leave it where no name
// leads to.
func TestLastNameWithoutAnAnswerAndACrash(t *testing.T) {
	for i := range 4 {
		journaled, at := i%2 == 1, []string{"b", ".pail/inodes/"}[i/2]
		t.Run(fmt.Sprint("journal ", journaled, " ", at), func(t *testing.T) {
			linking(t, func(t *testing.T, caps s3client.Capabilities) {
				mount := newMount
				if journaled {
					mount = newJournaled
				}
				m := mount(t, caps, ttl(0))
				m.put("a", "old")
				m.ok(m.link("a", "b"))
				h := m.open("a", readWrite)
				m.unanswered(at, errCut, true)
				m.ok(m.unlink("a"))
				want := "old"
				m.writeAll(h, "new", 0)
				for range 2 {
					if h.Flush(ctx) == nil {
						want = "new"
					}
				}
				after := m
				if journaled {
					after = m.crash(ttl(0))
					after.stored()
				}
				if got := after.second().get("b"); got != want {
					t.Errorf("b holds %q, want %q", got, want)
				}
				m.faults.set(nil)
				h.Release()
			})
		})
	}
}

// What another mount makes of a file that was going back ends that here too: nothing waits for it any more.
func TestMoveThatAnotherMountEnds(t *testing.T) {
	for name, end := range map[string]func(other *mount){
		"the list is opened again": func(other *mount) {
			n, _, err := other.walk("b")
			other.ok(err)
			for size := 2000; other.Setxattr(ctx, n, "user.x", []byte(strings.Repeat("x", size)), 0) != nil; size -= 10 {
			} // no room for more
			other.ok(other.link("b", "c"))
			other.ok(other.unlink("c"))
		},
		"the name is removed, and it dies": func(other *mount) {
			other.faults.removals = true
			listed := false
			other.faults.set(func(op, key string) error {
				if listed {
					return errCut
				}
				listed = op == "after "+s3client.OpPut && strings.HasPrefix(key, ".pail/links/")
				return nil
			})
			_ = other.unlink("b")
			other.dead = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			linking(t, func(t *testing.T, caps s3client.Capabilities) {
				m := newMount(t, caps, ttl(0))
				m.put("a", "old")
				m.ok(m.link("a", "b"))
				m.faults.set(func(op, key string) error {
					if op == s3client.OpPut && strings.HasPrefix(key, ".pail/inodes/") {
						return errCut
					}
					return nil
				})
				m.ok(m.unlink("a"))
				m.faults.set(nil)
				end(m.second())
				var requests atomic.Int64
				m.faults.set(func(string, string) error {
					if requests.Add(1) > 100 {
						return errCut // it would ask again and again
					}
					return nil
				})
				m.put("new", "new")
				m.ok(m.rename("new", "b"))
				if got := m.second().get("b"); got != "new" {
					t.Errorf("b holds %q", got)
				}
				m.faults.set(nil)
			})
		})
	}
}
