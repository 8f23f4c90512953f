package volume_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/fs/keymap"
	"pail/fs/links"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
	"pail/s3client/retry"
)

// linking runs a test on services that hard links can be made on.
func linking(t *testing.T, test func(t *testing.T, caps s3client.Capabilities)) {
	t.Helper()
	t.Run("full", func(t *testing.T) { test(t, memclient.Full()) })
	t.Run("conditional", func(t *testing.T) { test(t, s3client.Capabilities{ConditionalPut: true}) })
}

func (m *mount) link(from, to string) error {
	m.t.Helper()
	n, _, err := m.walk(from)
	if err != nil {
		return err
	}
	dir, name := m.parent(to)
	_, err = m.Link(ctx, n, dir, name)
	return err
}

// second mounts the bucket a second time.
func (m *mount) second() *mount {
	m.t.Helper()
	return mountOn(m.t, m.mem.Another(), m.clock, ttl(0))
}

func (m *mount) nlink(path string, want uint32) {
	m.t.Helper()
	if st := m.stat(path); st.Nlink != want {
		m.t.Errorf("%q has %d names, want %d", path, st.Nlink, want)
	}
}

func TestHardLinksAreOneFile(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("a", "hello")
		ino := m.stat("a").Ino
		m.ok(m.link("a", "d/b"))
		other := m.second()
		for _, m := range []*mount{m, other} {
			m.nlink("a", 2)
			m.nlink("d/b", 2)
			if m.stat("a").Ino != ino || m.stat("d/b").Ino != ino {
				t.Errorf("numbers are %d and %d, want %d", m.stat("a").Ino, m.stat("d/b").Ino, ino)
			}
			m.names("", "a", "d")
		}
		h := other.open("d/b", readWrite)
		other.writeAll(h, "J", 0)
		other.close(h)
		if got := m.get("a"); got != "Jello" {
			t.Errorf("a holds %q", got)
		}
		m.ok(m.unlink("a"))
		if got := m.object("d/b"); got != "Jello" {
			t.Errorf("the object of the only name holds %q", got)
		}
		if got := strings.Join(m.mem.Keys(), " "); got != "d/ d/b" {
			t.Errorf("keys are %q", got)
		}
		other.nlink("d/b", 1)
		m.nlink("d/b", 1)
	})
}

// What tools that know nothing of links do to one name does nothing to the others.
func TestToolsCannotHarmOtherNames(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(0))
		m.put("a", "hello")
		m.ok(m.link("a", "b"))
		m.ok(m.link("a", "c"))
		if got := m.object("a"); !strings.Contains(got, "\n.pail/inodes/") {
			t.Errorf("the object of a name says %q", got)
		}
		m.foreignDelete("a")
		m.foreign("b", "other")
		m.missing("a")
		if got := m.get("b"); got != "other" {
			t.Errorf("b holds %q", got)
		}
		if got := m.get("c"); got != "hello" {
			t.Errorf("c holds %q", got)
		}
		_, err := m.mem.Another().Copy(ctx, "copy", "c", s3client.CopyOptions{})
		m.ok(err)
		if got := m.get("copy"); got != "hello" {
			t.Errorf("the copy of a name holds %q", got)
		}
		m.ok(m.unlink("copy"))
		m.ok(m.unlink("b"))
		if got := m.get("c"); got != "hello" {
			t.Errorf("c holds %q", got)
		}
		for _, key := range m.mem.Keys() {
			if strings.HasPrefix(key, ".pail/inodes/") {
				m.foreignDelete(key)
			}
		}
		n, _, err := m.walk("c")
		m.ok(err)
		_, err = m.Open(ctx, n, readOnly)
		m.want(err, volume.ErrStale)
		m.ok(m.unlink("c"))
		m.names("")
	})
}

func TestLastNameAfterADirectoryRename(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("d/a", "hello")
		m.ok(m.link("d/a", "b"))
		m.ok(m.rename("d", "e"))
		m.ok(m.unlink("b"))
		m.nlink("e/a", 1)
		if got := m.second().get("e/a"); got != "hello" {
			t.Errorf("e/a holds %q", got)
		}
		m.ok(m.unlink("e/a"))
		if got := strings.Join(m.mem.Keys(), " "); got != "e/" {
			t.Errorf("keys are %q", got)
		}
	})
}

