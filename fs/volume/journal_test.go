package volume_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/attr"
	"pail/fs/journal/journaltest"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// deaf makes all PUTs fail, as a service that is away.
func (m *mount) deaf() { m.failPuts() }

func TestJournaledCloseDoesNotWaitForTheService(t *testing.T) {
	m := newJournaled(t, conditional)
	m.deaf()
	m.put("f", "data") // fails if Flush does
	if s := m.Status(); s.Unsaved != 1 || s.Bytes != 4 {
		t.Errorf("status is %+v", s)
	}
	if got := m.get("f"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.faults.set(nil)
	m.stored()
	if got := m.object("f"); got != "data" {
		t.Errorf("the service has %q", got)
	}
}

func TestCrashLosesNothingThatWasClosed(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		long := strings.Repeat("0123456789", 200) // in a data file
		m.put("changed", long)
		m.put("truncated", "to be cut")
		m.put("mode", "bytes")
		m.stored()
		m.deaf()
		m.put("new", "small")
		m.put("large", long)
		h := m.open("changed", readWrite)
		m.writeAll(h, "XY", 5)
		m.writeAll(h, "end", int64(len(long))+10)
		m.close(h)
		h = m.open("truncated", readWrite)
		m.ok(h.Truncate(ctx, 2))
		m.close(h)
		h = m.open("mode", readWrite)
		mode := uint32(0o600)
		_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
		m.ok(err)
		m.writeAll(h, "B", 0)
		m.close(h)
		h = m.create("not closed")
		m.writeAll(h, "data", 0)
		wanted := map[string]string{
			"new": "small", "large": long, "truncated": "to", "mode": "Bytes",
			"changed": long[:5] + "XY" + long[7:] + strings.Repeat("\x00", 10) + "end",
		}
		before := m.stat("changed")

		m = m.crash()
		for path, data := range wanted { // at once
			if got := m.get(path); got != data {
				t.Errorf("%q has %q, want %q", path, got, data)
			}
		}
		if st := m.stat("mode"); st.Mode&0o777 != 0o600 {
			t.Errorf("mode is %o", st.Mode)
		}
		if st := m.stat("changed"); !st.Mtime.Equal(before.Mtime) || st.Ino != before.Ino || st.UID != before.UID {
			t.Errorf("attributes are %+v, want %+v", st, before)
		}
		m.missing("not closed")
		m.stored()
		for path, data := range wanted {
			if got := m.object(path); got != data {
				t.Errorf("the service has %q in %q, want %q", got, path, data)
			}
		}
		if len(m.mem.Keys()) != len(wanted) {
			t.Errorf("the service has %q", m.mem.Keys())
		}
		m = m.crash()
		if s := m.Status(); s.Unsaved != 0 {
			t.Errorf("what is stored comes back: %+v", s)
		}
	})
}

// TestChangedModeKeepsWhatIsJournaled changes a mode after bytes that are in the journal.
func TestChangedModeKeepsWhatIsJournaled(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "0123456789")
	m.stored()
	m.deaf()
	h := m.open("f", readWrite)
	m.ok(h.Truncate(ctx, 2))
	m.ok(h.Truncate(ctx, 8)) // zeros, of which the journal has no bytes
	m.writeAll(h, "x", 4)
	m.ok(h.Fsync(ctx))
	mode := uint32(0o600)
	_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
	m.ok(err)
	m.close(h)
	for range 2 { // what is restored is kept too
		m = m.crash()
		m.deaf()
		if got := m.get("f"); got != "01\x00\x00x\x00\x00\x00" {
			t.Fatalf("it has %q", got)
		}
		n, _, err := m.walk("f")
		m.ok(err)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		m.ok(err)
	}
}

