package stage

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// rawFile is a disk file in memory whose bytes can be changed behind its user's back, and whose writes can be cut short.
type rawFile struct {
	data []byte
	room int // bytes that can be written; negative: any number
}

var errCut = errors.New("cut")

func (f *rawFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	if n := copy(p, f.data[off:]); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

func (f *rawFile) WriteAt(p []byte, off int64) (int, error) {
	n := len(p)
	if f.room >= 0 {
		n = min(n, f.room)
	}
	f.grow(int(off) + n)
	copy(f.data[off:], p[:n])
	if n < len(p) {
		return n, errCut
	}
	return n, nil
}

func (f *rawFile) grow(size int) {
	f.data = append(f.data, make([]byte, max(size-len(f.data), 0))...)
}

func (f *rawFile) Truncate(size int64) error {
	f.grow(int(size))
	f.data = f.data[:size:size]
	return nil
}

func (f *rawFile) Punch(off, n int64) error {
	off = min(off, int64(len(f.data)))
	clear(f.data[off:min(off+n, int64(len(f.data)))])
	return nil
}

func (f *rawFile) Close() error { return nil }

// rawDisk hands out one raw file.
type rawDisk struct{ file *rawFile }

func (d rawDisk) create() (diskFile, error)             { return d.file, nil }
func (d rawDisk) space() (free, total int64, err error) { return 1 << 40, 1 << 40, nil }

func newSummed(t interface{ Fatal(...any) }) (*summed, *rawFile) {
	raw := &rawFile{room: -1}
	file, err := (&Area{disk: rawDisk{raw}}).create()
	if err != nil {
		t.Fatal(err)
	}
	return file.(*summed), raw
}

// summedModel knows what a file has to have, and which blocks may be damaged.
type summedModel struct {
	s       *summed
	raw     *rawFile
	want    []byte
	suspect map[int]bool
}

// TestBytesAreAsWrittenOrDamaged: whatever is written, cut short, made a hole, and changed on the disk, what is read is what
// was written, or ErrDamaged where something was changed; and what was written anew is good again.
func TestBytesAreAsWrittenOrDamaged(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, raw := newSummed(rt)
		m := &summedModel{s: s, raw: raw, suspect: map[int]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"write": m.write, "cut": m.cut, "truncate": m.truncate, "punch": m.punch, "flip": m.flip, "": m.check,
		})
		if err := s.Close(); err != nil || s.area.memUsed.Load() != 0 {
			rt.Fatalf("%v; %d bytes are reserved", err, s.area.memUsed.Load())
		}
	})
}

// spot draws an offset, mostly near the end of a block.
func spot(t *rapid.T) int {
	at := rapid.IntRange(0, 4).Draw(t, "block") * blockSize
	return max(0, at+rapid.SampledFrom([]int{-blockSize / 2, -1000, -7, -1, 0, 1, 900}).Draw(t, "at"))
}

func (m *summedModel) write(t *rapid.T) { m.put(t, -1) }

func (m *summedModel) cut(t *rapid.T) { m.put(t, spot(t)) }

// put writes, and lets only so many bytes through.
func (m *summedModel) put(t *rapid.T, room int) {
	off := spot(t)
	p := make([]byte, max(1, spot(t)-off, rapid.IntRange(1, 2000).Draw(t, "n")))
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	m.raw.room = room
	n, err := m.s.WriteAt(p, int64(off))
	m.raw.room = -1
	first, last := off/blockSize, (off+len(p)-1)/blockSize
	switch {
	case errors.Is(err, ErrDamaged) && n == 0 && (m.suspect[first] || m.suspect[last]):
		return
	case err == nil && n == len(p), errors.Is(err, errCut) && n == room:
	default:
		t.Fatalf("WriteAt = %d, %v", n, err)
	}
	whole := func(b int) bool { return off <= b*blockSize && off+n >= min((b+1)*blockSize, len(m.want)) }
	m.want = append(m.want, make([]byte, max(off+n-len(m.want), 0))...)
	copy(m.want[off:], p[:n])
	for b := first; b <= last && n > 0; b++ {
		if whole(b) {
			delete(m.suspect, b)
		} else if n < len(p) && b == (off+n)/blockSize {
			m.suspect[b] = true
		}
	}
}

