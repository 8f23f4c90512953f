package volume_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pail/fs/journal"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
)

// TestFsyncWritesWhatIsNew syncs a large file again and again while it grows, and while it is changed here and there.
func TestFsyncWritesWhatIsNew(t *testing.T) {
	const size, chunk, rounds = 4 << 20, 1 << 10, 300
	m := newJournaled(t, conditional)
	m.deaf()
	data := make([]byte, size)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	h := m.create("f")
	m.writeAll(h, string(data), 0)
	m.ok(h.Fsync(ctx))
	before := m.disk.Written()
	for i := range rounds {
		p := bytes.Repeat([]byte{byte(i)}, chunk)
		off := int64(len(data))
		if i%2 == 1 {
			off = rnd.Int64N(off - chunk)
		} else {
			data = append(data, p...)
		}
		copy(data[off:], p)
		m.writeAll(h, string(p), off)
		m.ok(h.Fsync(ctx))
	}
	if wrote := m.disk.Written() - before; wrote > 20*rounds*chunk {
		t.Errorf("%d bytes were written to the journal for %d new ones", wrote, rounds*chunk)
	}
	if held := m.log.Stats().Bytes; held > 3*int64(len(data)) {
		t.Errorf("it holds %d bytes for %d", held, len(data))
	}
	m = m.crash()
	if got := m.get("f"); got != string(data) {
		t.Error("the next mount has other bytes")
	}
	m.stored()
	if got := m.object("f"); got != string(data) {
		t.Error("the service has other bytes")
	}
}

// TestJournaledLayers changes a file in every way, syncs it now and then, and crashes.
func TestJournaledLayers(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { changeAndCrash(t, seed) })
	}
}

func changeAndCrash(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	m := newJournaled(t, conditional)
	m.put("f", string(bytes.Repeat([]byte("base"), rnd.IntN(300))))
	m.stored()
	want := []byte(m.object("f"))
	synced := slices.Clone(want)
	sending := rnd.IntN(3) == 0
	for crashes := range 3 {
		if !sending {
			m.deaf()
		}
		h := m.open("f", readWrite)
		for range 1 + rnd.IntN(25) {
			want = randomChange(m, h, rnd, want)
			if rnd.IntN(2) == 0 {
				m.ok(h.Fsync(ctx))
				synced = slices.Clone(want)
			}
			if sending && rnd.IntN(4) == 0 {
				m.ok(m.Sync(ctx))
				synced = slices.Clone(want)
			}
		}
		m = m.crash()
		if sending {
			m.faults.set(nil)
		}
		if got := m.get("f"); got != string(synced) {
			t.Fatalf("seed %d, crash %d: %d bytes, want %d: %.80q, %.80q", seed, crashes, len(got), len(synced), got, synced)
		}
		want = slices.Clone(synced)
	}
	m.stored()
	if got := m.object("f"); got != string(synced) {
		t.Fatalf("seed %d: the service has %d bytes, want %d", seed, len(got), len(synced))
	}
	if s := m.log.Stats(); s.Entries != 0 {
		t.Fatalf("seed %d: %+v stay in the journal", seed, s)
	}
}

// TestLayersAfterAFailedSync has a state that was not acknowledged, and is in the journal all the same, end what the next
// one would be built on.
func TestLayersAfterAFailedSync(t *testing.T) {
	m := newJournaled(t, conditional)
	m.deaf()
	h := m.create("f")
	m.writeAll(h, strings.Repeat("0123456789", 300), 0)
	m.ok(h.Fsync(ctx))
	m.writeAll(h, strings.Repeat("a", 100), 0)
	m.ok(h.Fsync(ctx))
	var broken atomic.Bool
	broken.Store(true)
	m.disk.Hook = func(op, _ string) error {
		if op == "sync" && broken.Load() {
			return errCut
		}
		return nil
	}
	m.writeAll(h, strings.Repeat("b", 200), 1000)
	m.want(h.Fsync(ctx), errCut)
	broken.Store(false)
	m.ok(h.Truncate(ctx, 150))
	m.ok(h.Fsync(ctx))
	m = m.crash()
	if got, want := m.get("f"), strings.Repeat("a", 100)+strings.Repeat("0123456789", 5); got != want {
		t.Errorf("the next mount has %q, want %q", got, want)
	}
}

