package volume_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

var errCut = errors.New("connection cut")

// conditional is plain S3 as AWS has it today.
var conditional = s3client.Capabilities{ConditionalPut: true}

// conflictOf returns the name of the one conflict file of name.
func (m *mount) conflictOf(name string) string {
	m.t.Helper()
	var found []string
	for _, key := range m.mem.Keys() {
		if strings.HasPrefix(key, name+".conflict-") {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		m.t.Fatalf("conflict files of %q: %q", name, found)
	}
	return found[0]
}

func TestLostUpdateKeepsBothVersions(t *testing.T) {
	for name, open := range map[string]func(m *mount) *volume.Handle{
		"rewritten": func(m *mount) *volume.Handle {
			return m.open("d/f", volume.OpenFlags{Read: true, Write: true, Truncate: true})
		},
		"changed": func(m *mount) *volume.Handle { return m.open("d/f", readWrite) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, conditional)
			m.mkdir("d")
			m.put("d/f", "original version")
			h := open(m)
			reader := m.open("d/f", readOnly)
			second := m.open("d/f", readWrite)
			m.writeAll(h, "mine mine mine!!", 0)
			m.foreign("d/f", "theirs")

			for range 2 { // a close of the same open file by a child process does not hide it
				m.want(h.Flush(ctx), volume.ErrStale)
				m.want(second.Flush(ctx), volume.ErrStale)
			}
			m.want(second.Fsync(ctx), volume.ErrStale)
			m.ok(second.Fsync(ctx))
			if got := m.object("d/f"); got != "theirs" {
				t.Errorf("the winner became %q", got)
			}
			kept := m.conflictOf("d/f")
			if got := m.object(kept); got != "mine mine mine!!" {
				t.Errorf("kept %q", got)
			}
			if got := m.get("d/f"); got != "theirs" {
				t.Errorf("the mount shows %q", got)
			}
			m.names("d", "f", kept[2:])
			if s, err := content(reader); s != "mine mine mine!!" || err != nil {
				t.Errorf("a reader that was open sees %q, %v", s, err)
			}
			_, err := h.WriteAt(ctx, []byte("late"), 0)
			m.want(err, volume.ErrStale)
			for _, h := range []*volume.Handle{h, reader, second} {
				h.Release()
			}
			h = m.open("d/f", readWrite)
			m.writeAll(h, "on top", 6)
			m.close(h)
			if got := m.object("d/f"); got != "theirson top" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

// Another client is quicker than a chmod or a rename, which then does it to that one's version; what was written here in the
// meantime, on top of the version before, is not mixed with that.
func TestLostUpdateWhileTheFileIsChanged(t *testing.T) {
	mode := uint32(0o600)
	rename := func(m *mount, _ *volume.Inode) error { return m.rename("f", "g") }
	for name, test := range map[string]struct {
		op, at string
		do     func(m *mount, n *volume.Inode) error
	}{
		"chmod": {s3client.OpCopy, "f", func(m *mount, n *volume.Inode) error {
			_, err := m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
			return err
		}},
		"rename":         {s3client.OpRename, "g", rename},
		"rename by copy": {s3client.OpCopy, "g", rename},
	} {
		t.Run(name, func(t *testing.T) {
			caps := memclient.Full()
			caps.Patch, caps.RenameObject = false, test.op == s3client.OpRename
			m := newMount(t, caps)
			m.put("f", "the original version")
			h := m.open("f", readWrite)
			meanwhile := sync.OnceFunc(func() {
				m.foreign("f", "theirs")
				m.writeAll(h, "mine", 4)
			})
			m.faults.set(func(op, _ string) error {
				if op == test.op {
					meanwhile()
				}
				return nil
			})
			m.ok(test.do(m, h.Inode()))
			m.want(h.Flush(ctx), volume.ErrStale)
			h.Release()
			if got := m.object(test.at); got != "theirs" {
				t.Errorf("the other client's version became %q", got)
			}
		})
	}
}

// Who has the version before open without having written to it keeps that, and is told when he writes.
func TestRenamedVersionOfAnotherClient(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.put("f", "the original version")
	h := m.open("f", readWrite)
	m.foreign("f", "theirs")
	m.ok(m.rename("f", "g"))
	_, err := h.WriteAt(ctx, []byte("mine"), 4)
	m.want(err, volume.ErrStale)
	h.Release()
	if got := m.get("g"); got != "theirs" {
		t.Errorf("the mount shows %q", got)
	}
}

func TestLostUpdateWithoutTheOldBytes(t *testing.T) {
	m := newMount(t, conditional)
	m.put("f", "0123456789")
	m2 := mountOn(t, m.mem, m.clock) // has none of the bytes
	h := m2.open("f", readWrite)
	m2.writeAll(h, "XX", 2)
	m.foreign("f", "abcde")
	m2.want(h.Flush(ctx), volume.ErrStale)
	if got := m.object(m.conflictOf("f")); got != "abXXe\x00\x00\x00\x00\x00" {
		t.Errorf("kept %q, want what was written amid what is known", got)
	}
	h.Release()
}

func TestRemovedByAnotherClientWhileWritten(t *testing.T) {
	m := newMount(t, conditional)
	m.put("whole", "old")
	m.put("part", "0123456789")
	m.clock.advance(time.Hour)
	m2 := mountOn(t, m.mem, m.clock)
	whole := m2.open("whole", volume.OpenFlags{Write: true, Truncate: true})
	part := m2.open("part", readWrite)
	m2.writeAll(whole, "new", 0)
	m2.writeAll(part, "XX", 2)
	m.foreignDelete("whole")
	m.foreignDelete("part")
	m2.close(whole)
	if got := m.object("whole"); got != "new" {
		t.Errorf("stored again: %q", got)
	}
	m2.want(part.Flush(ctx), volume.ErrStale)
	part.Release()
	if got := m.object(m.conflictOf("part")); got != "\x00\x00XX\x00\x00\x00\x00\x00\x00" {
		t.Errorf("kept %q", got)
	}
}

func TestCreateRace(t *testing.T) {
	m := newMount(t, conditional)
	h := m.create("f")
	m.writeAll(h, "mine", 0)
	m.foreign("f", "theirs")
	m.want(h.Flush(ctx), volume.ErrStale)
	h.Release()
	if got := m.get("f"); got != "theirs" {
		t.Errorf("the mount shows %q", got)
	}
	if got := m.object(m.conflictOf("f")); got != "mine" {
		t.Errorf("kept %q", got)
	}
}

func TestLazyExclusiveCreateIsOneRequest(t *testing.T) {
	lazy := func(o *volume.Options, _ *upload.Options) { o.LazyExcl = true }
	a := newMount(t, conditional, lazy)
	b := mountOn(t, a.mem.Another(), a.clock, lazy)
	excl := volume.OpenFlags{Write: true, Excl: true}
	a.missing("f")
	b.missing("f")
	a.mem.ResetCounts()
	_, h, _, err := a.Create(ctx, a.Root(), "f", 0o600, excl, who)
	a.ok(err)
	_, _, _, err = a.Create(ctx, a.Root(), "f", 0o600, excl, who)
	a.want(err, volume.ErrExist)
	_, other, _, err := b.Create(ctx, b.Root(), "f", 0o600, excl, who)
	b.ok(err)
	a.writeAll(h, "mine", 0)
	a.close(h)
	a.requests(1, "exclusive create, write, close")
	b.writeAll(other, "theirs", 0)
	b.want(other.Flush(ctx), volume.ErrStale)
	other.Release()
	if got := a.object("f"); got != "mine" {
		t.Errorf("stored %q", got)
	}
	if keys := a.mem.Keys(); len(keys) != 2 || a.object(keys[1]) != "theirs" {
		t.Errorf("keys %q", keys)
	}
}

func TestExclusiveCreateHasOneWinner(t *testing.T) {
	for name, caps := range map[string]s3client.Capabilities{"conditional": conditional, "new names only": {ExclusivePut: true}} {
		t.Run(name, func(t *testing.T) { createAtOnce(t, caps) })
	}
}

// createAtOnce makes one name on several mounts.
func createAtOnce(t *testing.T, caps s3client.Capabilities) {
	c := newClock()
	mem := newBucket(caps, c)
	mounts := make([]*mount, 4)
	for i := range mounts {
		mounts[i] = mountOn(t, mem.Another(), c)
		mounts[i].missing("lock")
	}
	var wg sync.WaitGroup
	results := make([]error, len(mounts))
	for i, m := range mounts {
		wg.Go(func() {
			_, h, _, err := m.Create(ctx, m.Root(), "lock", 0o600, volume.OpenFlags{Write: true, Excl: true}, who)
			if results[i] = err; err == nil {
				h.Release()
			}
		})
	}
	wg.Wait()
	winners := 0
	for _, err := range results {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, volume.ErrExist):
			t.Error(err)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
	_, _, err := mounts[0].Mkdir(ctx, mounts[0].Root(), "lock", 0o700, who)
	mounts[0].want(err, volume.ErrExist)
}

func TestFailedCommitIsReportedAndRetried(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("f", "old")
		h := m.open("f", readWrite)
		m.writeAll(h, "new!", 0)
		m.faults.set(func(op, key string) error {
			if op == s3client.OpPut {
				return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
			}
			return nil
		})
		m.want(h.Flush(ctx), s3client.ErrUnavailable)
		m.want(h.Fsync(ctx), s3client.ErrUnavailable)
		h.Release()
		if got := m.object("f"); got != "old" {
			t.Errorf("stored %q", got)
		}
		if got := m.get("f"); got != "new!" {
			t.Errorf("the mount has forgotten the data: %q", got)
		}
		err := m.Close(ctx)
		if m.want(err, s3client.ErrUnavailable); !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("error does not name the file: %v", err)
		}
		m.faults.set(nil)
		m.ok(m.Close(ctx))
		if got := m.object("f"); got != "new!" {
			t.Errorf("stored %q", got)
		}
	})
}