// TestFlushIsInTheJournalBesideOthers has others change the mode, and sync it, while one writes.
func TestFlushIsInTheJournalBesideOthers(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "0")
	m.stored()
	h := m.open("f", readWrite)
	defer h.Release()
	m.deaf()
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for mode := uint32(0o600); ; mode ^= 0o040 {
				select {
				case <-stop:
					return
				default:
				}
				_, _ = m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
				_ = h.Fsync(ctx)
			}
		})
	}
	defer others.Wait()
	defer close(stop)
	for i, end := 0, time.Now().Add(time.Second); time.Now().Before(end); i++ {
		want := strings.Repeat(string(rune('a'+i%26)), 1+i%7)
		m.ok(h.Truncate(ctx, 0))
		m.writeAll(h, want, 0)
		m.ok(h.Flush(ctx))
		var got string
		for _, e := range m.log.Entries() {
			m.ok(m.log.Read(e.ID, func(p []byte, _ int64) error {
				got += string(p)
				return nil
			}))
		}
		if got != want {
			t.Fatalf("round %d: the journal has %q, want %q", i, got, want)
		}
	}
}

// TestCrashAfterALostAnswer has the service take versions of which the mount never hears.
func TestCrashAfterALostAnswer(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("old", "1")
	m.stored()
	m.faults.set(func(op, _ string) error {
		if op == "after "+s3client.OpPut {
			return errCut
		}
		return nil
	})
	m.put("new", "data")
	h := m.open("old", readWrite)
	m.writeAll(h, "22", 0)
	m.ok(h.Flush(ctx))
	m.writeAll(h, "333", 0)
	m.close(h)
	m = m.crash()
	m.stored()
	if m.object("new") != "data" || m.object("old") != "333" || len(m.mem.Keys()) != 2 {
		t.Errorf("%q, %q; the service has %q", m.object("new"), m.object("old"), m.mem.Keys())
	}
}

// TestPowerCutLongAfterItWasSent cuts the power of a mount that had nothing to do for a while.
func TestPowerCutLongAfterItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
		m.put("gone", "1")
		m.put("replaced", "1")
		time.Sleep(10 * time.Second)
		m.foreignDelete("gone")
		m.foreign("replaced", "2")
		m.dead = true
		disk := m.disk.Crash(rand.New(rand.NewPCG(1, 1)), 0)
		after := mountOn(t, m.mem, m.clock, journaled(t, disk))
		if s := after.Status(); s.Unsaved != 0 {
			t.Errorf("what was stored is sent again: %+v", s)
		}
		after.stored()
		if keys := m.mem.Keys(); len(keys) != 1 || m.object("replaced") != "2" {
			t.Errorf("the service has %q", keys)
		}
	})
}

func TestRemovedBeforeItWasSent(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("old", "1")
	m.stored()
	m.deaf()
	m.put("new", "data")
	h := m.open("old", readWrite)
	m.writeAll(h, "2", 0)
	m.close(h)
	m.ok(m.unlink("new"))
	m.ok(m.unlink("old"))
	m = m.crash()
	m.names("")
	m.ok(m.Sync(ctx))
	if keys := m.mem.Keys(); len(keys) != 0 {
		t.Errorf("the service has %q", keys)
	}
}

// TestRemovedAfterALostAnswer removes files that the service has, but of which the mount never heard.
func TestRemovedAfterALostAnswer(t *testing.T) {
	for _, crash := range []bool{false, true} {
		m := newJournaled(t, conditional)
		m.mkdir("d")
		m.stored()
		m.faults.set(func(op, _ string) error {
			if op == s3client.OpHead || op == "after "+s3client.OpPut { // it does not find out
				return errCut
			}
			return nil
		})
		m.put("d/f", "data")
		for deadline := time.Now().Add(30 * time.Second); len(m.mem.Keys()) < 2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing was sent")
			}
		}
		if crash {
			m = m.crash()
		}
		m.faults.set(nil)
		m.ok(m.unlink("d/f"))
		m.stored()
		if keys := m.mem.Keys(); len(keys) != 1 {
			t.Errorf("crash %v: the service has %q", crash, keys)
		}
		m.second().names("d")
		m.ok(m.rmdir("d"))
	}
}

