package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is a plain byte slice beside a File.
type model struct {
	f     *File
	disk  *smallDisk
	want  []byte
	dirty bool
	saved []byte // a copy, brought up to date by saves alone

	roomy   bool    // there is room for all
	upload  *frozen // a snapshot that may be committed; nil: none is held
	journal *frozen // one that may be saved

	watchedAt int64  // what Watch was told last
	watched   []byte // and the bytes that were there
}

// frozen is a snapshot that is held, what it has to have, and whether something may have been changed since.
type frozen struct {
	*Snapshot
	want  []byte
	since bool

	overtaken bool // the base is of a later one
}

// TestFileBehavesLikeAByteSlice also holds snapshots while the file is changed, as uploads and a journal do, on disks and
// with budgets that are too small for all copies.
func TestFileBehavesLikeAByteSlice(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		area, err := New(Options{
			Dir:           dir,
			MemoryPerFile: rapid.Int64Range(-1, 300).Draw(rt, "memory"),
			MemoryTotal:   rapid.SampledFrom([]int64{1, 100, 300, 1000, 5000, 50000}).Draw(rt, "total"),
		})
		if err != nil {
			rt.Fatal(err)
		}
		room := rapid.SampledFrom([]int{0, 200, 600, 1200, 10000}).Draw(rt, "room")
		m := &model{disk: &smallDisk{room: room}, roomy: area.memTotal == 50000 && room == 10000}
		area.disk = m.disk
		if rapid.Bool().Draw(rt, "real disk") {
			area.disk, m.roomy = osDisk{dir}, area.memTotal == 50000
		}
		m.want = rapid.SliceOfN(rapid.Byte(), 0, 256).Draw(rt, "base")
		m.f = area.NewFile(&bytesBase{data: bytes.Clone(m.want)}, int64(len(m.want)))
		if rapid.Bool().Draw(rt, "borrows") {
			m.borrow(rt)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": m.write, "truncate": m.truncate, "punch": m.punch, "commit": m.commit, "save": m.save, "watch": m.watch,
			"upload": m.beginUpload, "uploaded": m.endUpload, "journal": m.beginSave, "journaled": m.endSave, "": m.check,
		})
		if err := errors.Join(m.f.Close(), area.Close()); err != nil {
			rt.Fatal(err)
		}
		if m.disk.room != room {
			rt.Fatalf("%d bytes of disk are left, there were %d", m.disk.room, room)
		}
		if n := area.memUsed.Load(); n != 0 {
			rt.Fatalf("%d bytes of memory are still reserved", n)
		}
	})
}

// lender is bytes that a file borrows.
type lender struct{ *bytes.Reader }

func (lender) Close() error { return nil }

// borrow begins with bytes that are elsewhere.
func (m *model) borrow(t *rapid.T) {
	p := rapid.SliceOfN(rapid.Byte(), 300, 300).Draw(t, "borrowed")
	var ranges []Extent
	for off := 0; off < 250; {
		off += rapid.IntRange(0, 49).Draw(t, "gap")
		n := rapid.IntRange(1, 300-off).Draw(t, "length")
		ranges = append(ranges, Extent{Off: int64(off), Len: int64(n)})
		m.grow(off + n)
		copy(m.want[off:], p[off:off+n])
		off += n
	}
	m.f.Borrow(lender{bytes.NewReader(p)}, ranges)
	m.dirty = true
}

func (m *model) write(t *rapid.T) {
	off := rapid.IntRange(0, 300).Draw(t, "off")
	p := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "p")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	held := m.held()
	if len(held) > 0 {
		cancel() // so that it does not wait
	}
	n, err := m.f.WriteAt(ctx, p, int64(off))
	waits := len(held) > 0 && errors.Is(err, context.Canceled)
	if (errors.Is(err, ErrNoSpace) || waits) && n == 0 && !m.roomy {
		for _, s := range held {
			s.since = s.since || s.changed
		}
		return
	}
	if err != nil || n != len(p) {
		t.Fatalf("WriteAt = %d, %v", n, err)
	}
	if n == 0 {
		return
	}
	m.grow(off + n)
	copy(m.want[off:], p)
	m.changed()
}

func (m *model) changed() {
	m.dirty = true
	for _, s := range m.held() {
		s.since = true
	}
}

func (m *model) held() (list []*frozen) {
	for _, s := range []*frozen{m.upload, m.journal} {
		if s != nil {
			list = append(list, s)
		}
	}
	return list
}

func (m *model) grow(size int) {
	if size > len(m.want) {
		m.want = append(m.want, make([]byte, size-len(m.want))...)
	}
}

func (m *model) truncate(t *rapid.T) {
	size := rapid.IntRange(0, 400).Draw(t, "size")
	if err := m.f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	if size != len(m.want) {
		m.changed()
	}
	m.grow(size)
	m.want = m.want[:size:size]
}

