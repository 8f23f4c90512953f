package readahead

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"pail/s3client"
)

// shelf is a Keeper that keeps in memory, when it is let.
type shelf struct {
	t    *testing.T
	open chan struct{} // closed: Keep goes on

	mu    sync.Mutex
	id    ObjectID
	bytes map[int64]int64 // by offset
}

func newShelf(t *testing.T) *shelf {
	return &shelf{t: t, open: make(chan struct{}), bytes: map[int64]int64{}}
}

func (k *shelf) Keep(id ObjectID, off int64, data [][]byte) {
	<-k.open
	n := int64(0)
	for _, p := range data {
		checkBytes(k.t, p, off+n)
		n += int64(len(p))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id, k.bytes[off] = id, max(n, k.bytes[off]); id.ETag != "e" {
		k.t.Errorf("kept as %+v", id)
	}
}

func (k *shelf) Client(next s3client.Client) s3client.Client { return shelfClient{next, k} }

// shelfClient reads what a shelf has from there.
type shelfClient struct {
	s3client.Client
	k *shelf
}

func (c shelfClient) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	c.k.mu.Lock()
	id, here := c.k.id, opt.Range.Len > 0 && c.k.hasLocked(opt.Range)
	c.k.mu.Unlock()
	if !here {
		return c.Client.Get(ctx, key, opt)
	}
	p := make([]byte, opt.Range.Len)
	content(p, opt.Range.Off)
	info := s3client.ObjectInfo{Key: key, Size: id.Size, ETag: id.ETag}
	return &s3client.Object{Info: info, Body: io.NopCloser(bytes.NewReader(p))}, nil
}

// Missing says of every chunk that it did not get whole that it is missing.
func (k *shelf) Missing(id ObjectID) (missing []s3client.Range) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for off := int64(0); off < id.Size; off += chunkSize {
		r := s3client.Range{Off: off, Len: min(chunkSize, id.Size-off)}
		if n := len(missing); k.hasLocked(r) {
			continue
		} else if n > 0 && missing[n-1].Off+missing[n-1].Len == off {
			missing[n-1].Len += r.Len
		} else {
			missing = append(missing, r)
		}
	}
	return missing
}

func (k *shelf) hasLocked(r s3client.Range) bool {
	at := r.Off
	for more := true; more && at < r.Off+r.Len; {
		more = false
		for off, n := range k.bytes {
			if off <= at && at < off+n {
				at, more = off+n, true
			}
		}
	}
	return at >= r.Off+r.Len
}

// covers reports whether the blocks that were kept make up [0, size).
func (k *shelf) covers(size int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := int64(0)
	for k.bytes[at] > 0 {
		at += k.bytes[at]
	}
	return at == size
}

func TestAllThatIsReadInOrderIsKept(t *testing.T) {
	f := &fake{size: 20*mib + 5, etag: "e"}
	k := newShelf(t)
	close(k.open)
	p := newPool(t, f, Options{Keeper: k, MemoryLimit: 16 * mib, BlockSize: 2 * mib})
	_, s, err := p.First(t.Context(), "k", 256*kib, f.size)
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < f.size; off += mib {
		read(t, s, off, int(min(mib, f.size-off)))
	}
	s.Close()
	if err := p.Close(); err != nil { // waits for what is being kept
		t.Fatal(err)
	}
	if !k.covers(f.size) {
		t.Errorf("kept: %v", k.bytes)
	}
	checkOnce(t, f.requests())
}

// Bytes that cannot be kept for the moment stop fetching ahead before the memory is full, and no demanded read.
func TestSlowKeeperLeavesMemoryForDemandedReads(t *testing.T) {
	f := &fake{size: 24 * mib, etag: "e"}
	k := newShelf(t)
	p := newPool(t, f, Options{Keeper: k, MemoryLimit: 16 * mib, BlockSize: mib})
	s := p.Open(object(f))
	for off := int64(0); off < 4*mib; off += mib {
		read(t, s, off, mib)
	}
	for i := range int64(20) {
		read(t, p.Open(object(f)), (23-i)*mib+5, 4096)
	}
	p.mu.Lock()
	if pinned := p.mu.made - len(p.mu.free); pinned > p.mu.limit {
		t.Errorf("%d chunks of %d", pinned, p.mu.limit)
	}
	p.mu.Unlock()
	close(k.open)
	for off := int64(4 * mib); off < f.size; off += mib {
		read(t, s, off, mib)
	}
}

// A Keeper that hangs holds a reader up once, not for good and not for every block; when it goes on, blocks are kept again.
func TestReadersDoNotWaitForAKeeperThatHangs(t *testing.T) {
	f := &fake{size: 40 * mib, etag: "e"}
	k := newShelf(t)
	p := newPool(t, f, Options{Keeper: k, MemoryLimit: 16 * mib, BlockSize: mib})
	s := p.Open(object(f))
	for off := int64(0); off < f.size; off += mib {
		read(t, s, off, mib)
	}
	if !p.keeper.stuck.Load() {
		t.Error("no block has waited for the keeper")
	}
	s.Close()
	close(k.open)
	p.keeper.blocks.Wait()
	s = p.Open(object(f))
	for off := int64(0); off < f.size; off += mib {
		read(t, s, off, mib)
	}
	s.Close()
	p.keeper.blocks.Wait()
	if k.mu.Lock(); p.keeper.stuck.Load() || len(k.bytes) < 20 {
		t.Errorf("kept: %v", k.bytes)
	}
	k.mu.Unlock()
}

// A fetch that fails, and room that is given back unused, do not make a Keeper one that goes on.
func TestKeeperThatHangsIsRemembered(t *testing.T) {
	f := &fake{size: 40 * mib, etag: "e"}
	k := newShelf(t)
	p := newPool(t, f, Options{Keeper: k, MemoryLimit: 16 * mib, BlockSize: mib})
	defer close(k.open)
	p.keeper.stuck.Store(true)
	p.keeper.free(p.keeper.reserve(mib))
	s := p.Open(object(f))
	for off := int64(0); off < f.size; off += mib {
		read(t, s, off, mib)
	}
	if !p.keeper.stuck.Load() {
		t.Error("nothing was kept, but it is forgotten")
	}
}

// Wherever reads begin and end, what all of them together have read is kept, in whole chunks.
func TestChunksThatAreReadInPiecesAreKept(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := &fake{size: 3*mib + 12345, etag: "e"}
		k := newShelf(t)
		close(k.open)
		p := NewPool(Options{Client: f, Keeper: k, MemoryLimit: 8 * mib, BlockSize: mib})
		s := p.Open(object(f))
		for range rapid.IntRange(0, 5).Draw(rt, "reads") {
			off := rapid.Int64Range(0, f.size-1).Draw(rt, "off")
			read(t, s, off, int(rapid.Int64Range(1, min(300*kib, f.size-off)).Draw(rt, "n")))
		}
		step := rapid.Int64Range(4*kib, mib).Draw(rt, "step")
		for off := int64(0); off < f.size; off += step {
			read(t, s, off, int(min(step, f.size-off)))
		}
		if err := p.Close(); err != nil { // waits for what is being kept
			t.Fatal(err)
		}
		if missing := k.Missing(object(f)); len(missing) > 0 {
			rt.Fatalf("not kept: %v", missing)
		}
	})
}