func TestRenamedBeforeItWasSent(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("d")
		m.put("d/a", "data")
		m.put("b", "old")
		m.ok(m.rename("d/a", "b"))
		m.put("d/c", "more")
		m.ok(m.rename("d", "e"))
		m = m.crash()
		m.names("", "b", "e")
		m.names("e", "c")
		m.stored()
		if m.object("b") != "data" || m.object("e/c") != "more" {
			t.Errorf("b has %q, e/c %q", m.object("b"), m.object("e/c"))
		}
	})
}

// TestUnsentFileLeavesADirectoryWithoutMarker: a directory that is there only for the keys of another client goes with the
// last of them, also if a file was here in it for a moment of which the service has never heard.
func TestUnsentFileLeavesADirectoryWithoutMarker(t *testing.T) {
	m := newJournaled(t, conditional, ttl(0))
	m.foreign("b/a/b", "theirs")
	for _, leave := range []func() error{
		func() error { return m.rename("b/b", "a") },
		func() error { return m.unlink("b/b") },
	} {
		m.deaf()
		m.put("b/b", "mine")
		m.ok(leave())
		m.faults.set(nil)
		m.stored()
		m.names("b", "a")
	}
	m.foreignDelete("b/a/b")
	m.names("", "a")
}

// TestRenamedDirectoryIsNoOpenFile: directories that were made a moment ago are not looked for as files under their new path.
func TestRenamedDirectoryIsNoOpenFile(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("d")
		for i := range 20 {
			m.mkdir(fmt.Sprint("d/", i))
		}
		var asked atomic.Value
		m.faults.set(func(op, key string) error {
			if op == s3client.OpHead && strings.HasPrefix(key, "e/") && !strings.HasSuffix(key, "/") {
				asked.Store(key)
			}
			return nil
		})
		m.ok(m.rename("d", "e"))
		if key := asked.Load(); key != nil {
			t.Errorf("the service was asked for a file %q", key)
		}
		m.mkdir("e/7/new")
		m.stored()
		m.names("e/7", "new")
	})
}

func TestFullJournalMakesTheWriterWait(t *testing.T) {
	m := newJournaled(t, conditional)
	m.disk.Capacity = 100
	m.put("f", "data")
	if got := m.object("f"); got != "data" { // when close returns
		t.Errorf("the service has %q", got)
	}
	m.deaf()
	h := m.create("g")
	m.writeAll(h, "data", 0)
	m.want(h.Flush(ctx), volume.ErrNoSpace)
	h.Release()
	if got := m.get("g"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.disk.Capacity = 0
	m.faults.set(nil)
}

func TestUnmountWhileTheServiceIsAway(t *testing.T) {
	m := newJournaled(t, conditional, func(o *volume.Options, _ *upload.Options) { o.Parallel = 2 })
	m.deaf()
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		m.put(name, name)
	}
	h := m.create("open")
	m.writeAll(h, "data", 0)
	err := m.Close(ctx)
	m.want(err, volume.ErrUnsent)
	if !strings.Contains(err.Error(), "7 files with 10 bytes") {
		t.Errorf("it says %v", err)
	}
	m = m.crash()
	if got := m.get("open"); got != "data" {
		t.Errorf("it reads %q", got)
	}
	m.stored()
	if keys := m.mem.Keys(); len(keys) != 7 {
		t.Errorf("the service has %q", keys)
	}
}

func TestConflictInTheBackground(t *testing.T) {
	m := newJournaled(t, conditional)
	m.put("f", "old")
	m.stored()
	m.deaf()
	h := m.open("f", readWrite)
	m.writeAll(h, "mine", 0)
	m.close(h)
	m.foreign("f", "theirs")
	m = m.crash()
	m.stored()
	if m.object("f") != "theirs" || m.object(m.conflictOf("f")) != "mine" {
		t.Errorf("f has %q", m.object("f"))
	}
	if s := m.crash().Status(); s.Unsaved != 0 {
		t.Errorf("what is settled comes back: %+v", s)
	}
}