func (m *model) punch(t *rapid.T) {
	off, n := rapid.IntRange(0, 300).Draw(t, "off"), rapid.IntRange(0, 100).Draw(t, "n")
	if err := m.f.Punch(int64(off), int64(n)); err != nil {
		t.Fatal(err)
	}
	end := min(off+n, len(m.want))
	if off < end {
		clear(m.want[off:end])
		m.changed()
	}
}

func (m *model) freeze(t *rapid.T) *frozen {
	s, err := m.f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	m.checkExtents(t, s)
	return &frozen{Snapshot: s, want: bytes.Clone(m.want)}
}

// checkFrozen: whatever is changed, what is frozen stays; of what was frozen before something that is stored by now, that is
// what is here.
func (m *model) checkFrozen(t *rapid.T) {
	for _, s := range m.held() {
		for _, e := range s.Extents() {
			if s.overtaken && e.Kind == Unchanged {
				continue
			}
			off := rapid.Int64Range(0, e.Len).Draw(t, "frozen off")
			got, err := io.ReadAll(s.Reader(context.Background(), e.Off+off, e.Len-off))
			if want := s.want[e.Off+off : e.Off+e.Len]; err != nil || !bytes.Equal(got, want) {
				t.Fatalf("the snapshot has %q, %v; it had %q", got, err, want)
			}
		}
	}
}

// beginUpload takes what is to be stored, and lets the file be changed.
func (m *model) beginUpload(t *rapid.T) {
	if m.upload != nil {
		return
	}
	m.upload = m.freeze(t)
	if m.journal == nil && rapid.Bool().Draw(t, "journaled ahead") {
		m.savedNow(t, m.upload)
	}
}

func (m *model) endUpload(t *rapid.T) {
	s := m.upload
	if s == nil {
		return
	}
	m.checkFrozen(t)
	ok := rapid.Bool().Draw(t, "committed")
	if ok {
		m.f.Rebase(&bytesBase{data: s.want})
		if j := m.journal; j != nil && slices.Index(m.f.frozen, j.Snapshot) < slices.Index(m.f.frozen, s.Snapshot) {
			j.overtaken = true
		}
	}
	s.Release(ok)
	m.upload = nil
	if !ok {
		return
	}
	if m.dirty = s.since; !m.dirty && !bytes.Equal(m.want, s.want) {
		t.Fatal("it is clean, and not what is stored")
	}
}

func (m *model) beginSave(t *rapid.T) {
	if m.journal == nil {
		m.journal = m.freeze(t)
	}
}

func (m *model) endSave(t *rapid.T) {
	s := m.journal
	if s == nil {
		return
	}
	if rapid.Bool().Draw(t, "saved") {
		m.savedNow(t, s)
	}
	s.Release(false)
	m.journal = nil
}

// commit does what an upload does that nobody disturbs: it takes Unchanged ranges from the old base, the others from the
// snapshot.
func (m *model) commit(t *rapid.T) {
	if m.upload != nil {
		return
	}
	m.beginUpload(t)
	m.endUpload(t)
}

// save does what a journal does.
func (m *model) save(t *rapid.T) {
	m.beginSave(t)
	m.endSave(t)
}

// savedNow copies what is unsaved, and knows where the zeros are; the rest has the base.
func (m *model) savedNow(t *rapid.T, s *frozen) {
	m.saved = append(m.saved, make([]byte, max(len(s.want)-len(m.saved), 0))...)
	for _, e := range s.Unsaved() {
		copy(m.saved[e.Off:], s.want[e.Off:e.Off+e.Len])
	}
	s.Saved()
	if again := s.Unsaved(); len(again) > 0 {
		t.Fatalf("%v are unsaved after Saved", again)
	}
	for _, e := range s.Extents() {
		if end := e.Off + e.Len; e.Kind == Data && !bytes.Equal(m.saved[e.Off:end], s.want[e.Off:end]) {
			t.Fatalf("what was saved is not what the file had in %v", e)
		}
	}
}

func (m *model) watch(t *rapid.T) {
	off, n := rapid.Int64Range(0, 300).Draw(t, "watch off"), rapid.Int64Range(1, 100).Draw(t, "watch n")
	if !m.f.Watch(off, n) {
		return
	}
	if len(m.held()) > 0 {
		t.Fatal("it is watched anew while a snapshot is held")
	}
	m.watchedAt, m.watched = off, bytes.Clone(m.want[off:off+n])
	if !m.f.Watched(off, n) {
		t.Fatal("what is watched has changed at once")
	}
}

// checkWatched: what Watched says has not changed is as it was, and can be read; else it cannot.
func (m *model) checkWatched(t *rapid.T) {
	n := int64(len(m.watched))
	if n == 0 {
		return
	}
	got, err := io.ReadAll(m.f.WatchedReader(context.Background(), m.watchedAt, n))
	switch {
	case !m.f.Watched(m.watchedAt, n):
		if !errors.Is(err, ErrChanged) {
			t.Fatalf("the reader of what has changed says %v", err)
		}
	case err != nil || !bytes.Equal(got, m.watched) || !bytes.Equal(got, m.want[m.watchedAt:m.watchedAt+n]):
		t.Fatalf("what is watched and has not changed reads as %q, %v; it was %q", got, err, m.watched)
	}
}

