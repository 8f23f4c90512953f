package volume_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/attr"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

func TestRename(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"file", "new", nil},
		{"file", "file", nil},
		{"file", "other", nil},
		{"file", "dir", volume.ErrIsDir},
		{"file", "dir/new", nil},
		{"file", "none/new", nil},
		{"link", "other", nil},
		{"absent", "new", volume.ErrNotExist},
		{"dir", "new", nil},
		{"dir", "dir", nil},
		{"dir", "empty", nil},
		{"dir", "full", volume.ErrNotEmpty},
		{"dir", "file", volume.ErrNotDir},
		{"dir", "dir/sub/new", volume.ErrInvalid},
		{"dir/sub", "dir", volume.ErrNotEmpty},
		{"dir/sub", "new", nil},
		{"implicit", "new", nil},
		{"empty", "full/new", nil},
	} {
		t.Run(strings.ReplaceAll(c.from+" to "+c.to, "/", "_"), func(t *testing.T) {
			bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
				m := newMount(t, caps)
				m.foreign("implicit/deep/f", "content")
				for _, dir := range []string{"dir", "dir/sub", "empty", "full", "none"} {
					m.mkdir(dir)
				}
				for _, file := range []string{"file", "other", "dir/x", "dir/sub/y", "full/z"} {
					m.put(file, "content of "+file)
				}
				_, _, err := m.Symlink(ctx, m.Root(), "link", "target", who)
				m.ok(err)
				ino := uint64(0)
				if n, _, err := m.walk(c.from); err == nil {
					ino = n.Ino()
				}
				before := m.mem.Keys()

				err = m.rename(c.from, c.to)
				if c.want != nil {
					m.want(err, c.want)
					if after := m.mem.Keys(); !slices.Equal(before, after) {
						t.Errorf("a refused rename left %q", after)
					}
					return
				}
				m.ok(err)
				if st := m.stat(c.to); st.Ino != ino {
					t.Errorf("inode number %d became %d", ino, st.Ino)
				}
				if c.from != c.to {
					m.missing(c.from)
				}
				want := renamed(before, c.from, c.to)
				if after := m.mem.Keys(); !slices.Equal(after, want) {
					t.Errorf("keys\n%q, want\n%q", after, want)
				}
				if other := mountOn(t, m.mem, m.clock); !slices.Equal(other.list(""), m.list("")) {
					t.Errorf("the mount shows %q, the bucket has %q", m.list(""), other.list(""))
				}
			})
		})
	}
}

// renamed returns what becomes of keys.
func renamed(keys []string, from, to string) []string {
	set := map[string]bool{}
	for _, key := range keys {
		if key == from || strings.HasPrefix(key, from+"/") {
			key = to + key[len(from):]
		}
		set[key] = true
	}
	var out []string
	for key := range set {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

func TestRenameNoReplaceAndExchange(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("a", "1")
		m.put("b", "2")
		flags := volume.RenameFlags{NoReplace: true}
		m.want(m.Rename(ctx, m.Root(), "a", m.Root(), "b", flags), volume.ErrExist)
		m.ok(m.Rename(ctx, m.Root(), "a", m.Root(), "c", flags))
		if exchange := (volume.RenameFlags{Exchange: true}); caps.RenameObject {
			m.ok(m.Rename(ctx, m.Root(), "b", m.Root(), "c", exchange))
			if b, c := m.object("b"), m.object("c"); b != "1" || c != "2" {
				t.Errorf("after an exchange b holds %q and c %q", b, c)
			}
		} else {
			m.want(m.Rename(ctx, m.Root(), "b", m.Root(), "c", exchange), volume.ErrNotSupported)
		}
		m.names("", "b", "c")
		if caps.ConditionalPut {
			m.missing("d")
			m.foreign("d", "theirs")
			m.want(m.Rename(ctx, m.Root(), "c", m.Root(), "d", flags), volume.ErrExist)
			if got := m.object("d"); got != "theirs" {
				t.Errorf("replaced by %q", got)
			}
			m.names("", "b", "c", "d")
		}
	})
}