func TestNamesOfAFileAreLimited(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.put("a", "x")
	m.ok(m.link("a", "b"))
	list := m.mem.Keys()[1]
	names, err := links.ParseNames([]byte(m.object(list)))
	m.ok(err)
	for i := 2; i < links.Max; i++ {
		names.Keys[fmt.Sprint(i)] = fmt.Sprint("name ", i)
	}
	m.foreign(list, string(names.Encode()))
	m.want(m.link("a", "more"), volume.ErrTooManyLinks)
	m.missing("more")
}

func TestHardLinksAreHidden(t *testing.T) {
	m := newMount(t, memclient.Full(), ttl(0))
	m.put("a", "x")
	m.ok(m.link("a", "b"))
	m.missing(links.Hidden)
	_, _, err := m.Mkdir(ctx, m.Root(), links.Hidden, 0o755, who)
	m.want(err, volume.ErrPermission)
	m.want(m.rename("a", links.Hidden), volume.ErrPermission)
	m.names("", "a", "b")
	below := mountOn(t, m.mem.Another(), m.clock, func(o *volume.Options, _ *upload.Options) { o.Keys = keymap.New("p/") })
	below.put("c", "y")
	below.ok(below.link("c", "e"))
	if got := m.get("p/e"); got != "y" {
		t.Errorf("through the mount of the whole bucket it is %q", got)
	}
}

// Wherever a request fails, or its answer is lost, every name that was there has its content; and a name that was to go
// or to come is whole or not there.
func TestHardLinksSurviveFailures(t *testing.T) {
	down := errors.New("no answer")
	operations := map[string]struct {
		begin func(*mount)
		do    func(*mount) error
		stay  []string // names that are there whatever happens
		maybe []string
	}{
		"link":          {func(m *mount) {}, func(m *mount) error { return m.link("a", "b") }, []string{"a"}, []string{"b"}},
		"further link":  {func(m *mount) { m.ok(m.link("a", "c")) }, func(m *mount) error { return m.link("a", "b") }, []string{"a", "c"}, []string{"b"}},
		"unlink to one": {func(m *mount) { m.ok(m.link("a", "b")) }, func(m *mount) error { return m.unlink("b") }, []string{"a"}, []string{"b"}},
		"unlink": {func(m *mount) { m.ok(m.link("a", "b")); m.ok(m.link("a", "c")) },
			func(m *mount) error { return m.unlink("b") }, []string{"a", "c"}, []string{"b"}},
		"rename": {func(m *mount) { m.ok(m.link("a", "c")) }, func(m *mount) error { return m.rename("c", "b") }, []string{"a"}, []string{"b", "c"}},
		"replace": {func(m *mount) { m.ok(m.link("a", "b")); m.put("c", "content") },
			func(m *mount) error { return m.rename("c", "b") }, []string{"a", "b"}, []string{"c"}},
	}
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			linking(t, func(t *testing.T, caps s3client.Capabilities) {
				for _, dead := range []bool{false, true} { // one request fails, or all from it on
					for failing := 1; ; failing++ {
						m := newMount(t, caps)
						m.put("a", "content")
						op.begin(m)
						requests := 0
						m.faults.set(func(string, string) error {
							if requests++; requests == failing || dead && requests > failing {
								return down
							}
							return nil
						})
						_ = op.do(m) // may fail or not
						m.faults.set(nil)
						m.clock.advance(time.Hour)
						for _, m := range []*mount{m, m.second()} {
							m.whole(fmt.Sprint("request ", failing, " fails"), op.stay, op.maybe)
						}
						third := m.second()
						third.ok(third.link(op.stay[0], fmt.Sprint("more ", failing)))
						third.whole(fmt.Sprint("a link after request ", failing), append(op.stay, fmt.Sprint("more ", failing)), op.maybe)
						if requests < failing {
							break
						}
					}
				}
			})
		})
	}
}

func TestHardLinkMeetsAnotherClient(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("a", "content")
		m.missing("b")
		m.foreign("b", "other")
		m.want(m.link("a", "b"), volume.ErrExist)
		m.clock.advance(time.Hour)
		m.whole("refused", []string{"a"}, nil)
		m.second().whole("refused", []string{"a"}, nil)
		m.nlink("a", 1)
		if got := strings.Join(m.mem.Keys(), " "); got != "a b" {
			t.Errorf("keys are %q", got)
		}
		m.foreign("a", "another")
		m.ok(m.link("a", "c"))
		if got := m.get("c"); got != "another" {
			t.Errorf("c holds %q", got)
		}
	})
}