func (m *model) checkExtents(t *rapid.T, s *Snapshot) {
	end, last := int64(0), Kind(255)
	for _, e := range s.Extents() {
		if e.Off != end || e.Len <= 0 || e.Kind == last {
			t.Fatalf("extents %v", s.Extents())
		}
		end, last = e.Off+e.Len, e.Kind
		if e.Kind == Zero && len(bytes.Trim(m.want[e.Off:end], "\x00")) > 0 {
			t.Fatalf("%v is not zeros", e)
		}
		if e.Kind == Unchanged {
			p := make([]byte, e.Len)
			if n, err := m.f.base.ReadAt(context.Background(), p, e.Off); n != len(p) || !bytes.Equal(p, m.want[e.Off:end]) {
				t.Fatalf("%v is not what the base has: %d, %v", e, n, err)
			}
		}
	}
	if end != s.Size() {
		t.Fatalf("extents %v end before %d", s.Extents(), s.Size())
	}
}

func (m *model) check(t *rapid.T) {
	m.checkWatched(t)
	m.checkFrozen(t)
	if m.f.Size() != int64(len(m.want)) || m.f.Dirty() != m.dirty {
		t.Fatalf("size %d, dirty %v; want %d, %v", m.f.Size(), m.f.Dirty(), len(m.want), m.dirty)
	}
	off := rapid.IntRange(0, 300).Draw(t, "read off")
	p := make([]byte, rapid.IntRange(0, 400).Draw(t, "read n"))
	n, err := m.f.ReadAt(context.Background(), p, int64(off))
	want := m.want[min(off, len(m.want)):]
	want = want[:min(len(p), len(want))]
	if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
		t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", len(p), off, n, err)
	}
	if err := m.f.content.broken(); err != "" {
		t.Fatal(err)
	}
}

// broken says which invariant does not hold.
func (c *content) broken() string {
	last := mark{-1, 255}
	for _, chunk := range c.chunks {
		if len(chunk) == 0 || len(chunk) > chunkMarks {
			return fmt.Sprintf("a chunk of %d marks", len(chunk))
		}
		for _, m := range chunk {
			if last.off < 0 && m.off != 0 || m.off <= last.off || m.off >= c.size || m.kind == last.kind {
				return fmt.Sprintf("%v after %v, size %d", m, last, c.size)
			}
			last = m
		}
	}
	if (c.size == 0) != (len(c.chunks) == 0) {
		return fmt.Sprintf("%d chunks, size %d", len(c.chunks), c.size)
	}
	return ""
}

// Many short changes and few long ones, so that chunks split, shrink and go.
func TestContentBehavesLikeAListOfKinds(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		kinds := 2 + rnd.IntN(6)
		var c content
		var want []kind
		set := func(longest int) {
			off := rnd.IntN(5000)
			end, k := off+rnd.IntN(longest)+1, kind(rnd.IntN(kinds))
			c.set(int64(off), int64(end), k)
			want = append(want, slices.Repeat([]kind{kindZero}, max(end-len(want), 0))...)
			copy(want[off:end], slices.Repeat([]kind{k}, end-off))
		}
		for range 6 {
			for range 4000 {
				set(1 + rnd.IntN(3))
			}
			compareKinds(t, &c, want, rnd.IntN(6000))
			for range 3 {
				set(3000)
				compareKinds(t, &c, want, rnd.IntN(6000))
			}
			size := rnd.IntN(6000)
			c.truncate(int64(size))
			want = append(want, slices.Repeat([]kind{kindZero}, max(size-len(want), 0))...)[:size]
			compareKinds(t, &c, want, 0)
			if rnd.IntN(3) == 0 {
				c.become(kind.committed)
				for i := range want {
					want[i] = want[i].committed()
				}
				compareKinds(t, &c, want, 0)
			}
		}
	}
}

// compareKinds reads the kinds at and behind from.
func compareKinds(t *testing.T, c *content, want []kind, from int) {
	t.Helper()
	if err := c.broken(); err != "" {
		t.Fatal(err)
	}
	at := int64(from)
	for s := range c.spans(at, math.MaxInt64) {
		if s.off != at || s.end <= s.off {
			t.Fatalf("span %v after %d", s, at)
		}
		for _, k := range want[s.off:s.end] {
			if k != s.kind {
				t.Fatalf("span %v has kind %d", s, k)
			}
		}
		at = s.end
	}
	if int(at) != max(from, len(want)) || c.size != int64(len(want)) {
		t.Fatalf("spans end at %d, size %d, want %d", at, c.size, len(want))
	}
}

// Half a million scattered writes leave a million marks; each change must not cost as much as there are marks.
func BenchmarkScatteredWrites(b *testing.B) {
	var c content
	c.set(0, 1<<40, kindBase)
	rnd := rand.New(rand.NewPCG(1, 2))
	write := func() {
		off := rnd.Int64N(1<<28) * 4096
		c.set(off, off+1, kindData)
	}
	for range 500_000 {
		write()
	}
	for b.Loop() {
		write()
	}
}
