package volume_test

import (
	"errors"
	"fmt"
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

func (m *mount) openDir(path string) *volume.DirHandle {
	m.t.Helper()
	n, _, err := m.walk(path)
	m.ok(err)
	d, err := m.OpenDir(ctx, n)
	m.ok(err)
	m.t.Cleanup(d.Close)
	return d
}

// look looks an entry up as the kernel does: with the listing, and if that does not tell, when somebody asks.
func (m *mount) look(dir *volume.Inode, d *volume.DirHandle, name string) (*volume.Inode, volume.Stat, error) {
	n, st, err := d.Lookup(ctx, name)
	if errors.Is(err, volume.ErrNotTold) {
		return m.Lookup(ctx, dir, name)
	}
	return n, st, err
}

// entries reads up to n entries.
func (m *mount) entries(d *volume.DirHandle, n int) []volume.DirEntry {
	m.t.Helper()
	var list []volume.DirEntry
	for len(list) < n {
		e, more, err := d.Next(ctx)
		m.ok(err)
		if !more {
			break
		}
		list = append(list, e)
	}
	return list
}

func entryNames(list []volume.DirEntry) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

const all = 1 << 30

func TestReaddirEntries(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.mkdir("d/sub")
		_, _, err := m.Symlink(ctx, m.Root(), "link", "d", who)
		m.ok(err)
		m.foreign("d/small", "x")
		m.foreign("d/large", string(make([]byte, 5000)))
		h := m.create("d/pending")
		defer h.Release()
		got := map[string]volume.DirEntry{}
		for _, e := range m.entries(m.openDir("d"), all) {
			got[e.Name] = e
		}
		small := uint32(0) // a symlink and a special file can be as small
		if caps.ListMetadata {
			small = attr.Regular
		}
		for name, mode := range map[string]uint32{
			".": attr.Dir, "..": attr.Dir, "sub": attr.Dir, "small": small, "large": attr.Regular, "pending": attr.Regular,
		} {
			if e, ok := got[name]; !ok || e.Mode != mode {
				t.Errorf("entry %q: %+v, want mode %o", name, e, mode)
			}
		}
		if got["."].Ino != m.stat("d").Ino || got[".."].Ino != 1 {
			t.Errorf("dots %+v %+v", got["."], got[".."])
		}
		for _, name := range []string{"sub", "small", "pending"} {
			if st := m.stat("d/" + name); st.Ino != got[name].Ino {
				t.Errorf("%q has number %d in the listing, %d in stat", name, got[name].Ino, st.Ino)
			}
		}
	})
}

func TestReaddirLookupNeedsNoRequestWhereTheListingTold(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(0))
		for i := range 40 {
			m.foreign(fmt.Sprintf("f%02d", i), "x")
		}
		d := m.openDir("")
		m.mem.ResetCounts()
		for {
			e, more, err := d.Next(ctx)
			m.ok(err)
			if !more {
				break
			}
			if e.Name[0] == '.' {
				continue
			}
			n, st, err := m.look(m.Root(), d, e.Name)
			if err != nil || n.Ino() != e.Ino || st.Size != 1 {
				t.Fatalf("%q: %+v, %v", e.Name, st, err)
			}
		}
		if caps.ListMetadata {
			m.requests(1, "ls -l")
		}
	})
	m := newMount(t, plain)
	for i := range 40 {
		m.foreign(fmt.Sprintf("f%02d", i), "x")
	}
	d := m.openDir("")
	m.mem.ResetCounts()
	for _, e := range m.entries(d, all)[2:] {
		_, _, err := m.Lookup(ctx, m.Root(), e.Name)
		m.ok(err)
	}
	m.requests(1+40, "ls -l on plain S3")
}

func TestReaddirIsCompleteWhileEntriesComeAndGo(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		const files = 2600
		for i := range files {
			m.foreign(fmt.Sprintf("f%04d", i), "x")
		}
		stays := m.create("f1000-pending")
		d := m.openDir("")
		list := entryNames(m.entries(d, 1200))
		m.close(stays) // stored now, behind or before the position
		for i := range files {
			if i%10 == 3 {
				m.ok(m.unlink(fmt.Sprintf("f%04d", i)))
			}
		}
		m.foreign("f0000-new", "x")
		m.foreign("f2599-new", "x")
		m.put("a-new", "x")
		list = append(list, entryNames(m.entries(d, all))...)
		seen := map[string]int{}
		for _, name := range list {
			seen[name]++
		}
		for i := range files {
			name := fmt.Sprintf("f%04d", i)
			if n := seen[name]; n > 1 || n == 0 && i%10 != 3 {
				t.Fatalf("%q is listed %d times", name, n)
			}
		}
		if seen["f1000-pending"] != 1 {
			t.Errorf("a file that was stored meanwhile is listed %d times", seen["f1000-pending"])
		}
	})
}

