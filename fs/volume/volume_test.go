package volume_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

func TestFilesAndDirectories(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.put("d/f", "hello")
		m.put("top", "")
		m.names("", "d", "top")
		m.names("d", "f")
		if got := m.get("d/f"); got != "hello" {
			t.Errorf("content %q", got)
		}
		st := m.stat("d/f")
		if st.Mode != attr.Regular|0o640 || st.UID != 1000 || st.GID != 100 || st.Size != 5 || st.Blocks != 1 || st.Nlink != 1 {
			t.Errorf("attributes %+v", st)
		}
		if st := m.stat("d"); st.Mode != attr.Dir|0o750 || st.Size != 4096 || st.Nlink != 2 {
			t.Errorf("attributes of directory %+v", st)
		}
		m.want(m.rmdir("d"), volume.ErrNotEmpty)
		m.want(m.unlink("d"), volume.ErrIsDir)
		m.want(m.rmdir("top"), volume.ErrNotDir)
		m.ok(m.unlink("d/f"))
		m.missing("d/f")
		m.names("d")
		m.ok(m.rmdir("d"))
		m.missing("d")
		m.names("", "top")
	})
}

func TestRequestBudget(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.stat("d")
		m.mem.ResetCounts()

		m.mkdir("d/sub")
		m.requests(1, "mkdir")
		m.put("d/f", "x")
		m.requests(1, "create, write, close")
		m.stat("d/f")
		m.stat("d/f")
		m.requests(0, "stat of a file made here")
		n, _, err := m.walk("d/f")
		m.ok(err)
		mode := uint32(0o600)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		m.ok(err)
		m.requests(1, "chmod of a closed file")
		m.missing("d/g")
		rename := 2
		if caps.RenameObject {
			rename = 1
		}
		m.ok(m.rename("d/f", "d/g"))
		m.requests(rename, "rename of a file")
		m.ok(m.unlink("d/g"))
		m.requests(1, "unlink")

		dir, _ := m.parent("d/x")
		excl := volume.OpenFlags{Write: true, Excl: true}
		if caps.ConditionalPut {
			_, h, _, err := m.Create(ctx, dir, "x", 0o600, excl, who)
			m.ok(err)
			m.writeAll(h, "x", 0)
			m.close(h)
			m.requests(2, "exclusive create, write, close")
			n, h, _, err := m.Create(ctx, dir, "y", 0o600, excl, who)
			m.ok(err)
			_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
			m.ok(err)
			m.writeAll(h, "y", 0)
			m.close(h)
			m.requests(2, "exclusive create, chmod, write, close")
		}

		for _, name := range []string{"1", "2", "3"} {
			m.foreign("l/"+name, name)
		}
		m.names("l", "1", "2", "3")
		m.mem.ResetCounts()
		stats := 3
		if caps.ListMetadata {
			stats = 0
		}
		for range 2 {
			for _, name := range []string{"1", "2", "3"} {
				m.stat("l/" + name)
			}
			m.requests(stats, "stat in a listed directory")
			stats = 0
		}
		m.missing("l/absent")
		m.requests(0, "a name that a listing lacks")

		if got := m.get("l/1"); got != "1" {
			t.Errorf("content %q", got)
		}
		m.requests(1, "open, read, close")
		m.close(m.open("l/1", readWrite))
		m.requests(1, "open, close")
		rmdir := 2 // is it empty?
		if caps.DeleteDirectory {
			rmdir = 1
		}
		m.ok(m.rmdir("d/sub"))
		m.requests(rmdir, "rmdir")
	})
}

func TestChangesOfAnOpenFileRideOnItsCommit(t *testing.T) {
	m := newMount(t, plain)
	h := m.create("f")
	n := h.Inode()
	m.writeAll(h, "data", 0)
	mode, uid := uint32(0o604), uint32(42)
	mtime := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	_, err := m.Setattr(ctx, n, volume.SetAttr{Mode: &mode, UID: &uid}, nil)
	m.ok(err)
	m.ok(m.Setxattr(ctx, n, "user.k", []byte("v"), 0))
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mtime: &mtime}, h)
	m.ok(err)
	m.mem.ResetCounts()
	m.close(h)
	m.requests(1, "close")

	other := mountOn(t, m.mem, m.clock)
	st := other.stat("f")
	if st.Mode != attr.Regular|0o604 || st.UID != 42 || !st.Mtime.Equal(mtime) || string(st.Xattrs["user.k"]) != "v" {
		t.Errorf("stored attributes %+v", st)
	}
}

