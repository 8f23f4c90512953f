package volume_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// publishing runs a test on mounts with and without a journal, and with one in a directory that the mount has made.
func publishing(t *testing.T, test func(t *testing.T, begin func(...setup) *mount)) {
	t.Helper()
	copying(t, test)
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		t.Run("own directory", func(t *testing.T) { // where it is published here
			test(t, func(change ...setup) *mount { return newJournaledOwn(t, caps, change...) })
		})
	})
}

// copying is publishing where the second name is a copy, also when all is stored.
func copying(t *testing.T, test func(t *testing.T, begin func(...setup) *mount)) {
	t.Helper()
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		t.Run("direct", func(t *testing.T) {
			test(t, func(change ...setup) *mount { return newMount(t, caps, change...) })
		})
		t.Run("journal", func(t *testing.T) {
			test(t, func(change ...setup) *mount { return newJournaled(t, caps, change...) })
		})
	})
}

// newJournaledOwn is newJournaled in whose root all is made here first.
func newJournaledOwn(t tb, caps s3client.Capabilities, change ...setup) *mount {
	t.Helper()
	m := newJournaled(t, caps, change...)
	m.OwnRoot()
	return m
}

// What git and mail programs do to publish a file costs what a rename by copy does.
func TestPublishedFileCostsLittle(t *testing.T) {
	for name, c := range map[string]struct {
		caps s3client.Capabilities
		size int
		want int
	}{
		"copy":       {memclient.Full(), 7, 2},
		"large copy": {memclient.Full(), 3 << 20, 2},
		"transfer":   {s3client.Capabilities{ConditionalPut: true}, 7, 3},
	} {
		for how, begin := range map[string]func() *mount{
			"direct":  func() *mount { return newMount(t, c.caps) },
			"journal": func() *mount { return newJournaled(t, c.caps) },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				content := strings.Repeat("content", c.size/7)
				m := begin()
				m.mkdir("d")
				m.put("d/tmp_1", content)
				m.stored()
				m.missing("d/final")
				ino := m.stat("d/tmp_1").Ino
				m.mem.ResetCounts()
				m.ok(m.link("d/tmp_1", "d/final"))
				m.nlink("d/tmp_1", 2)
				m.nlink("d/final", 2)
				if m.stat("d/final").Ino != ino {
					t.Error("the names are of two inodes")
				}
				m.names("d", "final", "tmp_1")
				list := m.mem.Counts()["ListObjects"]
				m.ok(m.unlink("d/tmp_1"))
				m.nlink("d/final", 1)
				if got := m.mem.Requests() - list; got != c.want {
					t.Errorf("%d requests %v, want %d", got, m.mem.Counts(), c.want)
				}
				if m.stat("d/final").Ino != ino {
					t.Error("the file has another inode number")
				}
				m.missing("d/tmp_1")
				if m.get("d/final") != content {
					t.Error("the file holds something else")
				}
				if got := strings.Join(m.mem.Keys(), " "); got != "d/ d/final" {
					t.Errorf("keys are %q", got)
				}
			})
		}
	}
}

// What is acknowledged of a published file is there after a crash, at each step.
func TestPublicationsInTheJournal(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		want := func(m *mount, files map[string]string) {
			t.Helper()
			names := make([]string, 0, len(files))
			for name, content := range files {
				if got := m.get(name); got != content {
					t.Errorf("%s holds %q, want %q", name, got, content)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			m.names("", names...)
		}
		for _, begin := range []func(tb, s3client.Capabilities, ...setup) *mount{newJournaled, newJournaledOwn} {
			m := begin(t, caps)
			m.put("tmp_1", "one")
			m.ok(m.link("tmp_1", "a"))
			m = m.crash()
			want(m, map[string]string{"tmp_1": "one", "a": "one"})
			m.ok(m.unlink("tmp_1"))
			m = m.crash()
			want(m, map[string]string{"a": "one"})

			m.put("tmp_2", "two")
			h := m.open("tmp_2", readWrite)
			m.ok(m.link("tmp_2", "b"))
			m.writeAll(h, "T", 0)
			m.ok(h.Fsync(ctx)) // it is a hard link now
			m = m.crash()
			m.stored()
			want(m, map[string]string{"a": "one", "tmp_2": "Two", "b": "Two"})
			m.ok(m.unlink("tmp_2"))

			m.put("tmp_3", "three")
			h = m.open("tmp_3", readWrite)
			m.ok(m.link("tmp_3", "c"))
			m.writeAll(h, "T", 0)
			m.ok(m.unlink("tmp_3"))
			m.ok(h.Fsync(ctx))
			m = m.crash()
			want(m, map[string]string{"a": "one", "b": "Two", "c": "Three"})
			m.stored()
			want(m.second(), map[string]string{"a": "one", "b": "Two", "c": "Three"})
		}
	})
}