func TestReaddirSeek(t *testing.T) {
	m := newMount(t, plain)
	for i := range 2500 {
		m.foreign(fmt.Sprintf("f%04d", i), "x")
	}
	d := m.openDir("")
	whole := m.entries(d, all)
	if len(whole) != 2502 {
		t.Fatalf("%d entries", len(whole))
	}
	for _, i := range []int{2400, 0, 1, 700, 2500, 1200, 1201, 2501} {
		off := uint64(0)
		if i > 0 {
			off = whole[i-1].Off
		}
		m.ok(d.Seek(ctx, off))
		got := m.entries(d, 3)
		want := whole[i:min(i+3, len(whole))]
		if !slices.Equal(entryNames(got), entryNames(want)) {
			t.Errorf("at %d: %q, want %q", i, entryNames(got), entryNames(want))
		}
	}
	m.ok(d.Seek(ctx, 1<<40))
	if got := m.entries(d, 1); len(got) != 0 {
		t.Errorf("behind the end: %+v", got)
	}
	m.foreign("g", "x")
	m.ok(d.Seek(ctx, 0))
	if got := m.entries(d, all); len(got) != 2503 {
		t.Errorf("%d entries after rewind", len(got))
	}
}

func TestReaddirOfRemovedDirectory(t *testing.T) {
	m := newMount(t, plain)
	m.mkdir("d")
	d := m.openDir("d")
	n, _, err := m.walk("d")
	m.ok(err)
	m.ok(m.rmdir("d"))
	if got := entryNames(m.entries(d, all)); len(got) > 2 {
		t.Errorf("entries %q", got)
	}
	st, err := m.Getattr(ctx, n)
	if err != nil || st.Mode != attr.Dir|0o750 || st.Nlink != 0 {
		t.Errorf("attributes %+v, %v", st, err)
	}
	_, _, err = m.Mkdir(ctx, n, "sub", 0o700, who)
	m.want(err, volume.ErrNotExist)
}

func TestReaddirFailureIsNotTheEnd(t *testing.T) {
	m := newMount(t, memclient.Full())
	for i := range 1500 {
		m.foreign(fmt.Sprintf("f%04d", i), "x")
	}
	d := m.openDir("")
	got := len(m.entries(d, 1002))
	fail := true
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpList && fail {
			return errCut
		}
		return nil
	})
	d2 := m.openDir("")
	m.entries(d2, 2)
	_, _, err := d2.Next(ctx)
	m.want(err, errCut)
	m.faults.set(nil)
	if n := len(m.entries(d2, all)); n != 1500 {
		t.Errorf("%d entries after a failure that passed", n)
	}
	if n := len(m.entries(d, all)); got+n != 1502 {
		t.Errorf("%d entries", got+n)
	}
}

func TestListingIsBoundedByTheCache(t *testing.T) {
	m := newMount(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { o.MaxEntries = 10 })
	for i := range 100 {
		m.foreign(fmt.Sprintf("f%02d", i), "x")
	}
	if got := len(m.list("")); got != 100 {
		t.Errorf("%d entries", got)
	}
	for i := range 100 { // nothing that was evicted is taken for absent
		m.stat(fmt.Sprintf("f%02d", i))
	}
	m.missing("g")
}

// A directory that is renamed while it is read has no name twice, and lacks none.
func TestReaddirGoesOnAfterARename(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		const files = 2300
		for i := range files {
			m.foreign(fmt.Sprintf("up/dir/%04d%s", i, []string{"", "-x", "/below"}[i%3]), "x")
		}
		n, _, err := m.walk("up/dir")
		m.ok(err)
		d, err := m.OpenDir(ctx, n)
		m.ok(err)
		defer d.Close()
		seen := map[string]int{}
		for i := 0; ; i++ {
			switch i {
			case 500:
				m.ok(m.rename("up/dir", "up/other"))
			case 1500:
				m.ok(m.rename("up", "down"))
			}
			e, more, err := d.Next(ctx)
			m.ok(err)
			if !more {
				break
			}
			seen[e.Name]++
		}
		for name, times := range seen {
			if times != 1 {
				t.Errorf("%s was listed %d times", name, times)
			}
		}
		if len(seen) != files+2 {
			t.Errorf("%d names were listed, of %d", len(seen), files+2)
		}
		m.stat("down/other/0000") // what was not repeated is not thought to be gone
	})
}