// TestMadeInOwnDirectories makes everything while the service is away, in a directory that this mount has made.
func TestMadeInOwnDirectories(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newJournaled(t, caps)
		m.mkdir("d")
		m.stored()
		m.faults.set(func(op, _ string) error {
			if op == s3client.OpPut || op == s3client.OpCopy || op == s3client.OpRename {
				return errCut
			}
			return nil
		})
		m.mkdir("d/sub")
		m.mkdir("d/sub/deeper")
		dir, name := m.parent("d/sub/link")
		_, _, err := m.Symlink(ctx, dir, name, "to/there", who)
		m.ok(err)
		_, _, err = m.Mknod(ctx, dir, "fifo", attr.FIFO|0o600, 0, who)
		m.ok(err)
		_, h, _, err := m.Create(ctx, dir, "lock", 0o600, volume.OpenFlags{Write: true, Excl: true}, who)
		m.ok(err)
		m.writeAll(h, "data", 0)
		m.close(h)
		_, _, _, err = m.Create(ctx, dir, "lock", 0o600, volume.OpenFlags{Write: true, Excl: true}, who)
		m.want(err, volume.ErrExist)
		m.ok(m.rename("d/sub/lock", "d/sub/file"))
		mode := uint32(0o700)
		when := time.Unix(1e9, 7).UTC()
		_, err = m.Setattr(ctx, dir, volume.SetAttr{Mode: &mode, Mtime: &when}, nil)
		m.ok(err)
		d, _, err := m.walk("d")
		m.ok(err)
		_, err = m.Setattr(ctx, d, volume.SetAttr{Mode: &mode}, nil) // of one that is stored
		m.ok(err)

		check := func() {
			t.Helper()
			m.names("d", "sub")
			m.names("d/sub", "deeper", "fifo", "file", "link")
			n, _, err := m.walk("d/sub/link")
			m.ok(err)
			if to, err := m.Readlink(ctx, n); to != "to/there" || err != nil {
				t.Errorf("the link leads to %q, %v", to, err)
			}
			if st := m.stat("d/sub/fifo"); st.Mode != attr.FIFO|0o600 || st.UID != who.UID {
				t.Errorf("the FIFO has %+v", st)
			}
			if st := m.stat("d/sub"); st.Mode != attr.Dir|0o700 || !st.Mtime.Equal(when) {
				t.Errorf("the directory has %+v", st)
			}
			if st := m.stat("d"); st.Mode != attr.Dir|0o700 {
				t.Errorf("the directory that was stored has %+v", st)
			}
			if got := m.get("d/sub/file"); got != "data" {
				t.Errorf("the file has %q", got)
			}
		}
		check()
		m = m.crash()
		check()
		m.stored()
		check()
		if keys := m.mem.Keys(); len(keys) != 6 {
			t.Errorf("the service has %q", keys)
		}
	})
}

func TestExclusiveCreateElsewhereAsksTheService(t *testing.T) {
	m := newJournaled(t, conditional)
	m.foreign("d/x", "")
	dir, name := m.parent("d/lock")
	_, h, _, err := m.Create(ctx, dir, name, 0o600, volume.OpenFlags{Write: true, Excl: true}, who)
	m.ok(err)
	if got := m.object("d/lock"); got != "" {
		t.Errorf("it has %q", got)
	}
	m.close(h)
}

// TestTemporaryFilesCostNothing renames files before they are sent, over nothing, over one that is stored and over one
// that is not.
func TestTemporaryFilesCostNothing(t *testing.T) {
	m := newJournaled(t, conditional)
	m.mkdir("d")
	m.put("d/stored", "old")
	m.stored()
	reader := m.open("d/stored", readOnly)
	m.deaf()
	m.put("d/pending", "older")
	for _, name := range []string{"d/stored", "d/pending", "d/new"} {
		m.put("d/tmp", "data of "+name)
		m.ok(m.rename("d/tmp", name))
	}
	m.put("d/lock", "")
	m.ok(m.unlink("d/lock"))
	m = m.crash()
	m.names("d", "new", "pending", "stored")
	m.mem.ResetCounts()
	m.stored()
	if puts := m.mem.Counts()[s3client.OpPut]; puts != 3 {
		t.Errorf("%d PUTs for three files", puts)
	}
	for _, name := range []string{"d/stored", "d/pending", "d/new"} {
		if got := m.object(name); got != "data of "+name {
			t.Errorf("%q has %q", name, got)
		}
	}
	if keys := m.mem.Keys(); len(keys) != 4 {
		t.Errorf("the service has %q", keys)
	}
	if s, err := content(reader); s != "old" && err == nil {
		t.Errorf("who had it open reads %q", s)
	}
}