func TestRenameOfOpenFiles(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("d/clean", "clean content")
		m.put("d/written", "0123456789")
		m.put("over", "to be replaced")
		clean, written, over := m.open("d/clean", readOnly), m.open("d/written", readWrite), m.open("over", readOnly)
		pending := m.create("d/pending")
		m.writeAll(written, "XX", 0)
		m.writeAll(pending, "pending", 0)

		m.ok(m.rename("d", "e"))
		m.writeAll(pending, "more", 7)
		m.ok(m.rename("e/written", "over"))
		for _, c := range []struct {
			h    *volume.Handle
			want string
		}{{clean, "clean content"}, {written, "XX23456789"}, {over, "to be replaced"}, {pending, "pendingmore"}} {
			if s, err := content(c.h); s != c.want || err != nil {
				t.Errorf("open file reads %q, %v, want %q", s, err, c.want)
			}
		}
		m.writeAll(written, "YY", 8)
		for _, h := range []*volume.Handle{clean, written, over, pending} {
			m.close(h)
		}
		if got := m.object("over"); got != "XX234567YY" {
			t.Errorf("stored %q", got)
		}
		if got := m.object("e/pending"); got != "pendingmore" {
			t.Errorf("stored %q", got)
		}
		if want := []string{"e/", "e/clean", "e/pending", "over"}; !slices.Equal(m.mem.Keys(), want) {
			t.Errorf("keys %q, want %q", m.mem.Keys(), want)
		}
	})
}

func TestRenameOfLargeDirectory(t *testing.T) {
	m := newMount(t, plain)
	m.mkdir("d")
	const files = 2500
	for i := range files {
		m.foreign(fmt.Sprintf("d/%04d", i), "x")
	}
	m.mem.ResetCounts()
	m.ok(m.rename("d", "e"))
	if n := m.mem.Counts()[s3client.OpDeleteMany]; n != 3 {
		t.Errorf("%d batches of removals, want 3", n)
	}
	if got := m.list("e"); len(got) != files {
		t.Errorf("%d entries, want %d", len(got), files)
	}
	m.missing("d")
}