// Whatever else happens to a file that was linked makes it a hard link before.
func TestPublicationsBecomeHardLinks(t *testing.T) {
	publishing(t, func(t *testing.T, begin func(...setup) *mount) {
		write := func(m *mount) {
			h := m.open("tmp_1", readWrite)
			m.writeAll(h, "C", 0)
			m.close(h)
		}
		mode := uint32(0o600)
		for name, do := range map[string]func(m *mount){
			"write": write,
			"chmod": func(m *mount) {
				n, _, err := m.walk("final")
				m.ok(err)
				_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
				m.ok(err)
			},
			"link":      func(m *mount) { m.ok(m.link("final", "third")) },
			"rename":    func(m *mount) { m.ok(m.rename("final", "d/final")) },
			"directory": func(m *mount) { m.ok(m.link("tmp_2", "d/b")); m.ok(m.rename("d", "e")) },
			"sync":      func(m *mount) { m.ok(m.Close(ctx)) },
		} {
			t.Run(name, func(t *testing.T) {
				m := begin()
				m.mkdir("d")
				m.put("tmp_1", "content")
				m.put("tmp_2", "content")
				m.ok(m.link("tmp_1", "final"))
				do(m)
				if name == "directory" {
					m.ok(m.link("tmp_2", "c"))
				}
				m.stored()
				other := m.second()
				files := map[uint64]int{}
				for _, path := range []string{"tmp_1", "tmp_2", "final", "d/final", "third", "e/b", "c"} {
					if _, st, err := other.walk(path); err == nil {
						files[st.Ino]++
						if got := other.get(path); got != "content" && got != "Content" {
							t.Errorf("%s holds %q", path, got)
						}
					}
				}
				// The publication that the renamed directory has nothing of goes on, unless it was not stored.
				if want := map[string][]string{"link": {"[1 3]"}, "directory": {"[1 1 3]", "[2 3]"}}[name]; want != nil {
					if got := fmt.Sprint(counts(files)); !slices.Contains(want, got) {
						t.Errorf("files have %s names, want one of %s", got, want)
					}
				} else if got := fmt.Sprint(counts(files)); got != "[1 2]" {
					t.Errorf("files have %s names", got)
				}
				if name == "write" && other.get("final") != "Content" {
					t.Error("the other name has the old content")
				}
				if name == "chmod" && other.stat("tmp_1").Mode&0o777 != mode {
					t.Error("the other name has the old mode")
				}
			})
		}
	})
}

// counts returns how many names each file has, in order.
func counts(files map[uint64]int) (list []int) {
	for n := range 9 {
		for _, names := range files {
			if names == n {
				list = append(list, n)
			}
		}
	}
	return list
}

func TestSecondNameOfAPublicationGoes(t *testing.T) {
	publishing(t, func(t *testing.T, begin func(...setup) *mount) {
		m := begin()
		m.put("tmp_1", "content")
		m.ok(m.link("tmp_1", "final"))
		m.want(m.link("tmp_1", "final"), volume.ErrExist)
		m.ok(m.unlink("final"))
		m.nlink("tmp_1", 1)
		m.missing("final")
		if got := strings.Join(m.mem.Keys(), " "); got != "tmp_1" {
			t.Errorf("keys are %q", got)
		}
		m.ok(m.link("tmp_1", "final"))
		m.ok(m.unlink("tmp_1"))
		m.put("tmp_1", "another")
		m.want(m.link("tmp_1", "final"), volume.ErrExist)
		if got := m.get("final"); got != "content" {
			t.Errorf("the file holds %q", got)
		}
	})
}

