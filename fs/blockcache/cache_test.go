package blockcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"pail/fs/readahead"
	"pail/s3client"
	"pail/s3client/memclient"
)

const mib = 1 << 20

func open(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // perhaps closed already
	return c
}

// bucket returns a bucket with an object, and its bytes.
func bucket(t *testing.T, size int) (*memclient.Client, s3client.ETag, []byte) {
	t.Helper()
	data := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{byte(size)})
	rnd.Read(data)
	mem := memclient.New(memclient.Options{})
	info, err := mem.Put(t.Context(), "k", bytes.NewReader(data), s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mem.ResetCounts()
	return mem, info.ETag, data
}

// reader reads and keeps what it reads, as package readahead does.
type reader struct {
	s3client.Client
	cache *Cache
}

func newReader(c *Cache, next s3client.Client) reader { return reader{c.Client(next), c} }

// read gets a range and compares it.
func read(t *testing.T, c reader, etag s3client.ETag, data []byte, off, n int) {
	t.Helper()
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{Range: s3client.Range{Off: int64(off), Len: int64(n)}, IfMatch: etag})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	got, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := data[off:]
	if n > 0 {
		want = want[:min(n, len(want))]
	}
	if !bytes.Equal(got, want) || o.Info.Size != int64(len(data)) || o.Info.ETag != etag {
		t.Errorf("%d bytes at %d: got %d, size %d, ETag %q", n, off, len(got), o.Info.Size, o.Info.ETag)
	}
	c.cache.Keep(readahead.ObjectID{Key: "k", ETag: etag, Size: o.Info.Size}, int64(off), slices.Collect(slices.Chunk(got, 100_000)))
}

func wantRequests(t *testing.T, mem *memclient.Client, want int, what string) {
	t.Helper()
	if got := mem.Requests(); got != want {
		t.Errorf("%s: %d requests, want %d", what, got, want)
	}
	mem.ResetCounts()
}

func TestWhatWasReadIsKept(t *testing.T) {
	dir := t.TempDir()
	mem, etag, data := bucket(t, 3*mib+12345)
	c := open(t, dir)
	client := newReader(c, mem)
	read(t, client, etag, data, 0, 1*mib)
	wantRequests(t, mem, 1, "first read")
	read(t, client, etag, data, 0, 1*mib)
	read(t, client, etag, data, 100_000, 500_000)
	wantRequests(t, mem, 0, "second read")
	read(t, client, etag, data, 512<<10, 1*mib)
	wantRequests(t, mem, 1, "a part that is not here")
	read(t, client, etag, data, 1*mib, 0)
	wantRequests(t, mem, 1, "the rest")
	if !c.Has("k", etag) || c.Has("k", "other") || c.Has("l", etag) {
		t.Error("Has")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	client = newReader(open(t, dir), mem) // another mount
	read(t, client, etag, data, 0, 0)
	read(t, client, etag, data, 3*mib, 0)
	read(t, client, etag, data, len(data)-1, 1)
	wantRequests(t, mem, 0, "reads of another mount")
	_, err := client.Get(t.Context(), "k", s3client.GetOptions{IfMatch: "other"})
	if !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("another version: %v", err)
	}
}

// A Get without a version asks the service for the one in place.
func TestAnyVersionIsAskedFor(t *testing.T) {
	mem, etag, data := bucket(t, 2*mib)
	client := newReader(open(t, t.TempDir()), mem)
	read(t, client, etag, data, 0, 0)
	o, err := client.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Body.Close(); err != nil {
		t.Error(err)
	}
	wantRequests(t, mem, 2, "a version and any")
}

// Only whole chunks are kept, wherever what was fetched begins and ends.
func TestPartsOfChunksAreNotKept(t *testing.T) {
	mem, etag, data := bucket(t, 2*mib+77)
	client := newReader(open(t, t.TempDir()), mem)
	read(t, client, etag, data, 1000, 5*chunkSize)
	read(t, client, etag, data, len(data)-chunkSize-10, 0)
	mem.ResetCounts()
	read(t, client, etag, data, chunkSize, 4*chunkSize)
	read(t, client, etag, data, len(data)-77, 0)
	wantRequests(t, mem, 0, "whole chunks")
	read(t, client, etag, data, 1000, 100)
	read(t, client, etag, data, 5*chunkSize, 100)
	wantRequests(t, mem, 2, "parts of chunks")
}

func TestSmallObjectsAreNotKept(t *testing.T) {
	dir := t.TempDir()
	mem, etag, data := bucket(t, mib)
	client := newReader(open(t, dir), mem)
	read(t, client, etag, data, 0, 0)
	read(t, client, etag, data, 0, 0)
	wantRequests(t, mem, 2, "reads")
}