func TestExplicitTimeSurvivesLaterCommits(t *testing.T) {
	m := newMount(t, memclient.Full())
	mtime := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	h := m.create("f")
	m.writeAll(h, "data", 0)
	m.ok(h.Fsync(ctx))
	_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mtime: &mtime}, h)
	m.ok(err)
	m.close(h)
	if st := m.stat("f"); !st.Mtime.Equal(mtime) {
		t.Errorf("mtime %v", st.Mtime)
	}
	if st := mountOn(t, m.mem, m.clock).stat("f"); !st.Mtime.Equal(mtime) {
		t.Errorf("stored mtime %v", st.Mtime)
	}
	h = m.open("f", readWrite)
	m.writeAll(h, "more", 4)
	m.close(h)
	if st := m.stat("f"); !st.Mtime.After(mtime) {
		t.Errorf("a write left mtime at %v", st.Mtime)
	}
}

func TestHandlesShareContent(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("f", "0123456789")
		a, b := m.open("f", readWrite), m.open("f", readOnly)
		tail := m.open("f", volume.OpenFlags{Write: true, Append: true})
		m.writeAll(a, "AB", 2)
		if s, err := content(b); s != "01AB456789" || err != nil {
			t.Errorf("other handle reads %q, %v", s, err)
		}
		m.writeAll(tail, "end", 0)
		if st := m.stat("f"); st.Size != 13 {
			t.Errorf("size %d", st.Size)
		}
		m.mem.ResetCounts()
		m.close(b)
		m.requests(0, "close of a reader")
		m.close(a)
		m.requests(1, "close of a writer")
		m.close(tail)
		m.requests(0, "close with nothing left to store")
		if got := m.object("f"); got != "01AB456789end" {
			t.Errorf("stored %q", got)
		}
		_, err := m.open("f", readOnly).WriteAt(ctx, []byte("x"), 0)
		m.want(err, volume.ErrBadHandle)
	})
}

func TestTruncate(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("f", "0123456789")
		n, _, err := m.walk("f")
		m.ok(err)
		set := func(size uint64) {
			t.Helper()
			_, err := m.Setattr(ctx, n, volume.SetAttr{Size: &size}, nil)
			m.ok(err)
		}
		set(4)
		if got := m.object("f"); got != "0123" {
			t.Errorf("shorter: %q", got)
		}
		set(6)
		if got := m.object("f"); got != "0123\x00\x00" {
			t.Errorf("longer: %q", got)
		}
		set(0)
		if got := m.object("f"); got != "" {
			t.Errorf("empty: %q", got)
		}
		m.put("g", "old")
		h := m.open("g", volume.OpenFlags{Write: true, Truncate: true})
		if got := m.object("g"); got != "old" {
			t.Errorf("open with O_TRUNC has destroyed the object before its successor is stored: %q", got)
		}
		if st := m.stat("g"); st.Size != 0 {
			t.Errorf("size %d after O_TRUNC", st.Size)
		}
		m.close(h)
		if got := m.object("g"); got != "" {
			t.Errorf("after close: %q", got)
		}
	})
}

func TestPendingFileIsVisibleHere(t *testing.T) {
	m := newMount(t, plain)
	h := m.create("f")
	m.writeAll(h, "abc", 0)
	if st := m.stat("f"); st.Size != 3 {
		t.Errorf("size %d", st.Size)
	}
	m.names("", "f")
	if keys := m.mem.Keys(); len(keys) != 0 {
		t.Errorf("stored already: %q", keys)
	}
	if got := m.get("f"); got != "abc" {
		t.Errorf("second handle reads %q", got)
	}
	dir, name := m.parent("f")
	_, _, _, err := m.Create(ctx, dir, name, 0o600, volume.OpenFlags{Write: true, Excl: true}, who)
	m.want(err, volume.ErrExist)
	m.ok(m.unlink("f"))
	m.missing("f")
	m.names("")
	m.writeAll(h, "def", 3)
	if s, err := content(h); s != "abcdef" || err != nil {
		t.Errorf("unlinked file reads %q, %v", s, err)
	}
	m.close(h)
	if keys := m.mem.Keys(); len(keys) != 0 {
		t.Errorf("stored after unlink: %q", keys)
	}
}

func TestReleaseStoresWhatFlushDidNot(t *testing.T) {
	m := newMount(t, plain)
	h := m.create("f")
	m.ok(h.Flush(ctx))
	m.writeAll(h, "mapped", 0)
	h.Release()
	if got := m.object("f"); got != "mapped" {
		t.Errorf("stored %q", got)
	}
}