// TestAnotherClientMakesTheSameNames has two mounts make the same directory and a link in it.
func TestAnotherClientMakesTheSameNames(t *testing.T) {
	m := newJournaled(t, conditional)
	m.mkdir("d")
	m.stored()
	m.deaf()
	m.mkdir("d/sub")
	m.mkdir("d/sub/both")
	dir, _, err := m.walk("d/sub")
	m.ok(err)
	_, _, err = m.Symlink(ctx, dir, "link", "mine", who)
	m.ok(err)
	m.foreign("d/sub/both/", "")
	m.foreign("d/sub/link", "theirs")
	m.faults.set(nil)
	m.stored()
	m.names("d/sub/both")
	if m.object("d/sub/link") != "theirs" || m.object(m.conflictOf("d/sub/link")) != "mine" {
		t.Errorf("the link has %q", m.object("d/sub/link"))
	}
	if s := m.Status(); len(s.Conflicts) != 1 {
		t.Errorf("conflicts are %q", s.Conflicts)
	}
}

// TestServiceAwayFromTheBeginning works in a directory of which the service has never heard.
func TestServiceAwayFromTheBeginning(t *testing.T) {
	m := newJournaled(t, conditional)
	m.mkdir("d")
	m.stored()
	m.names("", "d")
	m.faults.set(func(string, string) error { return errCut })
	m.mkdir("d/sub")
	m.put("d/sub/f", "data")
	m.put("d/sub/tmp", "more")
	m.ok(m.rename("d/sub/tmp", "d/sub/g"))
	m.missing("d/sub/tmp")
	m.ok(m.unlink("d/sub/f"))
	for deadline := time.Now().Add(2 * sendWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		m.missing("d/sub/f") // also when it has been tried to send something
	}
	m = m.crash()
	m.stored()
	m.names("d/sub", "g")
	if got := m.object("d/sub/g"); got != "more" {
		t.Errorf("it has %q", got)
	}
}

// sendWait is more than a file waits before it is sent.
const sendWait = 100 * time.Millisecond

// TestJournaledKinds crashes after calls that leave something to the journal in ways of their own.
func TestJournaledKinds(t *testing.T) {
	t.Run("created to be read", func(t *testing.T) { // as flock(1) does with its file
		for _, m := range []*mount{newJournaled(t, conditional), newMount(t, conditional)} {
			dir, name := m.parent("f")
			_, h, _, err := m.Create(ctx, dir, name, 0o600, volume.OpenFlags{Read: true}, who)
			m.ok(err)
			m.close(h)
			if m.log != nil {
				m = m.crash()
			}
			if got := m.get("f"); got != "" {
				t.Errorf("it has %q", got)
			}
			m.stored()
			if got := m.object("f"); got != "" {
				t.Errorf("the service has %q", got)
			}
		}
	})
	t.Run("written after it got a second name", func(t *testing.T) {
		m := newJournaled(t, memclient.Full())
		h := m.create("f")
		n := h.Inode()
		_, err := m.Link(ctx, n, m.Root(), "g")
		m.ok(err)
		m.deaf()
		m.writeAll(h, "data", 0)
		m.close(h)
		for range 2 {
			m = m.crash()
			m.deaf()
			for _, name := range []string{"f", "g"} {
				if st := m.stat(name); st.Size != 4 || st.Nlink != 2 {
					t.Errorf("%s shows %+v", name, st)
				}
				if got := m.get(name); got != "data" {
					t.Errorf("%s has %q", name, got)
				}
			}
		}
		m.faults.set(nil)
		m.stored()
		if got := m.second().get("g"); got != "data" {
			t.Errorf("another mount sees %q", got)
		}
	})
	t.Run("directories in directories", func(t *testing.T) {
		m := newJournaled(t, conditional)
		m.mkdir("d")
		m.deaf()
		m.mkdir("d/sub")
		m.names("d", "sub")
		if st := m.stat("d"); st.Nlink != 3 {
			t.Errorf("it has %d links", st.Nlink)
		}
		m.mkdir("d/sub/more")
		before, mode := m.stat("d/sub"), uint32(0o700)
		dir, _ := m.parent("d/sub/more")
		st, err := m.Setattr(ctx, dir, volume.SetAttr{Mode: &mode}, nil)
		if m.ok(err); !st.Mtime.Equal(before.Mtime) {
			t.Errorf("chmod made of mtime %v %v", before.Mtime, st.Mtime)
		}
	})
}