func TestDamageIsFetchedAgain(t *testing.T) {
	for name, damage := range map[string]func(data, index string) error{
		"bit": func(data, _ string) error {
			b, err := os.ReadFile(data)
			if err == nil {
				b[mib+5] ^= 1
				err = os.WriteFile(data, b, 0o600)
			}
			return err
		},
		"short":        func(data, _ string) error { return os.Truncate(data, mib+100) },
		"no data":      func(data, _ string) error { return os.Remove(data) },
		"no index":     func(_, index string) error { return os.Remove(index) },
		"short index":  func(_, index string) error { return os.Truncate(index, 70) },
		"broken index": func(_, index string) error { return os.WriteFile(index, []byte(magic+"\xff\xff\xff\xff"), 0o600) },
		"empty index":  func(_, index string) error { return os.Truncate(index, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mem, etag, data := bucket(t, 2*mib+7)
			c := open(t, dir)
			read(t, newReader(c, mem), etag, data, 0, 0)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"+dataSuffix))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if err := damage(files[0], strings.TrimSuffix(files[0], dataSuffix)+indexSuffix); err != nil {
				t.Fatal(err)
			}
			mem.ResetCounts()
			client := newReader(open(t, dir), mem)
			read(t, client, etag, data, 0, 0)
			read(t, client, etag, data, 0, 0)
			if mem.Requests() == 0 {
				t.Error("nothing was fetched")
			}
			mem.ResetCounts()
			read(t, client, etag, data, 0, 0)
			wantRequests(t, mem, 0, "once it is repaired")
		})
	}
}

func TestOldVersionsMakeRoom(t *testing.T) {
	mem, etag, data := bucket(t, 4*mib)
	c := open(t, t.TempDir())
	client := newReader(c, mem)
	read(t, client, etag, data, 0, 0)
	c.mu.Lock()
	c.opt.KeepFree = 1 << 62 // more than there is
	c.mu.room = 0
	c.mu.Unlock()
	c.Keep(readahead.ObjectID{Key: "other", ETag: etag, Size: int64(len(data))}, 0, [][]byte{data})
	if c.Has("k", etag) || c.Has("other", etag) {
		t.Error("something is kept although the disk has no room")
	}
}

// onDisk returns the bytes that a cache has allocated for objects.
func onDisk(t *testing.T, c *Cache) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Dir(), "*"+dataSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var st unix.Stat_t
		if err := unix.Stat(f, &st); err != nil {
			t.Fatal(err)
		}
		n += st.Blocks * 512
	}
	return n
}