// Directories are listed with their attributes where the service tells of markers, and what another client changes, adds or
// removes shows with the next listing.
func TestListingTellsOfDirectories(t *testing.T) {
	m := newMount(t, memclient.Full())
	marker := func(key, mode string) {
		_, err := m.mem.Another().Put(ctx, key, strings.NewReader(""), s3client.PutOptions{Meta: s3client.Meta{"mode": mode}})
		m.ok(err)
	}
	check := func(what string, want map[string]uint32) {
		m.clock.advance(time.Hour)
		d := m.openDir("")
		m.mem.ResetCounts()
		for _, e := range m.entries(d, all)[2:] {
			if _, st, err := m.look(m.Root(), d, e.Name); err != nil || st.Mode&0o777 != want[e.Name] {
				t.Errorf("%s: %q has mode %o, error %v, want %o", what, e.Name, st.Mode, err, want[e.Name])
			}
		}
		m.requests(1, what)
	}
	marker("a/", "16832") // 0700
	m.foreign("a/x", "x")
	m.foreign("b/x", "x")
	check("ls -l of directories", map[string]uint32{"a": 0o700, "b": 0o755})
	marker("a/", "16872") // 0750
	marker("b/", "16832")
	check("another client's chmod", map[string]uint32{"a": 0o750, "b": 0o700})
	m.foreignDelete("b/")
	check("a marker that is gone", map[string]uint32{"a": 0o750, "b": 0o755})
}

func TestReadRootIsOneRequest(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign("a", "x")
	m.foreign("d/x", "x")
	m.stat("")
	m.mem.ResetCounts()
	m.ReadRoot()
	m.stat("a")
	m.stat("d")
	m.requests(1, "lookups in the root after the mount")
	m.foreign("new", "x")
	m.stat("new") // as nobody has looked before
}

// What is read at the mount is not believed for long, as nobody here has looked at it.
func TestReadRootIsSoonForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t, memclient.Full())
		m.foreign("a", "x")
		m.ReadRoot()
		time.Sleep(2 * time.Second) // of the bubble
		m.foreign("a", "larger")
		if st := m.stat("a"); st.Size != 6 {
			t.Errorf("size is %d", st.Size)
		}
	})
}

// Of a name that another client has given to something else, a listing tells what that is.
func TestListingTellsWhatHasReplacedAFile(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(0))
		m.put("f", "content")
		m.mkdir("d")
		inodes := make([]*volume.Inode, 0, 2) // alive, as while the kernel has them
		for _, name := range []string{"f", "d"} {
			n, _, err := m.walk(name)
			m.ok(err)
			inodes = append(inodes, n)
		}
		for _, key := range []string{"f", "d/"} {
			m.foreignDelete(key)
		}
		m.foreign("f/", "")
		m.foreign("d", "content")
		file := uint32(0) // not known, but not a directory
		if caps.ListMetadata {
			file = attr.Regular
		}
		for _, e := range m.entries(m.openDir(""), all) {
			if e.Name == "f" && e.Mode != attr.Dir || e.Name == "d" && e.Mode != file {
				t.Errorf("%q has type %o", e.Name, e.Mode)
			}
		}
		runtime.KeepAlive(inodes)
	})
}

// Who reads a directory slowly is not told what the listing said of its files long ago, and nothing is asked before he
// wants to know.
func TestAgedListingTellsNoAttributes(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(10*time.Second))
		for _, key := range []string{"d/a", "d/b", "d/c/", "d/e"} {
			m.foreign(key, "1")
		}
		d := m.openDir("d")
		m.entries(d, 3) // with . and ..
		m.clock.advance(20 * time.Second)
		m.foreign("d/b", "a longer one")
		m.foreignDelete("d/e")
		dir, _, err := m.walk("d")
		m.ok(err)
		m.mem.ResetCounts()
		for _, e := range m.entries(d, all) {
			_, _, err := d.Lookup(ctx, e.Name)
			m.want(err, volume.ErrNotTold)
		}
		m.requests(0, "names alone")
		_, st, err := m.Lookup(ctx, dir, "b")
		if m.ok(err); st.Size != 12 {
			t.Errorf("size %d", st.Size)
		}
		m.missing("d/e")
	})
}