// randomChange changes a file, and what it should have.
func randomChange(m *mount, h *volume.Handle, rnd *rand.Rand, want []byte) []byte {
	m.t.Helper()
	grow := func(size int) {
		want = append(want, make([]byte, max(size-len(want), 0))...)
	}
	off, n := rnd.IntN(len(want)+50), 1+rnd.IntN(200)
	switch rnd.IntN(6) {
	case 0:
		size := rnd.IntN(len(want) + 100)
		m.ok(h.Truncate(ctx, int64(size)))
		grow(size)
		return want[:size:size]
	case 1:
		m.ok(h.Allocate(ctx, volume.Allocation{KeepSize: true, Zero: true}, int64(off), int64(n)))
		if off < len(want) {
			clear(want[off:min(off+n, len(want))])
		}
	case 2:
		mode := rnd.Uint32N(0o777)
		_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
		m.ok(err)
	default:
		p := bytes.Repeat([]byte{byte('a' + rnd.IntN(26))}, n)
		m.writeAll(h, string(p), int64(off))
		grow(off + n)
		copy(want[off:], p)
	}
	return want
}

// TestReplayNeedsNoRoom mounts where there is no room for local data: what the journal has is read and sent from there, and
// takes room only when it is written to.
func TestReplayNeedsNoRoom(t *testing.T) {
	for what, size := range map[string]int{"in the log": 320, "in a data file": 3_200_000} {
		t.Run(what, func(t *testing.T) { replayWithoutRoom(t, size) })
	}
}

func replayWithoutRoom(t *testing.T, size int) {
	m := newJournaled(t, conditional)
	m.deaf()
	data := []byte(strings.Repeat("0123456789abcdef", size/16))
	h := m.create("f")
	m.writeAll(h, string(data), 0)
	m.ok(h.Fsync(ctx))
	for _, off := range []int64{10, int64(size) / 3, int64(size) - 3} { // further layers
		m.writeAll(h, "XYZ", off)
		copy(data[off:], "XYZ")
		m.ok(h.Fsync(ctx))
	}
	h.Release()
	full, err := stage.New(stage.Options{Dir: tempDir(t), KeepFree: 1 << 60, MemoryTotal: 1})
	m.ok(err)
	t.Cleanup(func() { m.ok(full.Close()) })
	m = m.crash(func(o *volume.Options, _ *upload.Options) { o.Stage = full })
	m.deaf()
	if got := m.get("f"); got != string(data) {
		t.Fatal("it has other bytes")
	}
	h = m.open("f", readWrite)
	_, err = h.WriteAt(ctx, []byte("no"), 0)
	m.want(err, volume.ErrNoSpace)
	m.ok(h.Truncate(ctx, int64(size)/2))
	data = data[:size/2]
	m.close(h)
	m.faults.set(nil)
	m.stored()
	if got := m.object("f"); got != string(data) {
		t.Fatal("the service has other bytes")
	}
	if got := m.get("f"); got != string(data) {
		t.Fatal("it has other bytes when it is sent")
	}
}

// The local file of what is closed becomes the journal's, with nothing copied, and stays as it was closed whatever is written
// afterwards; what somebody has open to write is copied.
func TestClosedFileIsGivenToTheJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	d, err := journal.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := newMount(t, conditional, func(o *volume.Options, _ *upload.Options) {
		j, err := journal.Open(d, journal.Options{Owner: "test", InlineMax: 512})
		if err != nil {
			t.Fatal(err)
		}
		o.Journal = j
	})
	m.deaf()
	files := func() (all []string) {
		names, err := filepath.Glob(filepath.Join(dir, "data-*"))
		m.ok(err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			m.ok(err)
			all = append(all, string(b))
		}
		slices.Sort(all)
		return all
	}
	data := sequence(2<<20, 3)
	m.put("f", data)
	if got := files(); !slices.Equal(got, []string{data}) {
		t.Fatalf("the journal has %d files", len(got))
	}
	if name, err := filepath.Glob(filepath.Join(dir, "data-*")); err != nil || !isOpen(t, name[0]) {
		t.Error("it is a copy of the local file")
	}
	h := m.open("f", readWrite)
	m.writeAll(h, "new", 5)
	changed := data[:5] + "new" + data[8:]
	if got := files(); !slices.Equal(got, []string{data}) {
		t.Error("what was closed is not what the journal has any more")
	}
	if got, err := content(h); got != changed || err != nil {
		t.Errorf("it reads %d bytes, %v", len(got), err)
	}
	m.ok(h.Fsync(ctx))
	m.writeAll(h, "NEW", 5)
	m.close(h)
	changed = data[:5] + "NEW" + data[8:]
	if got := m.get("f"); got != changed {
		t.Errorf("it reads %d bytes", len(got))
	}
	m.faults.set(nil)
	m.stored()
	if got := m.object("f"); got != changed {
		t.Errorf("the service has %d bytes", len(got))
	}
	m.ok(m.Close(ctx))
	m.ok(d.Close())
}

// isOpen reports whether this process has a file open.
func isOpen(t *testing.T, name string) bool {
	t.Helper()
	file, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(fds, func(fd string) bool {
		other, err := os.Stat(fd)
		return err == nil && os.SameFile(file, other)
	})
}