// whole checks that names have their content; some may be gone.
func (m *mount) whole(when string, stay, maybe []string) {
	m.t.Helper()
	for i, name := range append(stay[:len(stay):len(stay)], maybe...) {
		if _, _, err := m.walk(name); i >= len(stay) && errors.Is(err, volume.ErrNotExist) {
			continue
		}
		if got := m.get(name); got != "content" {
			m.t.Errorf("%s: %q holds %q", when, name, got)
		}
	}
}

// What is not sent yet is sent before it gets a second name; what is written afterwards survives a crash.
func TestHardLinksWithAJournal(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("d")
		m.put("d/a", "one")
		m.ok(m.link("d/a", "d/b"))
		ino := m.stat("d/b").Ino
		h := m.open("d/b", readWrite)
		m.writeAll(h, "two", 0)
		m.close(h)
		m.ok(m.rename("d/a", "c"))
		m.put("tmp", "three")
		m.ok(m.rename("tmp", "d/b"))
		m = m.crash()
		for name, want := range map[string]string{"c": "two", "d/b": "three"} {
			if got := m.get(name); got != want {
				t.Errorf("%q holds %q, want %q", name, got, want)
			}
		}
		m.nlink("c", 1)
		if got := m.stat("c").Ino; got == ino && got == m.stat("d/b").Ino {
			t.Error("two files have one number")
		}
		m.ok(m.link("c", "e"))
		m.stored()
		for _, name := range []string{"c", "e"} {
			m.nlink(name, 2)
		}
	})
}

// What was written to a file whose names became one elsewhere meanwhile is kept where a name shows it.
func TestWriteToAFileThatHasOneNameAgain(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, rest := range []string{"b", ""} {
			m := newMount(t, caps)
			m.put("a", "0123456789")
			m.ok(m.link("a", "b"))
			other := m.second()
			h := other.open("b", readWrite)
			m.ok(m.unlink("a"))
			want := "XX\x00\x00\x00\x00\x00\x00\x00\x00"
			if rest == "" {
				m.ok(m.unlink("b"))
			} else {
				want = "XX23456789"
			}
			other.writeAll(h, "XX", 0)
			other.want(h.Flush(ctx), volume.ErrStale)
			h.Release()
			kept := m.conflictOf("b")
			if got := m.second().get(kept); got != want {
				t.Errorf("kept %q, want %q", got, want)
			}
			if got := m.mem.Keys(); rest == "" && len(got) != 1 || rest != "" && (len(got) != 2 || m.object("b") != "0123456789") {
				t.Errorf("keys are %q", got)
			}
		}
	})
}

// The journal knows a file with several names by its ID only.
func TestJournaledWriteToAFileThatHasOneNameAgain(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("a", "old")
	m.stored()
	m.ok(m.link("a", "b"))
	m.stored()
	h := m.open("b", readWrite)
	m.deaf()
	m.ok(h.Truncate(ctx, 0))
	m.writeAll(h, "precious", 0)
	m.close(h)
	m.ok(m.second().unlink("a"))
	m = m.crash()
	m.stored()
	keys := m.mem.Keys()
	if len(keys) != 2 || !strings.Contains(keys[0], ".conflict-") || keys[1] != "b" || m.object("b") != "old" {
		t.Fatalf("keys are %q", keys)
	}
	if got := m.second().get(keys[0]); got != "precious" {
		t.Errorf("%q holds %q", keys[0], got)
	}
	if got := m.Status().Conflicts; len(got) != 1 {
		t.Errorf("conflicts: %v", got)
	}
}

// A pointer whose answer got lost is refused when it is sent again: it is in place, and its bytes have to stay.
func TestHardLinkWhoseAnswerGotLost(t *testing.T) {
	for _, lost := range []string{"a", "b"} {
		t.Run(lost, func(t *testing.T) {
			m := newMount(t, conditional, func(o *volume.Options, _ *upload.Options) {
				again := retry.New(o.Client, retry.Options{Attempts: 2})
				o.Client = again
			})
			m.put("a", "content")
			m.missing("b")
			var put, heads atomic.Int64
			m.faults.set(func(op, key string) error {
				if key == lost && op == "after "+s3client.OpPut && put.CompareAndSwap(0, 1) ||
					key == lost && op == s3client.OpHead && put.Load() == 1 && heads.Add(1) <= 3 {
					return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
				}
				return nil
			})
			err := m.link("a", "b")
			m.faults.set(nil)
			if lost == "a" && heads.Load() == 0 {
				t.Error("the answer was not looked for")
			}
			names := []string{"a"}
			if err == nil || lost == "b" {
				names = append(names, "b")
			}
			m.second().whole("answer of "+lost+" lost", names, nil)
		})
	}
}

