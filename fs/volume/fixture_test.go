package volume_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/journal/journaltest"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

var ctx = context.Background()

// tb is what a *testing.T and a *rapid.T have in common.
type tb interface {
	rapid.TB
	Cleanup(func())
}

// tempDir returns a directory that goes away with the test.
func tempDir(t tb) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "volume-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// mount is a volume with what it stands on.
type mount struct {
	*volume.Volume
	t      tb
	mem    *memclient.Client
	faults *faults
	clock  *clock
	disk   *journaltest.MemFS // of the journal, if there is one
	log    *journal.Journal
	dead   bool // it has crashed: nothing is expected of it any more
}

// setup changes the options of a mount.
type setup func(*volume.Options, *upload.Options)

var plain = s3client.Capabilities{}

func newBucket(caps s3client.Capabilities, c *clock) *memclient.Client {
	return memclient.New(memclient.Options{Capabilities: caps, Now: c.Now, MinPartSize: 1})
}

func newMount(t tb, caps s3client.Capabilities, change ...setup) *mount {
	t.Helper()
	c := newClock()
	return mountOn(t, newBucket(caps, c), c, change...)
}

// mountOn mounts a bucket.
func mountOn(t tb, mem *memclient.Client, c *clock, change ...setup) *mount {
	t.Helper()
	caps, err := mem.Probe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{Client: mem}
	area, err := stage.New(stage.Options{Dir: tempDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	pool := readahead.NewPool(readahead.Options{Client: f, MemoryLimit: 8 << 20, BlockSize: 1 << 20})
	opt := volume.Options{
		Client: f, Caps: caps, Keys: keymap.New(""), Stage: area, Readahead: pool,
		Defaults: attr.Defaults{UID: 7, GID: 8, FileMode: 0o644, DirMode: 0o755},
		TTL:      time.Minute, NegativeTTL: time.Minute, Now: c.Now,
		Upload: upload.Options{Patch: caps.Patch},
	}
	for _, fn := range change {
		fn(&opt, &opt.Upload)
	}
	v, err := volume.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	m := &mount{Volume: v, t: t, mem: mem, faults: f, clock: c, log: opt.Journal}
	mem.ResetCounts()
	t.Cleanup(func() {
		if !m.dead {
			f.set(nil)
		}
		if err := v.Close(ctx); err != nil && !m.dead {
			t.Errorf("close volume: %v", err)
		}
		if opt.Journal != nil {
			if err := opt.Journal.Close(); err != nil {
				t.Errorf("close journal: %v", err)
			}
		}
		if m.dead {
			return
		}
		if err := area.Close(); err != nil && !t.Failed() {
			t.Errorf("close stage: %v", err)
		}
		if err := pool.Close(); err != nil {
			t.Errorf("close pool: %v", err)
		}
	})
	return m
}

// journaled gives a mount a journal on a disk.
func journaled(t tb, disk *journaltest.MemFS) setup {
	return func(o *volume.Options, _ *upload.Options) {
		j, err := journal.Open(disk, journal.Options{Owner: "test", InlineMax: 512, SegmentSize: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		o.Journal = j
	}
}

// newJournaled is newMount with a journal.
func newJournaled(t tb, caps s3client.Capabilities, change ...setup) *mount {
	t.Helper()
	disk := journaltest.New()
	m := newMount(t, caps, append(change, journaled(t, disk))...)
	m.disk = disk
	return m
}

// crash ends a mount as kill -9 does, and mounts again with what is on its disk.
func (m *mount) crash(change ...setup) *mount {
	m.t.Helper()
	m.faults.set(func(string, string) error { return errCut })
	disk := m.disk.Kill()
	disk.Hook = m.disk.Hook
	return m.after(disk, change...)
}

// after mounts with what a mount that is gone has left on its disk.
func (m *mount) after(disk *journaltest.MemFS, change ...setup) *mount {
	m.t.Helper()
	m.dead = true
	after := mountOn(m.t, m.mem, m.clock, append(change, journaled(m.t, disk))...)
	after.disk = disk
	return after
}

// stored waits until everything is on the service.
func (m *mount) stored() {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); m.Status().Unsaved > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%+v after 30 s", m.Status())
		}
	}
	for m.log != nil && m.log.Stats().Entries > 0 { // what was stored is about to end there
		time.Sleep(time.Millisecond)
	}
	if m.log != nil {
		m.ok(m.log.Barrier())
	}
}

func ttl(d time.Duration) setup {
	return func(o *volume.Options, _ *upload.Options) { o.TTL, o.NegativeTTL = d, d }
}

// bothWays runs a test on a service with every capability, on plain S3, and on what is between.
func bothWays(t *testing.T, test func(t *testing.T, caps s3client.Capabilities)) {
	t.Helper()
	t.Run("full", func(t *testing.T) { test(t, memclient.Full()) })
	t.Run("minio", func(t *testing.T) { test(t, s3client.Capabilities{ConditionalPut: true, ListMetadata: true}) })
	t.Run("conditional", func(t *testing.T) { test(t, s3client.Capabilities{ConditionalPut: true}) })
	t.Run("plain", func(t *testing.T) { test(t, plain) })
}

var who = volume.Caller{UID: 1000, GID: 100}

// walk returns the inode of a path, as the kernel would look it up.
func (m *mount) walk(path string) (*volume.Inode, volume.Stat, error) {
	n := m.Root()
	st, err := m.Getattr(ctx, n)
	for _, name := range split(path) {
		if err != nil {
			return nil, st, err
		}
		n, st, err = m.Lookup(ctx, n, name)
	}
	return n, st, err
}

func split(path string) []string {
	var names []string
	for name := range bytes.SplitSeq([]byte(path), []byte("/")) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names
}

// parent returns the directory of a path and the last name.
func (m *mount) parent(path string) (*volume.Inode, string) {
	m.t.Helper()
	names := split(path)
	dir := m.Root()
	for _, name := range names[:len(names)-1] {
		n, _, err := m.Lookup(ctx, dir, name)
		m.ok(err)
		dir = n
	}
	return dir, names[len(names)-1]
}

func (m *mount) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mount) want(err, target error) {
	m.t.Helper()
	if !errors.Is(err, target) {
		m.t.Fatalf("error is %v, want %v", err, target)
	}
}