func TestCommitWhoseAnswerGotLost(t *testing.T) {
	m := newMount(t, conditional)
	m.put("f", "old")
	h := m.open("f", readWrite)
	m.writeAll(h, "new!", 0)
	lost := false
	m.faults.set(func(op, _ string) error {
		if op == "after "+s3client.OpPut && !lost {
			lost = true
			return errCut
		}
		return nil
	})
	m.want(h.Flush(ctx), errCut)
	m.ok(h.Flush(ctx))
	h.Release()
	if got := m.mem.Keys(); !slices.Equal(got, []string{"f"}) {
		t.Errorf("keys %q", got)
	}
	if got := m.get("f"); got != "new!" {
		t.Errorf("content %q", got)
	}
}

func TestOpenSeesWhatAnotherMountClosed(t *testing.T) {
	a := newMount(t, conditional)
	b := mountOn(t, a.mem.Another(), a.clock)
	a.put("f", "one")
	if got := b.get("f"); got != "one" {
		t.Errorf("content %q", got)
	}
	old := b.open("f", readOnly)
	defer old.Release()
	h := a.open("f", volume.OpenFlags{Write: true, Truncate: true})
	a.writeAll(h, "second", 0)
	a.close(h)
	if st := b.stat("f"); st.Size != 3 {
		t.Errorf("size %d within the TTL", st.Size)
	}
	if got := b.get("f"); got != "second" {
		t.Errorf("open within the TTL reads %q", got)
	}
	if st := b.stat("f"); st.Size != 6 {
		t.Errorf("size %d after open", st.Size)
	}
	if got, err := content(old); got != "one" || err != nil { // it came with the answer to the open
		t.Errorf("a handle on the old version reads %q, %v", got, err)
	}
	a.foreignLarge("large")
	large := b.open("large", readOnly)
	defer large.Release()
	a.foreign("large", "second")
	if _, err := large.ReadAt(ctx, make([]byte, 10), unfetched); !errors.Is(err, volume.ErrStale) {
		t.Errorf("a handle on the old version: %v, want a mixture never", err)
	}
	a.foreignDelete("large")
	a.ok(a.unlink("f"))
	b.clock.advance(time.Hour)
	b.missing("f")
	b.names("")
}