// A pointer whose answer got lost is found to be in place, whether it was sent again or not.
func TestHardLinkIsMadeThoughAnAnswerGotLost(t *testing.T) {
	for _, lost := range []string{"a", "b"} {
		for _, attempts := range []int{1, 2} {
			t.Run(fmt.Sprint(lost, " sent ", attempts), func(t *testing.T) {
				m := newMount(t, conditional, func(o *volume.Options, _ *upload.Options) {
					again := retry.New(o.Client, retry.Options{Attempts: attempts})
					o.Client = again
				})
				m.put("a", "content")
				m.missing("b")
				var once atomic.Bool
				m.faults.set(func(op, key string) error {
					if key == lost && op == "after "+s3client.OpPut && once.CompareAndSwap(false, true) {
						return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
					}
					return nil
				})
				m.ok(m.link("a", "b"))
				for _, m := range []*mount{m, m.second()} {
					m.whole("linked", []string{"a", "b"}, nil)
					m.nlink("a", 2)
					m.nlink("b", 2)
				}
				m.ok(m.unlink("a"))
				m.second().whole("one left", []string{"b"}, nil)
				m.nlink("b", 1)
			})
		}
	}
}

// A rename that copies and cannot remove the originals leaves every name twice: whichever goes, the other has its content.
func TestHardLinksInARenameCutOff(t *testing.T) {
	for _, c := range []struct{ name, from, to, gone, stay string }{
		{"directory, originals go", "d", "e", "d", "e"},
		{"directory, copies go", "d", "e", "e", "d"},
		{"file", "d/b", "d/c", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMount(t, conditional, ttl(0))
			m.mkdir("d")
			m.put("d/a", "content")
			m.ok(m.link("d/a", "d/b"))
			m.ok(m.link("d/a", "top"))
			m.faults.set(func(op, _ string) error {
				if op == s3client.OpDelete {
					return errCut
				}
				return nil
			})
			m.want(m.rename(c.from, c.to), errCut)
			m.faults.set(nil)
			if c.gone == "" {
				m.ok(m.unlink("top"))
				m.ok(m.unlink("d/a"))
				m.ok(m.unlink("d/b"))
				m.second().whole("cut off", []string{"d/c"}, nil)
				m.ok(m.unlink("d/c"))
				m.names("d")
			} else {
				m.ok(m.unlink("top"))
				for _, name := range []string{"a", "b"} {
					m.ok(m.unlink(c.gone + "/" + name))
					m.second().whole("cut off", []string{c.stay + "/a", c.stay + "/b"}, nil)
				}
				m.ok(m.unlink(c.stay + "/a"))
				m.second().whole("one left", []string{c.stay + "/b"}, nil)
				m.ok(m.unlink(c.stay + "/b"))
			}
			for _, key := range m.mem.Keys() {
				if strings.Contains(key, ".pail") {
					t.Errorf("%q is left", key)
				}
			}
		})
	}
}

// TestFailedLinkLeavesNothing loses the answer to one of the requests that a second name takes, before anything leads to
// what they make.
func TestFailedLinkLeavesNothing(t *testing.T) {
	for _, lost := range []string{"after " + s3client.OpPut, "after " + s3client.OpCopy} {
		t.Run(lost, func(t *testing.T) {
			m := newMount(t, conditional)
			m.put("a", "content")
			failed := false
			m.faults.set(func(op, _ string) error {
				if op == lost && !failed {
					failed = true
					return errCut
				}
				return nil
			})
			m.want(m.link("a", "b"), errCut)
			m.faults.set(nil)
			if keys := m.mem.Keys(); !slices.Equal(keys, []string{"a"}) {
				t.Errorf("the service has %q", keys)
			}
			m.ok(m.link("a", "b"))
			m.second().whole("linked after all", []string{"a", "b"}, nil)
		})
	}
}