func TestUnlinkedFileLivesOn(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("f", "0123456789")
		r, w := m.open("f", readOnly), m.open("f", readWrite)
		m.ok(m.unlink("f"))
		if keys := m.mem.Keys(); len(keys) != 0 {
			t.Fatalf("left: %q", keys)
		}
		m.writeAll(w, "XY", 3)
		m.mem.ResetCounts()
		for _, h := range []*volume.Handle{r, w} {
			if s, err := content(h); s != "012XY56789" || err != nil {
				t.Errorf("reads %q, %v", s, err)
			}
		}
		st, err := m.Getattr(ctx, r.Inode())
		if err != nil || st.Nlink != 0 || st.Size != 10 {
			t.Errorf("attributes %+v, %v", st, err)
		}
		m.put("f", "new")
		ino := m.stat("f").Ino
		if ino == r.Inode().Ino() {
			t.Error("two live files have one inode number")
		}
		m.close(r)
		m.close(w)
		if got := m.object("f"); got != "new" {
			t.Errorf("the unlinked file was stored over the new one: %q", got)
		}
	})
}

func TestParentSurvivesItsLastEntry(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.foreign("a/b", "x")
		m.foreign("c/d", "x")
		m.stat("a/b")
		m.ok(m.unlink("a/b"))
		m.names("", "a", "c")
		m.ok(m.rename("c/d", "e"))
		m.names("", "a", "c", "e")
		m.ok(m.rmdir("a"))
		m.ok(m.rmdir("c"))
		m.names("", "e")
	})
}

func TestSymlinksAndSpecialFiles(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		_, st, err := m.Symlink(ctx, m.Root(), "l", "some/where", who)
		m.ok(err)
		if st.Mode != attr.Symlink|0o777 || st.Size != 10 {
			t.Errorf("symlink %+v", st)
		}
		_, _, err = m.Mknod(ctx, m.Root(), "p", attr.FIFO|0o600, 0, who)
		m.ok(err)
		_, _, err = m.Mknod(ctx, m.Root(), "z", attr.Char|0o600, 0x103, who)
		m.ok(err)
		other := mountOn(t, m.mem, m.clock)
		n, _, err := other.walk("l")
		m.ok(err)
		other.mem.ResetCounts()
		for range 2 {
			if target, err := other.Readlink(ctx, n); target != "some/where" || err != nil {
				t.Errorf("target %q, %v", target, err)
			}
		}
		other.requests(1, "readlink twice")
		if st := other.stat("p"); st.Mode != attr.FIFO|0o600 {
			t.Errorf("fifo %+v", st)
		}
		if st := other.stat("z"); st.Mode != attr.Char|0o600 || st.Rdev != 0x103 {
			t.Errorf("device %+v", st)
		}
		_, _, err = m.Symlink(ctx, m.Root(), "x", strings.Repeat("a", 4096), who)
		m.want(err, volume.ErrNameTooLong)
		_, _, err = m.Symlink(ctx, m.Root(), "l", "again", who)
		m.want(err, volume.ErrExist)
	})
}

func TestXattrs(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "x")
	n, _, err := m.walk("f")
	m.ok(err)
	_, err = m.Getxattr(ctx, n, "user.a")
	m.want(err, volume.ErrNoAttr)
	m.want(m.Setxattr(ctx, n, "user.a", nil, volume.XattrReplace), volume.ErrNoAttr)
	m.ok(m.Setxattr(ctx, n, "user.a", []byte("1"), volume.XattrCreate))
	m.want(m.Setxattr(ctx, n, "user.a", []byte("2"), volume.XattrCreate), volume.ErrExist)
	m.ok(m.Setxattr(ctx, n, "user.b", []byte("2"), 0))
	m.want(m.Setxattr(ctx, n, "user.c", make([]byte, 2000), 0), volume.ErrNoSpace)
	m.want(m.Setxattr(ctx, n, "user.c", make([]byte, 1<<20), 0), volume.ErrTooBig)
	names, err := m.Listxattr(ctx, n)
	if err != nil || strings.Join(names, " ") != "user.a user.b" {
		t.Errorf("names %q, %v", names, err)
	}
	m.ok(m.Removexattr(ctx, n, "user.a"))
	m.want(m.Removexattr(ctx, n, "user.a"), volume.ErrNoAttr)
	other := mountOn(t, m.mem, m.clock)
	n, _, err = other.walk("f")
	m.ok(err)
	if value, err := other.Getxattr(ctx, n, "user.b"); string(value) != "2" || err != nil {
		t.Errorf("stored value %q, %v", value, err)
	}
}