func TestChangesOfAnotherClientShowAfterTheTTL(t *testing.T) {
	m := newMount(t, memclient.Full(), ttl(10*time.Second))
	m.foreign("d/f", "x")
	m.names("d", "f")
	m.missing("d/g")
	m.foreign("d/g", "y")
	m.foreignDelete("d/f")
	m.missing("d/g")
	m.stat("d/f")
	m.clock.advance(11 * time.Second)
	m.stat("d/g")
	m.missing("d/f")
	m.names("d", "g")
}

func TestFileThatBecomesSomethingElse(t *testing.T) {
	m := newMount(t, plain, ttl(0))
	m.put("x", "file")
	n, _, err := m.walk("x")
	m.ok(err)
	m.foreignDelete("x")
	m.foreign("x/below", "y")
	_, err = m.Open(ctx, n, readOnly)
	m.want(err, volume.ErrStale)
	m.names("x", "below")
	m.foreignDelete("x/below")
	_, err = m.mem.Put(ctx, "x", strings.NewReader("target"), s3client.PutOptions{Meta: s3client.Meta{"mode": "41471"}})
	m.ok(err)
	n, _, err = m.walk("x")
	m.ok(err)
	if target, err := m.Readlink(ctx, n); target != "target" || err != nil {
		t.Errorf("target %q, %v", target, err)
	}
}

