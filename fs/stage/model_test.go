package stage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// model is a plain byte slice beside a File.
type model struct {
	f     *File
	disk  *smallDisk
	want  []byte
	dirty bool
}

func TestFileBehavesLikeAByteSlice(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		area, err := New(Options{
			Dir:           dir,
			MemoryPerFile: rapid.Int64Range(-1, 300).Draw(rt, "memory"),
			MemoryTotal:   rapid.Int64Range(1, 300).Draw(rt, "total"),
		})
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{disk: &smallDisk{room: rapid.IntRange(0, 600).Draw(rt, "room")}}
		if rapid.Bool().Draw(rt, "small disk") {
			area.disk = m.disk
		}
		m.want = rapid.SliceOfN(rapid.Byte(), 0, 256).Draw(rt, "base")
		m.f = area.NewFile(&bytesBase{data: bytes.Clone(m.want)}, int64(len(m.want)))
		rt.Repeat(map[string]func(*rapid.T){
			"write": m.write, "truncate": m.truncate, "punch": m.punch, "commit": m.commit, "": m.check,
		})
		if err := errors.Join(m.f.Close(), area.Close()); err != nil {
			rt.Fatal(err)
		}
		if n := area.memUsed.Load(); n != 0 {
			rt.Fatalf("%d bytes of memory are still reserved", n)
		}
	})
}

func (m *model) write(t *rapid.T) {
	off := rapid.IntRange(0, 300).Draw(t, "off")
	p := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "p")
	n, err := m.f.WriteAt(context.Background(), p, int64(off))
	if errors.Is(err, ErrNoSpace) && n == 0 {
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
	m.dirty = true
}

func (m *model) grow(size int) {
	if size > len(m.want) {
		m.want = append(m.want, make([]byte, size-len(m.want))...)
	}
}

func (m *model) truncate(t *rapid.T) {
	size := rapid.IntRange(0, 400).Draw(t, "size")
	if err := m.f.Truncate(context.Background(), int64(size)); err != nil {
		t.Fatal(err)
	}
	m.dirty = m.dirty || size != len(m.want)
	m.grow(size)
	m.want = m.want[:size:size]
}

func (m *model) punch(t *rapid.T) {
	off, n := rapid.IntRange(0, 300).Draw(t, "off"), rapid.IntRange(0, 100).Draw(t, "n")
	if err := m.f.Punch(context.Background(), int64(off), int64(n)); err != nil {
		t.Fatal(err)
	}
	end := min(off+n, len(m.want))
	if off < end {
		clear(m.want[off:end])
		m.dirty = true
	}
}

// commit does what an upload does: it takes Unchanged ranges from the old base, the others from the snapshot.
func (m *model) commit(t *rapid.T) {
	s, err := m.f.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s.Reader(context.Background(), 0, s.Size()))
	if err != nil || !bytes.Equal(got, m.want) {
		t.Fatalf("snapshot: %v", err)
	}
	m.checkExtents(t, s)
	ok := rapid.Bool().Draw(t, "committed")
	if ok {
		m.f.Rebase(&bytesBase{data: got})
		m.dirty = false
	}
	s.Release(ok)
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
	c := m.f.content
	for i, mk := range c.marks {
		if i == 0 && mk.off != 0 || mk.off >= c.size || i > 0 && (c.marks[i-1].off >= mk.off || c.marks[i-1].kind == mk.kind) {
			t.Fatalf("broken marks %v of %d", c.marks, c.size)
		}
	}
	if (c.size == 0) != (len(c.marks) == 0) {
		t.Fatalf("marks %v of %d", c.marks, c.size)
	}
}