func TestForeignMetadataSurvivesChanges(t *testing.T) {
	m := newMount(t, plain)
	_, err := m.mem.Put(ctx, "f", strings.NewReader("x"), s3client.PutOptions{
		Meta: s3client.Meta{"color": "blue"}, System: s3client.System{ContentType: "text/x-odd", CacheControl: "no-cache"},
	})
	m.ok(err)
	n, _, err := m.walk("f")
	m.ok(err)
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	h := m.open("f", readWrite)
	m.writeAll(h, "y", 1)
	m.close(h)
	info, err := m.mem.Head(ctx, "f")
	m.ok(err)
	if info.Meta["color"] != "blue" || info.System.ContentType != "text/x-odd" || info.System.CacheControl != "no-cache" {
		t.Errorf("%+v", info)
	}
}

func TestOldDirectoryForms(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, func(o *volume.Options, _ *upload.Options) { o.CompatDir = true })
		_, err := m.mem.Put(ctx, "typed", strings.NewReader(""), s3client.PutOptions{
			Meta: s3client.Meta{"mode": "16832"}, System: s3client.System{ContentType: "application/x-directory"},
		})
		m.ok(err)
		m.foreign("hadoop_$folder$", "")
		if st := m.stat("typed"); st.Mode != attr.Dir|0o700 {
			t.Errorf("mode %o", st.Mode)
		}
		if st := m.stat("hadoop"); st.Mode != attr.Dir|0o755 {
			t.Errorf("mode %o", st.Mode)
		}
		m.clock.advance(time.Hour)
		m.names("", "hadoop", "typed")
		if st := m.stat("typed"); st.Mode != attr.Dir|0o700 {
			t.Errorf("mode %o after listing", st.Mode)
		}
		m.put("hadoop/f", "x")
		m.ok(m.rename("hadoop", "moved"))
		m.ok(m.rename("typed", "also"))
		m.names("", "also", "moved")
		m.names("moved", "f")
		if st := m.stat("also"); st.Mode != attr.Dir|0o700 {
			t.Errorf("mode %o after rename", st.Mode)
		}
		m.ok(m.rmdir("also"))
		m.ok(m.unlink("moved/f"))
		m.ok(m.rmdir("moved"))
		if keys := m.mem.Keys(); len(keys) != 0 {
			t.Errorf("left: %q", keys)
		}
	})
}

func TestFileBesideDirectory(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.foreign("a", "file")
		m.foreign("a/b", "below")
		const alias = "a~pail-file"
		m.names("", "a", alias)
		if got := m.get(alias); got != "file" {
			t.Errorf("content %q", got)
		}
		m.names("a", "b")
		h := m.open(alias, readWrite)
		m.writeAll(h, "FILE", 0)
		m.close(h)
		if got := m.object("a"); got != "FILE" {
			t.Errorf("stored %q", got)
		}
		m.ok(m.unlink(alias))
		m.names("", "a")
		m.missing(alias)
	})
}

func TestOverridesAndReadOnly(t *testing.T) {
	uid, mask, rootMask := uint32(5), uint32(0o027), uint32(0o077)
	m := newMount(t, plain, func(o *volume.Options, _ *upload.Options) {
		o.ReadOnly = true
		o.Override = volume.Override{UID: &uid, Umask: &mask, RootUmask: &rootMask}
	})
	m.foreign("f", "x")
	if st := m.stat("f"); st.UID != 5 || st.GID != 8 || st.Mode != attr.Regular|0o750 {
		t.Errorf("%+v", st)
	}
	if st := m.stat(""); st.Mode != attr.Dir|0o700 {
		t.Errorf("root %+v", st)
	}
	n, _, err := m.walk("f")
	m.ok(err)
	_, err = m.Open(ctx, n, readWrite)
	m.want(err, volume.ErrReadOnly)
	m.want(m.unlink("f"), volume.ErrReadOnly)
	m.want(m.rename("f", "g"), volume.ErrReadOnly)
	_, _, err = m.Mkdir(ctx, m.Root(), "d", 0o700, who)
	m.want(err, volume.ErrReadOnly)
	mode := uint32(0)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.want(err, volume.ErrReadOnly)
}