func TestFailedCopyOfDirectoryChangesNothing(t *testing.T) {
	m := newMount(t, plain)
	m.mkdir("d")
	m.mkdir("target")
	for i := range 30 {
		m.put(fmt.Sprintf("d/%02d", i), "x")
	}
	before := m.mem.Keys()
	m.faults.set(func(op, key string) error {
		if op == s3client.OpCopy && key == "d/20" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	m.want(m.rename("d", "target"), s3client.ErrAccess)
	if after := m.mem.Keys(); !slices.Equal(after, before) {
		t.Errorf("keys\n%q, want\n%q", after, before)
	}
	if got := m.get("d/07"); got != "x" {
		t.Errorf("content %q", got)
	}
	m.names("target")
	m.faults.set(nil)
	m.ok(m.rename("d", "target"))
	if got := len(m.list("target")); got != 30 {
		t.Errorf("%d entries", got)
	}
}

// What another client stores below a directory while that is renamed by copies is not lost, and the old name leads to it.
func TestStoredAnewWhileTheDirectoryIsCopied(t *testing.T) {
	m, c := newMeddling(t, conditional, s3client.OpCopy, "d/a", false)
	m.mkdir("d")
	m.put("d/a", "one")
	m.put("d/b", "two")
	c.do = func() { m.foreign("d/a", "theirs") }
	m.ok(m.rename("d", "e"))
	m.names("", "d", "e")
	m.names("e", "a", "b")
	m.names("d", "a")
	if m.get("e/a") != "one" || m.get("d/a") != "theirs" {
		t.Errorf("e/a has %q, d/a %q", m.get("e/a"), m.get("d/a"))
	}
}

// Only the marker of the directory itself is another by now.
func TestMarkerChangedWhileTheDirectoryIsCopied(t *testing.T) {
	m, c := newMeddling(t, conditional, s3client.OpCopy, "d/", false)
	m.mkdir("d")
	m.put("d/a", "one")
	c.do = func() { m.foreign("d/", "theirs") }
	m.ok(m.rename("d", "e"))
	m.mustHave("theirs")
	m.names("e", "a")
}

func TestMadeWhereADirectoryIsCopiedTo(t *testing.T) {
	for _, lose := range []bool{false, true} {
		m, c := newMeddling(t, conditional, s3client.OpCopy, "d/a", lose)
		m.mkdir("d")
		m.put("d/a", "one")
		m.put("d/b", "two")
		before := append(m.mem.Keys(), "e/b")
		if lose { // a copy that cannot be told from another client's
			before = slices.Insert(before, len(before)-1, "e/a")
		}
		c.do = func() { m.foreign("e/b", "theirs") }
		m.want(m.rename("d", "e"), volume.ErrNotEmpty)
		if after := m.mem.Keys(); !slices.Equal(after, before) {
			t.Errorf("lost %v: keys %q, want %q", lose, after, before)
		}
		if m.get("e/b") != "theirs" || m.get("d/b") != "two" {
			t.Errorf("lost %v: e/b has %q, d/b %q", lose, m.get("e/b"), m.get("d/b"))
		}
	}
}

// The copy of an object without times whose answer got lost is not told from that of another client, who may be about to
// remove the source: nothing is removed.
func TestLostAnswerToACopyOfADirectory(t *testing.T) {
	m, c := newMeddling(t, conditional, s3client.OpCopy, "d/a", true)
	m.foreign("d/a", "one")
	m.foreign("d/b", "two")
	c.do = func() {}
	m.want(m.rename("d", "e"), volume.ErrNotEmpty)
	if want := []string{"d/a", "d/b", "e/a"}; !slices.Equal(m.mem.Keys(), want) {
		t.Errorf("keys %q, want %q", m.mem.Keys(), want)
	}
}

// A service may have conditions for all but copies: it is looked at what is there.
func TestDirectoryIsCopiedWithoutConditions(t *testing.T) {
	m := newMount(t, conditional, func(o *volume.Options, u *upload.Options) {
		o.Client = copiesAnyway{o.Client}
		u.Client = o.Client
	})
	m.mkdir("d")
	m.put("d/a", "one")
	m.put("d/b", "two")
	m.mem.ResetCounts()
	m.ok(m.rename("d", "e"))
	m.counted(s3client.OpGet, 0, 0)
	m.names("e", "a", "b")
	m.foreign("f/b", "theirs")
	m.clock.advance(time.Minute)
	m.mkdir("g")
	m.put("g/b", "mine")
	m.want(m.rename("g", "f"), volume.ErrNotEmpty)
	m.mustHave("theirs")
	m.mustHave("mine")
}

// copiesAnyway is a client of a service that refuses conditions on what a copy replaces.
type copiesAnyway struct{ s3client.Client }

func (c copiesAnyway) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	if opt.IfNoneMatch || opt.IfMatch != "" {
		return s3client.ObjectInfo{}, &s3client.Error{Op: s3client.OpCopy, Key: dst, Code: "NotImplemented", Status: 501, Err: s3client.ErrUnsupported}
	}
	return c.Client.Copy(ctx, dst, src, opt)
}

func TestLargeObjectMadeWhereADirectoryIsCopiedTo(t *testing.T) {
	c := &meddling{op: s3client.OpCopy, key: "d/a"}
	m := newMount(t, conditional, func(o *volume.Options, u *upload.Options) {
		c.Client, o.Client, o.Parallel = o.Client, c, 1
		u.PartSize, u.MultipartThreshold, u.SingleCopyLimit = 5<<20, 6<<20, 6<<20
	})
	m.mkdir("d")
	m.put("d/a", "one")
	m.foreign("d/b", strings.Repeat("large", 2<<20))
	c.do = func() { m.foreign("e/b", "theirs") }
	m.want(m.rename("d", "e"), volume.ErrNotEmpty)
	m.mustHave("theirs")
	m.names("e", "b")
}

// What a rename that fails has not copied is not its to remove.
func TestFailedCopyOfADirectoryLeavesWhatOthersHaveMade(t *testing.T) {
	for name, caps := range map[string]s3client.Capabilities{"conditional": conditional, "plain": plain} {
		for _, fault := range []error{s3client.ErrAccess, s3client.ErrUnavailable} {
			m := newMount(t, caps)
			m.put("other", "")
			m.mkdir("d")
			m.put("d/a", "one")
			m.faults.set(func(op, key string) error {
				if op != s3client.OpCopy {
					return nil
				}
				m.foreign("e/a", "theirs")
				return &s3client.Error{Op: op, Key: key, Err: fault}
			})
			err := m.rename("d", "e")
			m.want(err, fault)
			m.mustHave("theirs")
			if said := strings.Contains(err.Error(), `"e/a"`); said != (fault == s3client.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A copy without an answer is undone if it is found.
func TestCopyOfADirectoryWithoutAnAnswerIsUndone(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("d/a", "one")
		before := m.mem.Keys()
		m.faults.set(func(op, key string) error {
			if op == "after "+s3client.OpCopy {
				return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
			}
			return nil
		})
		if err := m.rename("d", "e"); caps.RenamePrefix {
			m.ok(err)
			return
		} else {
			m.want(err, s3client.ErrUnavailable)
		}
		if after := m.mem.Keys(); !slices.Equal(after, before) {
			t.Errorf("keys %q, want %q", after, before)
		}
	})
}

func TestFailedRemovalAfterCopyIsReported(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "x")
	m.faults.set(func(op, key string) error {
		if op == s3client.OpDelete {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	m.want(m.rename("f", "g"), s3client.ErrAccess)
	m.want(m.unlink("f"), s3client.ErrAccess)
	m.names("", "f", "g")
	if m.get("f") != "x" || m.get("g") != "x" {
		t.Error("content lost")
	}
}

func TestRenameWhoseAnswerGotLost(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.put("f", "x")
	m.missing("g")
	first := true
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpRename && first { // the attempt that a retry repeats
			first = false
			m.ok(m.mem.Rename(ctx, "g", "f", s3client.RenameOptions{}))
		}
		return nil
	})
	m.ok(m.rename("f", "g"))
	m.names("", "g")
}

// watched is a client that calls a function before each HEAD and PUT.
type watched struct {
	s3client.Client
	before *func(op, key string)
}

func (c watched) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	(*c.before)(s3client.OpHead, key)
	return c.Client.Head(ctx, key)
}

func (c watched) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	(*c.before)(s3client.OpPut, key)
	return c.Client.Put(ctx, key, body, opt)
}

// TestRenameIntoANewDirectoryBesideOneOfIt renames into a directory that was not sent yet, while somebody else has begun to
// wait for renaming a directory above that.
func TestRenameIntoANewDirectoryBesideOneOfIt(t *testing.T) {
	for what, first := range map[string][2]string{ // a request that is sent when the paths are locked
		"x": {s3client.OpHead, "o/x"},
		"y": {s3client.OpPut, "o/y/"},
	} {
		synctest.Test(t, func(t *testing.T) {
			before := func(string, string) {}
			m := newJournaled(t, conditional, ttl(0), func(o *volume.Options, _ *upload.Options) { o.Client = watched{o.Client, &before} })
			m.mkdir("o")
			m.mkdir("d")
			m.put("o/x", "data")
			m.stored()
			m.mkdir("o/y")
			m.mkdir("d/e")
			root, o := m.Root(), volumeDir(m, "o")
			e, requests := volumeDir(m, "d/e"), 0
			done := make(chan error, 1)
			before = func(op, key string) {
				if op != first[0] || key != first[1] {
					return
				}
				if requests++; what == "x" && requests < 2 { // the first is sent before
					return
				}
				before = func(string, string) {}
				go func() { done <- m.Rename(ctx, root, "d", root, "z", volume.RenameFlags{}) }()
				synctest.Wait()
			}
			if err := m.Rename(ctx, o, what, e, "new", volume.RenameFlags{}); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if err := <-done; err != nil {
				t.Errorf("%s: the other: %v", what, err)
			}
			m.names("z/e", "new")
		})
	}
}

// volumeDir returns the inode of a directory.
func volumeDir(m *mount, path string) *volume.Inode {
	m.t.Helper()
	n, _, err := m.walk(path)
	m.ok(err)
	return n
}

// A directory whose attributes change while a rename of one above stores it has them under its new name.
func TestDirectoryChangesWhileOneAboveIsRenamed(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("a")
		m.mkdir("a/b")
		n, _, err := m.walk("a/b")
		m.ok(err)
		mode := uint32(0o711)
		changed := make(chan error, 1)
		m.faults.set(func(op, key string) error {
			if op == s3client.OpPut && key == "a/b/" {
				go func() { // it is done at once, and then waits to be journaled
					_, err := m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
					changed <- err
				}()
				for { // until it is there to be seen
					st, err := m.Getattr(ctx, n)
					if err != nil || st.Mode == attr.Dir|mode || len(changed) > 0 {
						break
					}
					runtime.Gosched()
				}
			}
			return nil
		})
		m.ok(m.rename("a", "c"))
		m.ok(<-changed)
		m.faults.set(nil)
		m.ok(m.Sync(ctx))
		if got := mountOn(t, m.mem, m.clock).stat("c/b").Mode; got != attr.Dir|mode {
			t.Errorf("the mode is %o", got)
		}
	})
}

