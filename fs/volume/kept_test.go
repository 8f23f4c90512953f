package volume_test

import (
	"testing"

	"pail/fs/blockcache"
	"pail/fs/readahead"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client/memclient"
)

// What a mount has read, the next one reads from the disk; that it is the version in place is asked at every open.
func TestNextMountReadsWhatIsKept(t *testing.T) {
	dir := tempDir(t)
	c := newClock()
	mem := newBucket(memclient.Full(), c)
	mountKept := func() (*mount, func()) {
		cache, err := blockcache.Open(blockcache.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var pool *readahead.Pool
		m := mountOn(t, mem, c, func(o *volume.Options, _ *upload.Options) {
			pool = readahead.NewPool(readahead.Options{
				Client: cache.Client(o.Client), Keeper: cache, MemoryLimit: 8 << 20, BlockSize: 1 << 20,
			})
			o.Readahead, o.Kept = pool, cache.Has
		})
		return m, func() {
			m.ok(m.Close(ctx))
			m.ok(pool.Close())
			m.ok(cache.Close())
		}
	}
	m, end := mountKept()
	m.foreignLarge("f")
	want := m.get("f")
	end()

	m, end = mountKept()
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