// create makes and opens a file as open(O_CREAT) does: after a lookup.
func (m *mount) create(path string) *volume.Handle {
	m.t.Helper()
	dir, name := m.parent(path)
	if _, _, err := m.Lookup(ctx, dir, name); !errors.Is(err, volume.ErrNotExist) {
		m.t.Fatalf("create %q: it is there: %v", path, err)
	}
	_, h, _, err := m.Create(ctx, dir, name, 0o640, volume.OpenFlags{Read: true, Write: true}, who)
	m.ok(err)
	return h
}

func (m *mount) put(path, data string) {
	m.t.Helper()
	h := m.create(path)
	m.writeAll(h, data, 0)
	m.close(h)
}

func (m *mount) writeAll(h *volume.Handle, data string, off int64) {
	m.t.Helper()
	n, err := h.WriteAt(ctx, []byte(data), off)
	if err != nil || n != len(data) {
		m.t.Fatalf("write: %d, %v", n, err)
	}
}

func (m *mount) close(h *volume.Handle) {
	m.t.Helper()
	err := h.Flush(ctx)
	h.Release()
	m.ok(err)
}

func (m *mount) open(path string, flags volume.OpenFlags) *volume.Handle {
	m.t.Helper()
	n, _, err := m.walk(path)
	m.ok(err)
	h, err := m.Open(ctx, n, flags)
	m.ok(err)
	return h
}

var (
	readOnly  = volume.OpenFlags{Read: true}
	readWrite = volume.OpenFlags{Read: true, Write: true}
)

func content(h *volume.Handle) (string, error) {
	var b []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := h.ReadAt(ctx, buf, int64(len(b)))
		b = append(b, buf[:n]...)
		if err == io.EOF {
			return string(b), nil
		}
		if err != nil {
			return string(b), err
		}
	}
}

func (m *mount) get(path string) string {
	m.t.Helper()
	h := m.open(path, readOnly)
	defer h.Release()
	s, err := content(h)
	m.ok(err)
	return s
}

func (m *mount) stat(path string) volume.Stat {
	m.t.Helper()
	_, st, err := m.walk(path)
	m.ok(err)
	return st
}

func (m *mount) missing(path string) {
	m.t.Helper()
	if _, _, err := m.walk(path); !errors.Is(err, volume.ErrNotExist) {
		m.t.Fatalf("%q: %v, want it not to exist", path, err)
	}
}

func (m *mount) mkdir(path string) {
	m.t.Helper()
	dir, name := m.parent(path)
	_, _, err := m.Mkdir(ctx, dir, name, 0o750, who)
	m.ok(err)
}

func (m *mount) unlink(path string) error {
	m.t.Helper()
	dir, name := m.parent(path)
	return m.Unlink(ctx, dir, name)
}

func (m *mount) rmdir(path string) error {
	m.t.Helper()
	dir, name := m.parent(path)
	return m.Rmdir(ctx, dir, name)
}

func (m *mount) rename(from, to string) error {
	m.t.Helper()
	fromDir, fromName := m.parent(from)
	toDir, toName := m.parent(to)
	return m.Rename(ctx, fromDir, fromName, toDir, toName, volume.RenameFlags{})
}

// list returns the names in a directory, in order and without dots.
func (m *mount) list(path string) []string {
	m.t.Helper()
	n, _, err := m.walk(path)
	m.ok(err)
	names := m.listOf(n)
	slices.Sort(names)
	return names
}

// listOf is list for somebody who has the directory open.
func (m *mount) listOf(dir *volume.Inode) (names []string) {
	m.t.Helper()
	d, err := m.OpenDir(ctx, dir)
	m.ok(err)
	defer d.Close()
	for {
		e, more, err := d.Next(ctx)
		m.ok(err)
		if !more {
			return names
		}
		if e.Name != "." && e.Name != ".." {
			names = append(names, e.Name)
		}
	}
}

// foreign stores an object as another client would.
func (m *mount) foreign(key, data string) {
	m.t.Helper()
	_, err := m.mem.Another().Put(ctx, key, bytes.NewReader([]byte(data)), s3client.PutOptions{})
	m.ok(err)
}

func (m *mount) foreignDelete(key string) {
	m.t.Helper()
	m.ok(m.mem.Another().Delete(ctx, key))
}

// object reads an object past the volume.
func (m *mount) object(key string) string {
	m.t.Helper()
	o, err := m.mem.Another().Get(ctx, key, s3client.GetOptions{})
	m.ok(err)
	data := bytes.NewBuffer(make([]byte, 0, o.Info.Size+bytes.MinRead))
	_, err = data.ReadFrom(o.Body)
	m.ok(err)
	return data.String()
}

// requests checks what was asked of the service since the last call, and returns how many it were.
func (m *mount) requests(want int, what string) {
	m.t.Helper()
	if got := m.mem.Requests(); got != want {
		m.t.Errorf("%s: %d requests %v, want %d", what, got, m.mem.Counts(), want)
	}
	m.mem.ResetCounts()
}

func (m *mount) names(path string, want ...string) {
	m.t.Helper()
	if got := m.list(path); !slices.Equal(got, want) {
		m.t.Fatalf("entries of %q: %q, want %q", path, got, want)
	}
}