func TestPrefix(t *testing.T) {
	m := newMount(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { o.Keys = keymap.New("a/b/") })
	m.foreign("outside", "x")
	m.foreign("a/b/in", "x")
	m.put("new", "y")
	m.names("", "in", "new")
	mode := uint32(0o711)
	_, err := m.Setattr(ctx, m.Root(), volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	if st := m.stat(""); st.Mode != attr.Dir|0o711 || st.Ino != 1 {
		t.Errorf("root %+v", st)
	}
	if got := strings.Join(m.mem.Keys(), " "); got != "a/b/ a/b/in a/b/new outside" {
		t.Errorf("keys %q", got)
	}
}

func TestNames(t *testing.T) {
	m := newMount(t, plain)
	for name, want := range map[string]error{
		strings.Repeat("n", 256): volume.ErrNameTooLong, "": volume.ErrInvalid, ".": volume.ErrInvalid, "..": volume.ErrInvalid,
		"a/b": volume.ErrInvalid, "x~pail-raw": volume.ErrInvalid,
	} {
		if _, _, err := m.Mkdir(ctx, m.Root(), name, 0o700, who); !errors.Is(err, want) {
			t.Errorf("name %q: %v, want %v", name, err, want)
		}
	}
	for _, name := range []string{strings.Repeat("n", 255), "\xff\xfe", "new\nline", "é", " "} {
		m.put(name, name)
		if got := mountOn(t, m.mem, m.clock).get(name); got != name {
			t.Errorf("%q holds %q", name, got)
		}
	}
	if st := m.Statfs(ctx); st.Size == 0 || st.Free == 0 || st.NameLen != 255 {
		t.Errorf("statfs %+v", st)
	}
}

func TestDirectoryTimes(t *testing.T) {
	m := newMount(t, plain)
	m.mkdir("d")
	before := m.stat("d").Mtime
	m.put("d/f", "x")
	after := m.stat("d").Mtime
	if !after.After(before) {
		t.Errorf("create left mtime at %v", after)
	}
	n, _, err := m.walk("d")
	m.ok(err)
	mtime := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mtime: &mtime}, nil)
	m.ok(err)
	if st := m.stat("d"); !st.Mtime.Equal(mtime) {
		t.Errorf("explicit mtime %v", st.Mtime)
	}
	m.ok(m.unlink("d/f"))
	if st := m.stat("d"); !st.Mtime.After(after) {
		t.Errorf("unlink left mtime at %v", st.Mtime)
	}
}

func TestSetgidDirectoryPassesItsGroupOn(t *testing.T) {
	m := newMount(t, plain)
	_, _, err := m.Mkdir(ctx, m.Root(), "d", 0o2775, volume.Caller{UID: 1, GID: 50})
	m.ok(err)
	m.mkdir("d/sub")
	m.put("d/f", "")
	if st := m.stat("d/sub"); st.GID != 50 || st.Mode != attr.Dir|0o2750 {
		t.Errorf("directory %+v", st)
	}
	if st := m.stat("d/f"); st.GID != 50 || st.Mode != attr.Regular|0o640 {
		t.Errorf("file %+v", st)
	}
}

func TestInterrupts(t *testing.T) {
	m := newMount(t, plain)
	m.put("f", "content")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	m.clock.advance(time.Hour)
	if _, _, err := m.Lookup(gone, m.Root(), "f"); !errors.Is(err, context.Canceled) {
		t.Errorf("lookup: %v", err)
	}
	h := m.open("f", readWrite)
	slow := &deaf{m.faults.Client, make(chan struct{})}
	m.faults.Client = slow
	if _, err := h.ReadAt(gone, make([]byte, 4), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	close(slow.hold)
	m.writeAll(h, "CON", 0)
	m.ok(h.Flush(gone)) // close(2) of a process that gets a signal
	if got := m.object("f"); got != "CONtent" {
		t.Errorf("stored %q", got)
	}
	m.writeAll(h, "x", 0)
	if err := m.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("close of the volume: %v", err)
	}
	h.Release()
	if got := m.object("f"); got != "xONtent" {
		t.Errorf("stored %q", got)
	}
}

func TestClosedVolumeTakesNoChanges(t *testing.T) {
	m := newMount(t, plain)
	h := m.create("f")
	m.writeAll(h, "x", 0)
	m.ok(m.Close(ctx))
	if got := m.object("f"); got != "x" {
		t.Errorf("stored %q", got)
	}
	_, err := h.WriteAt(ctx, []byte("y"), 1)
	m.want(err, volume.ErrClosed)
	m.want(m.unlink("f"), volume.ErrClosed)
	h.Release()
}