func (m *summedModel) truncate(t *rapid.T) {
	size := spot(t)
	if err := m.s.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	m.want = append(m.want, make([]byte, max(size-len(m.want), 0))...)[:size]
	for b := range m.suspect {
		if b*blockSize >= size {
			delete(m.suspect, b)
		}
	}
}

func (m *summedModel) punch(t *rapid.T) {
	off := spot(t)
	n := rapid.SampledFrom([]int{1, 500, blockSize, 2 * blockSize}).Draw(t, "n")
	if err := m.s.Punch(int64(off), int64(n)); err != nil {
		t.Fatal(err)
	}
	end := min(off+n, len(m.want))
	if off >= end {
		return
	}
	clear(m.want[off:end])
	for b := range m.suspect {
		if b*blockSize >= off && (b+1)*blockSize <= off+n {
			delete(m.suspect, b)
		}
	}
}

// flip changes a byte on the disk.
func (m *summedModel) flip(t *rapid.T) {
	if at := spot(t); at < len(m.raw.data) {
		m.raw.data[at] ^= 1
		m.suspect[at/blockSize] = true
	}
}

func (m *summedModel) check(t *rapid.T) {
	off := spot(t)
	p := bytes.Repeat([]byte{99}, max(1, spot(t)-off))
	_, err := m.s.ReadAt(p, int64(off))
	want := slices.Concat(m.want[min(off, len(m.want)):min(off+len(p), len(m.want))], make([]byte, len(p)))[:len(p)]
	switch {
	case err == nil && !bytes.Equal(p, want):
		t.Fatalf("%d bytes at %d are not what was written", len(p), off)
	case err == nil:
		return
	case !errors.Is(err, ErrDamaged):
		t.Fatal(err)
	}
	for b := off / blockSize; b <= (off+len(p)-1)/blockSize; b++ {
		if m.suspect[b] {
			return
		}
	}
	t.Fatalf("%d bytes at %d: %v", len(p), off, err)
}

// TestDamagedRangeIsWrittenAnew: damage stays damage for reads, and for writes to a part; who writes the block from its
// beginning on, in whatever pieces, makes it good, and so does who cuts it off.
func TestDamagedRangeIsWrittenAnew(t *testing.T) {
	const size = 3*blockSize + 100
	data := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
	damaged := func(t *testing.T) (*summed, *rawFile) {
		t.Helper()
		s, raw := newSummed(t)
		if _, err := s.WriteAt(data, 0); err != nil {
			t.Fatal(err)
		}
		raw.data[blockSize+500] ^= 4
		for range 2 {
			if _, err := s.ReadAt(make([]byte, 10), blockSize+9000); !errors.Is(err, ErrDamaged) {
				t.Fatalf("a byte of a damaged block reads: %v", err)
			}
		}
		if _, err := s.WriteAt([]byte("x"), blockSize+500); !errors.Is(err, ErrDamaged) {
			t.Fatalf("a part of a damaged block is overwritten: %v", err)
		}
		return s, raw
	}
	for _, piece := range []int{1, 100, 4096, blockSize - 1, blockSize} {
		s, _ := damaged(t)
		for off := 0; off < blockSize; off += piece {
			n := min(piece, blockSize-off)
			if _, err := s.WriteAt(data[:n], int64(blockSize+off)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ReadAt(make([]byte, 1), 2*blockSize-1); off+n < blockSize != errors.Is(err, ErrDamaged) {
				t.Fatalf("after %d bytes the last one reads: %v", off+n, err)
			}
			if _, err := s.ReadAt(make([]byte, off+n), blockSize); err != nil {
				t.Fatalf("after %d bytes: %v", off+n, err)
			}
		}
		if _, err := s.ReadAt(make([]byte, size), 0); err != nil {
			t.Errorf("in pieces of %d bytes: %v", piece, err)
		}
	}
	s, _ := damaged(t)
	if err := s.Truncate(blockSize); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(make([]byte, size), 0); err != nil {
		t.Errorf("cut off: %v", err)
	}
	s, _ = damaged(t)
	if err := s.Truncate(blockSize + 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(make([]byte, 1), blockSize); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut behind the damage: %v", err)
	}
}