// The rename of a file that another client makes anew meanwhile loses neither: be it that only the answer gets lost, or
// that the file is copied and removed.
func TestRenameLosesNothingOfAnotherClient(t *testing.T) {
	for _, c := range []struct {
		what string
		caps s3client.Capabilities
		op   string
		lose bool
	}{
		{"answer to the rename lost", memclient.Full(), s3client.OpRename, true},
		{"after the copy", conditional, s3client.OpCopy, false},
		{"answer to the removal lost", conditional, s3client.OpDelete, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			m, other := newMeddling(t, c.caps, c.op, "d/a", c.lose)
			m.mkdir("d")
			m.put("d/a", "one")
			other.do = func() { m.foreign("d/a", "theirs") }
			m.ok(m.rename("d/a", "d/b"))
			m.clock.advance(time.Minute)
			for path, want := range map[string]string{"d/a": "theirs", "d/b": "one"} {
				if got := m.get(path); got != want {
					t.Errorf("%s has %q, want %q", path, got, want)
				}
			}
		})
	}
}

// A directory does not take the place of one that another client has made since somebody looked.
func TestDirectoryIsNotRenamedOverAnotherClients(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, noReplace := range []bool{true, false} {
			m := newMount(t, caps)
			m.mkdir("d")
			m.put("d/a", "mine")
			m.missing("e") // as the kernel asks
			m.foreign("e/", "")
			if !noReplace {
				m.foreign("e/a", "theirs")
			}
			if err := m.Rename(ctx, m.Root(), "d", m.Root(), "e", volume.RenameFlags{NoReplace: noReplace}); err == nil {
				t.Errorf("noReplace %v: it is replaced", noReplace)
			}
			if !noReplace {
				m.mustHave("theirs")
			}
			m.mustHave("mine")
		}
	})
}