// A mount that dies in the moment leaves two whole files; another client's version stays.
func TestPublicationIsNeverLess(t *testing.T) {
	copying(t, func(t *testing.T, begin func(...setup) *mount) {
		m := begin()
		m.put("tmp_1", "content")
		m.ok(m.link("tmp_1", "final"))
		m.stored()
		next := mountOn(t, m.mem, m.clock)
		for _, path := range []string{"tmp_1", "final"} {
			if got := next.get(path); got != "content" {
				t.Errorf("%s holds %q", path, got)
			}
		}
		m.foreign("final", "stored by another")
		h := m.open("tmp_1", readWrite)
		m.writeAll(h, "C", 0)
		m.close(h)
		m.stored()
		other := m.second()
		if a, b := other.get("tmp_1"), other.get("final"); a != "Content" || b != "stored by another" {
			t.Errorf("the files hold %q and %q", a, b)
		}
	})
}

// Where others may make the same name, a link finds out.
func TestPublishedNameThatIsTaken(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, m := range []*mount{newMount(t, caps), newJournaled(t, caps)} {
			m.put("tmp_2", "x")
			m.missing("taken")
			m.foreign("taken", "y")
			m.want(m.link("tmp_2", "taken"), volume.ErrExist)
			if m.object("taken") != "y" {
				t.Error("a file of another client was replaced")
			}
		}
	})
}

// A failure in the middle of making a hard link does not part the names for good.
func TestPublicationThatFailsIsTriedAgain(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, failing := range []string{s3client.OpPut, "after " + s3client.OpPut} {
			m := newMount(t, caps)
			m.put("tmp_1", "content")
			h := m.open("tmp_1", readWrite)
			m.ok(m.link("tmp_1", "final"))
			m.faults.set(func(op, key string) error {
				if key == "final" && (op == failing || op == s3client.OpHead) {
					return errCut
				}
				return nil
			})
			m.writeAll(h, "C", 0)
			m.want(h.Flush(ctx), errCut)
			m.faults.set(nil)
			m.nlink("final", 2)
			m.ok(m.unlink("tmp_1"))
			m.close(h)
			if got := m.second().get("final"); got != "Content" {
				t.Errorf("%s fails: the file holds %q", failing, got)
			}
			m.nlink("final", 1)
		}
	})
}

// An open file goes on under the name that is left.
func TestPublishedWhileOpen(t *testing.T) {
	publishing(t, func(t *testing.T, begin func(...setup) *mount) {
		m := begin()
		m.put("tmp_1", "content")
		r := m.open("tmp_1", volume.OpenFlags{Read: true})
		h := m.open("tmp_1", readWrite)
		m.ok(m.link("tmp_1", "final"))
		m.writeAll(h, "C", 0)
		m.ok(m.unlink("tmp_1"))
		m.close(h)
		buf := make([]byte, 7)
		if _, err := r.ReadAt(ctx, buf, 0); err != nil || string(buf) != "Content" {
			t.Errorf("read %q, %v", buf, err)
		}
		m.close(r)
		m.stored()
		if got := m.object("final"); got != "Content" {
			t.Errorf("the object holds %q", got)
		}
	})
}

func TestPublishingAtOnce(t *testing.T) {
	publishing(t, func(t *testing.T, begin func(...setup) *mount) {
		m := begin()
		m.mkdir("d")
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := map[string]string{}
		for i := range 8 {
			wg.Go(func() {
				for round := range 12 {
					tmp, final := fmt.Sprintf("d/tmp_%d_%d", i, round), fmt.Sprint("d/", round)
					m.put(tmp, tmp)
					err := m.link(tmp, final)
					switch {
					case err == nil:
						mu.Lock()
						if won[final] != "" {
							t.Errorf("%s and %s have both got the name %s", won[final], tmp, final)
						}
						won[final] = tmp
						mu.Unlock()
					case !errors.Is(err, volume.ErrExist):
						t.Error(err)
					}
					if round%3 == i%3 {
						_, _, _ = m.walk(final)
						m.list("d")
					}
					if err := m.unlink(tmp); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for final, tmp := range won {
			if got := m.get(final); got != tmp {
				t.Errorf("%s holds %q, want %q", final, got, tmp)
			}
		}
		m.ok(m.Close(ctx))
		if got := len(m.mem.Keys()); got != 13 {
			t.Errorf("%d keys: %q", got, m.mem.Keys())
		}
	})
}
