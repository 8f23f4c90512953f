package volume_test

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/fs/blockcache"
	"pail/fs/readahead"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// keptMount is a mount with a cache on disk.
func keptMount(t *testing.T, mem *memclient.Client, c *clock, dir string) (m *mount, cache *blockcache.Cache, end func()) {
	t.Helper()
	cache, err := blockcache.Open(blockcache.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var pool *readahead.Pool
	m = mountOn(t, mem, c, func(o *volume.Options, _ *upload.Options) {
		pool = readahead.NewPool(readahead.Options{
			Client: o.Client, Keeper: cache, MemoryLimit: 8 << 20, BlockSize: 1 << 20, Now: c.Now,
		})
		o.Readahead, o.Kept = pool, cache.Has
	})
	return m, cache, func() {
		m.ok(m.Close(ctx))
		m.ok(pool.Close())
		m.ok(cache.Close())
	}
}

// What a mount has read, the next one reads from the disk; that it is the version in place is asked at every open.
func TestNextMountReadsWhatIsKept(t *testing.T) {
	dir := tempDir(t)
	c := newClock()
	mem := newBucket(memclient.Full(), c)
	m, _, end := keptMount(t, mem, c, dir)
	m.foreignLarge("f")
	want := m.get("f")
	end()

	m, _, end = keptMount(t, mem, c, dir)
	m.stat("f")
	m.mem.ResetCounts()
	if got := m.get("f"); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	m.requests(1, "open, read and close of what is kept")
	m.foreign("f", "new")
	if got := m.get("f"); got != "new" {
		t.Errorf("content %q of the next version", got)
	}
	end()
}

// Once random reads of a file have waited long enough, all of it is on the disk, for the next mount too.
func TestRandomReadsFetchTheRestIntoTheCache(t *testing.T) {
	dir := tempDir(t)
	c := newClock()
	mem := newBucket(memclient.Full(), c)
	m, cache, end := keptMount(t, mem, c, dir)
	m.foreignLarge("f")
	m.stat("f")
	var gets atomic.Int64
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpGet {
			c.advance(50 * time.Millisecond)
			gets.Add(1)
		}
		return nil
	})
	h := m.open("f", readOnly)
	id := readahead.ObjectID{Key: "f", ETag: h.Version(), Size: h.Size()}
	for i := int64(0); len(cache.Missing(id)) > 0; i++ {
		p := make([]byte, 4096)
		off := (i*7919*4096 + 300<<10) % (id.Size - 4096) &^ 4095
		if _, err := h.ReadAt(ctx, p, off); err != nil || string(p) != strings.Repeat("0123456789abcdef", 256) {
			t.Fatalf("read at %d: %v", off, err)
		}
		runtime.Gosched()
	}
	h.Release()
	if n := gets.Load(); n > 20 { // of 32 chunks
		t.Errorf("%d requests", n)
	}
	end()

	m, _, end = keptMount(t, mem, c, dir)
	m.stat("f")
	m.mem.ResetCounts()
	m.get("f")
	m.requests(1, "open, read and close of what was fetched whole")
	end()
}