// A directory that another client has renamed is not there for a second rename: of two that claim a job so, one wins.
func TestRenameOfADirectoryThatIsGone(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("d/a", "job")
		for _, key := range []string{"d/", "d/a"} {
			m.foreign("x"+key[1:], "job")
			m.foreignDelete(key)
		}
		m.want(m.rename("d", "e"), volume.ErrNotExist)
		m.missing("d")
		m.missing("e")
	})
}

// A rename to a name that has the bytes which the source had is not taken for done because another client has replaced the
// source since.
func TestRenameOfWhatAnotherHasReplaced(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		for _, key := range []string{"a", "b", "lock"} {
			m.foreign(key, "")
		}
		m.stat("a")
		m.stat("b")
		m.foreign("a", "theirs")
		if caps.ConditionalPut {
			m.want(m.Rename(ctx, m.Root(), "a", m.Root(), "lock", volume.RenameFlags{NoReplace: true}), volume.ErrExist)
		}
		m.ok(m.rename("a", "b"))
		m.names("", "b", "lock")
		if got := m.object("b"); got != "theirs" {
			t.Errorf("b holds %q", got)
		}
	})
}

// What is not stored of a file that another takes the place of is not sent for that.
func TestRenameOverAFileThatIsNotStoredSendsNothingOfIt(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("g", "new")
		m.put("f", "old")
		h := m.open("f", readWrite)
		defer h.Release()
		m.writeAll(h, "unsaved", 0)
		m.mem.ResetCounts()
		m.ok(m.rename("g", "f"))
		m.counted(s3client.OpPut, 0, 0)
	})
}