func TestMetadataChangeMeetsAnotherClient(t *testing.T) {
	m := newMount(t, conditional)
	m.put("f", "old")
	n, _, err := m.walk("f")
	m.ok(err)
	m.foreign("f", "theirs")
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	if got := m.object("f"); got != "theirs" {
		t.Errorf("chmod brought back %q", got)
	}
	if st := m.stat("f"); st.Mode&0o777 != 0o600 || st.Size != 6 {
		t.Errorf("%+v", st)
	}
}

func TestNoCopyService(t *testing.T) {
	m := newMount(t, plain, func(_ *volume.Options, u *upload.Options) { u.NoCopy = true })
	_, err := m.mem.Put(ctx, "f", strings.NewReader("data"), s3client.PutOptions{
		Meta: s3client.Meta{"color": "blue"}, System: s3client.System{ContentType: "text/x-odd"},
	})
	m.ok(err)
	m.names("", "f")
	m.ok(m.rename("f", "g"))
	n, _, err := m.walk("g")
	m.ok(err)
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	info, err := m.mem.Head(ctx, "g")
	m.ok(err)
	if info.Meta["color"] != "blue" || info.Meta["mode"] != "33152" || info.System.ContentType != "text/x-odd" {
		t.Errorf("%+v", info)
	}
	if got := m.object("g"); got != "data" {
		t.Errorf("content %q", got)
	}
}

func TestConcurrentWriters(t *testing.T) {
	m := newMount(t, conditional)
	m.put("f", "")
	const writers, lines = 8, 20
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			n, _, err := m.walk("f")
			if err != nil {
				t.Error(err)
				return
			}
			for range lines {
				h, err := m.Open(ctx, n, volume.OpenFlags{Write: true, Append: true})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := h.WriteAt(ctx, bytes.Repeat([]byte{'a' + byte(i)}, 10), 0); err != nil {
					t.Error(err)
				}
				if err := h.Flush(ctx); err != nil {
					t.Error(err)
				}
				h.Release()
			}
		})
	}
	wg.Wait()
	if got := m.object("f"); len(got) != writers*lines*10 {
		t.Errorf("%d bytes, want %d", len(got), writers*lines*10)
	}
}

func TestLargeFileChangesTravelAlone(t *testing.T) {
	m := newMount(t, conditional, func(_ *volume.Options, u *upload.Options) {
		u.PartSize, u.MultipartThreshold = 5<<20, 6<<20
	})
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	_, err := m.mem.Put(ctx, "big", bytes.NewReader(big), s3client.PutOptions{})
	m.ok(err)
	h := m.open("big", readWrite)
	m.writeAll(h, "changed", 1<<20)
	m.mem.ResetCounts()
	m.close(h)
	if m.mem.Counts()[s3client.OpCopyPart] == 0 {
		t.Errorf("unchanged parts were sent: %v", m.mem.Counts())
	}
	copy(big[1<<20:], "changed")
	if got := m.object("big"); got != string(big) {
		t.Error("stored object differs")
	}
	h = m.open("big", readWrite)
	mode := uint32(0o600)
	_, err = m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, nil) // gives the object another ETag
	m.ok(err)
	buf := make([]byte, 16)
	if _, err := h.ReadAt(ctx, buf, 8<<20); err != nil && err != io.EOF || string(buf) != "0123456789abcdef" {
		t.Errorf("open handle reads %q, %v after chmod", buf, err)
	}
	m.ok(m.rename("big", "moved"))
	if _, err := h.ReadAt(ctx, buf, 12<<20); err != nil || string(buf) != "0123456789abcdef" {
		t.Errorf("open handle reads %q, %v after rename", buf, err)
	}
	h.Release()
}