func TestCacheKeepsWhatItMay(t *testing.T) {
	const most = 7 * mib // two readers of one piece are counted until one of them is done
	dir := t.TempDir()
	c, err := Open(Options{Dir: dir, MaxBytes: most})
	if err != nil {
		t.Fatal(err)
	}
	id := func(key string, size int64) readahead.ObjectID {
		return readahead.ObjectID{Key: key, ETag: "v", Size: size}
	}
	piece := make([]byte, mib)
	keep := func(key string, size int64) {
		var work sync.WaitGroup
		for off := int64(0); off < size; off += mib {
			for range 2 { // two readers, each of which finds it missing
				work.Go(func() { c.Keep(id(key, size), off, [][]byte{piece}) })
			}
			work.Wait()
		}
		if n := onDisk(t, c); n > most {
			t.Fatalf("%d bytes with %q, may have %d", n, key, most)
		}
	}
	keep("a", 4*mib)
	keep("b", 2*mib)
	if !c.Has("a", "v") || !c.Has("b", "v") {
		t.Error("something is gone that had room")
	}
	keep("c", 4*mib)
	if c.Has("a", "v") || !c.Has("b", "v") || !c.Has("c", "v") {
		t.Error("not the oldest one has made room")
	}
	e := c.hold("c", "v", 0)
	if err := c.setRecords(e, 0, make([]uint64, mib/chunkSize)); err != nil { // as after damage
		t.Fatal(err)
	}
	c.release(e)
	keep("c", 4*mib)
	if !c.Has("b", "v") || !c.Has("c", "v") {
		t.Error("what was written once more was counted once more")
	}
	keep("larger than all", 9*mib)
	if !c.Has("larger than all", "v") || c.Has("b", "v") || c.Has("c", "v") {
		t.Error("what is read now is not kept before all else")
	}
	if missing := c.Missing(id("another", 2*mib)); missing != nil {
		t.Errorf("%v are to be fetched because a third of the cache is a small share of it", missing)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(Options{Dir: dir, MaxBytes: 2 * mib}); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(t, c); n > 2*mib || c.mu.used != 0 {
		t.Errorf("%d bytes, counted %d, after a mount with less room", n, c.mu.used)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneMountAtATime(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second mount: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestReadThatIsBrokenOff(t *testing.T) {
	mem, etag, data := bucket(t, 2*mib)
	client := newReader(open(t, t.TempDir()), mem)
	read(t, client, etag, data, 0, 0)
	ctx, cancel := context.WithCancel(t.Context())
	o, err := client.Get(ctx, "k", s3client.GetOptions{IfMatch: etag})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	cancel()
	if _, err := o.Body.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
}

func FuzzParseIndex(f *testing.F) {
	e := newEntry("key", "etag", 5*mib)
	f.Add(append(e.header, make([]byte, 8*len(e.records))...))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		e, err := parseIndex(data)
		if err == nil && (!bytes.HasPrefix(data, e.header) || int64(len(e.records)) != (e.size+chunkSize-1)/chunkSize) {
			t.Errorf("%q became %+v", data, e)
		}
	})
}

func TestWhatIsMissing(t *testing.T) {
	c := open(t, t.TempDir())
	const size = 3*mib + 5
	mem, etag, data := bucket(t, size)
	id := readahead.ObjectID{Key: "k", ETag: etag, Size: size}
	check := func(id readahead.ObjectID, want ...s3client.Range) {
		t.Helper()
		if got := c.Missing(id); !slices.Equal(got, want) {
			t.Errorf("missing of %+v: %v, want %v", id, got, want)
		}
	}
	check(id, s3client.Range{Len: size})
	read(t, newReader(c, mem), etag, data, mib, mib)
	check(id, s3client.Range{Len: mib}, s3client.Range{Off: 2 * mib, Len: size - 2*mib})
	read(t, newReader(c, mem), etag, data, 0, size)
	check(id)
	check(readahead.ObjectID{Key: "k", ETag: etag, Size: size + 1}) // what is not to be kept
	check(readahead.ObjectID{Key: "k", Size: size})
	check(readahead.ObjectID{Key: "small", ETag: "e", Size: mib})
	check(readahead.ObjectID{Key: "large", ETag: "e", Size: c.room()/wholeShare + 1})
	c.fails(errors.New("full"))
	check(readahead.ObjectID{Key: "new", ETag: "e", Size: size})
}

// lend lends the object of a test until it is lent, or as often.
func lend(t *testing.T, c *Cache, etag s3client.ETag, data []byte, often int) bool {
	t.Helper()
	for range often {
		f, giveBack, ok := c.Lend("k", etag, int64(len(data)))
		c.checks.Wait()
		if !ok {
			continue
		}
		got := make([]byte, len(data)+1)
		if n, err := f.ReadAt(got, 0); err != io.EOF || !bytes.Equal(got[:n], data) {
			t.Errorf("%d bytes, %v", n, err)
		}
		giveBack()
		return true
	}
	return false
}

func TestWholeFilesAreLent(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	mem, etag, data := bucket(t, 3*mib+5)
	if lend(t, c, etag, data, 2) {
		t.Error("lent what is not there")
	}
	read(t, newReader(c, mem), etag, data, 0, 2*mib)
	if lend(t, c, etag, data, 2) {
		t.Error("lent what is there in part")
	}
	read(t, newReader(c, mem), etag, data, 2*mib, mib+5)
	if !lend(t, c, etag, data, 1) {
		t.Error("not lent")
	}
	if lend(t, c, etag, data[1:], 2) || lend(t, c, "other", data, 2) {
		t.Error("lent as another version")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, dir) // which has to look at it first
	if lend(t, c, etag, data, 1) || !lend(t, c, etag, data, 1) {
		t.Error("not lent the second time")
	}
	c.mu.Lock()
	for _, e := range c.mu.entries {
		if e.held != 0 {
			t.Errorf("%d holds are left", e.held)
		}
	}
	c.mu.Unlock()
}

func TestDamagedFilesAreNotLent(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	mem, etag, data := bucket(t, 3*mib)
	read(t, newReader(c, mem), etag, data, 0, 3*mib)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Glob(filepath.Join(dir, "*"+dataSuffix))
	if err != nil || len(name) != 1 {
		t.Fatal(name, err)
	}
	f, err := os.OpenFile(name[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 2*mib); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c = open(t, dir)
	if lend(t, c, etag, data, 3) {
		t.Error("lent with damage")
	}
	read(t, newReader(c, mem), etag, data, 0, 3*mib) // which mends it
	if !lend(t, c, etag, data, 1) {
		t.Error("not lent although it is mended")
	}
}