// What comes into a directory that was just made, and of which the service has not heard, is there at once.
func TestComesIntoADirectoryMadeHere(t *testing.T) {
	for name, come := range map[string]func(m *mount) error{
		"file":      func(m *mount) error { return m.rename("f", "own/dir/new") },
		"directory": func(m *mount) error { return m.rename("d", "own/dir/new") },
		"name":      func(m *mount) error { return m.link("f", "own/dir/new") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newJournaled(t, conditional)
			m.mkdir("own")
			m.foreign("f", "x")
			m.foreign("d/f", "x")
			m.mkdir("own/dir")
			m.ok(come(m))
			m.stat("own/dir/new")
			m.names("own/dir", "new")
		})
	}
}

// killedBeside has two do something at once: what first gives to the journal is written, but not acknowledged, when second
// begins, which goes on as far as it gets. It returns what is mounted after a kill -9, at the first moment when acked is true.
func (m *mount) killedBeside(acked *atomic.Bool, first, second func() error) *mount {
	m.t.Helper()
	var snap *journaltest.MemFS
	begun, over := false, make(chan error, 1)
	m.disk.Hook = func(op, _ string) error {
		if op != "sync" || snap != nil {
			return nil
		}
		if !begun {
			begun = true
			go func() { over <- second() }()
		}
		if synctest.Wait(); acked.Load() {
			snap = m.disk.Kill()
		}
		return nil
	}
	m.ok(first())
	m.ok(<-over)
	if m.disk.Hook = nil; snap == nil {
		snap = m.disk.Kill()
	}
	return m.after(snap)
}

// What was removed or replaced does not come back after a crash, though somebody synced it at the same time.
func TestSyncedBesideItsEnd(t *testing.T) {
	unlink := func(m *mount) error { return m.unlink("f") }
	rename := func(m *mount) error { return m.rename("other", "f") }
	for what, c := range map[string]struct {
		end       func(m *mount) error // of "f"
		syncFirst bool
		left      string
	}{
		"removed while it is synced":  {unlink, true, "other"},
		"replaced while it is synced": {rename, true, "f"},
		"synced while it is replaced": {rename, false, "f"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newJournaled(t, conditional)
				m.deaf()
				m.put("f", "old")
				m.put("other", "new")
				h := m.open("f", readWrite)
				defer h.Release()
				m.writeAll(h, "unsynced", 0)
				var acked atomic.Bool
				first := func() error {
					err := c.end(m)
					acked.Store(true)
					return err
				}
				second := func() error { return h.Fsync(ctx) }
				if c.syncFirst {
					first, second = second, first
				}
				after := m.killedBeside(&acked, first, second)
				after.names("", c.left)
				if got := after.get(c.left); got != "new" {
					t.Errorf("it holds %q", got)
				}
				m.ok(after.Sync(ctx))
				if after.mustHave("new"); after.log.Stats().Entries > 0 {
					t.Error("the journal keeps something for good")
				}
			})
		})
	}
}
