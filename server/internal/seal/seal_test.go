package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var testKey = NewKey(Master, "key", [32]byte{1, 2, 3}, "")

func random(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(p)
	return p
}

// unit is sealed bytes in memory.
type unit []byte

func (u unit) CopyRange(w io.Writer, off, n int64) (int64, error) {
	done := int64(0)
	for done < n { // in odd pieces
		m := min(n-done, 100_003)
		if _, err := w.Write(u[off+done : off+done+m]); err != nil {
			return done, err
		}
		done += m
	}
	return done, nil
}

// sealed writes p through a Writer, in pieces.
func sealed(t *testing.T, c *Cipher, p []byte, piece int) unit {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, c, make([]byte, 2*WriterBuffer))
	for rest := p; len(rest) > 0; {
		n := min(piece, len(rest))
		if m, err := w.Write(rest[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (u unit) read(c *Cipher, size, off, n int64) ([]byte, error) {
	var out bytes.Buffer
	m, err := c.CopyRange(&out, u, size, off, n, make([]byte, ReaderBuffer))
	if m != int64(out.Len()) {
		return nil, errors.New("wrong count")
	}
	return out.Bytes(), err
}

var sizes = []int{1, 15, 1000, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2 * ChunkSize, 2*ChunkSize + 5, 5*ChunkSize - 1}

// What is written comes back, by all ways of writing and reading, whole and in ranges.
func TestWhatIsSealedOpens(t *testing.T) {
	for _, n := range sizes {
		p := random(n)
		c, label, _ := testKey.Wrap(ID{byte(n)})
		u := sealed(t, c, p, 77_777)
		if int64(len(u)) != SealedSize(int64(n)) || bytes.Contains(u, p[:min(n, 16)]) && n > 8 {
			t.Errorf("%d bytes became %d", n, len(u))
		}
		if m, ok := PlainSize(int64(len(u))); m != int64(n) || !ok {
			t.Errorf("%d bytes are said to be %d, %v", n, m, ok)
		}
		all := append(bytes.Clone(p), make([]byte, SealedSize(int64(n))-int64(n))...)
		if !bytes.Equal(c.SealAll(all, n), u) {
			t.Errorf("%d bytes: SealAll and Writer disagree", n)
		}
		again, err := testKey.Unwrap(ID{byte(n)}, label)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.OpenAll(u); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%d bytes: OpenAll: %v", n, err)
		}
		for _, at := range []int{0, 1, n / 2, n - 1, max(0, n-ChunkSize-1)} {
			for _, length := range []int{0, 1, 10, ChunkSize, n} {
				length = min(length, n-at)
				if got, err := u.read(again, int64(n), int64(at), int64(length)); err != nil || !bytes.Equal(got, p[at:at+length]) {
					t.Errorf("%d bytes from %d of %d: %v", length, at, n, err)
				}
			}
		}
	}
	if _, ok := PlainSize(Overhead); ok {
		t.Error("a chunk of nothing has a size")
	}
}

// Chunks that were changed, swapped, cut off or taken from elsewhere do not open.
func TestWhatWasChangedDoesNotOpen(t *testing.T) {
	n := 3*ChunkSize + 100
	p := random(n)
	c, label, _ := testKey.Wrap(ID{1})
	whole := sealed(t, c, p, n)
	other, _, _ := testKey.Wrap(ID{1})
	chunk := func(u unit, i int) []byte { return u[i*sealedChunk : (i+1)*sealedChunk] }
	for name, change := range map[string]func(u unit) unit{
		"a bit":      func(u unit) unit { u[sealedChunk+5] ^= 1; return u },
		"two chunks": func(u unit) unit { copy(chunk(u, 1), chunk(whole, 0)); return u },
		"cut":        func(u unit) unit { return u[:2*sealedChunk] },
		"cut short":  func(u unit) unit { return u[:len(u)-1] },
		"another":    func(u unit) unit { copy(chunk(u, 1), chunk(sealed(t, other, p, n), 1)); return u },
	} {
		u := change(bytes.Clone(whole))
		size, ok := PlainSize(int64(len(u)))
		if !ok {
			continue
		}
		if _, err := u.read(c, size, 0, size); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v, want ErrOpen", name, err)
		}
		if _, err := c.OpenAll(u); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: OpenAll: %v", name, err)
		}
	}
	for name, k := range map[string]*Key{
		"another secret":  NewKey(Master, "key", [32]byte{9}, ""),
		"another name":    NewKey(Master, "other", [32]byte{1, 2, 3}, ""),
		"another kind":    NewKey(Managed, "key", [32]byte{1, 2, 3}, ""),
		"another context": NewKey(Master, "key", [32]byte{1, 2, 3}, "x"),
	} {
		if _, err := k.Unwrap(ID{1}, label); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v, want ErrWrongKey", name, err)
		}
	}
	if _, err := testKey.Unwrap(ID{2}, label); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another unit's label: %v", err)
	}
	if _, err := testKey.Unwrap(ID{1}, label[1:]); !errors.Is(err, ErrOpen) {
		t.Errorf("half a label: %v", err)
	}
}

// failing fails after some bytes.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestErrorsOfTheOtherSideComeBack(t *testing.T) {
	n := 5 * ChunkSize
	c, _, _ := testKey.Wrap(ID{1})
	w := NewWriter(&failing{WriterBuffer}, c, make([]byte, WriterBuffer))
	if _, err := w.Write(random(n)); !errors.Is(err, io.ErrShortWrite) || !errors.Is(w.Close(), io.ErrShortWrite) {
		t.Errorf("writing: %v", err)
	}
	m, err := c.CopyRange(&failing{ChunkSize}, sealed(t, c, random(n), n), int64(n), 0, int64(n), make([]byte, ReaderBuffer))
	if m != ChunkSize || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("reading: %d, %v", m, err)
	}
}

// TestFormatIsThatOfVersion1 holds label and unit against what the first version wrote: both must open for ever.
func TestFormatIsThatOfVersion1(t *testing.T) {
	id := ID{0xaa, 0xbb}
	k := NewKey(Managed, "a/key", [32]byte(random(32)), "context")
	c, label := k.wrap(id, [64]byte(random(64)))
	text := []byte("hello, sealed bytes")
	u := c.SealAll(append(bytes.Clone(text), make([]byte, Overhead)...), len(text))
	path := filepath.Join("testdata", "v1.golden")
	dump := hex.Dump(label) + "\n" + hex.Dump(u)
	if *rewrite {
		if err := os.WriteFile(path, []byte(dump), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil || dump != string(golden) {
		t.Errorf("the format changed:\n%s\nwant\n%s, %v", dump, golden, err)
	}
}

func FuzzParseLabel(f *testing.F) {
	_, label, _ := NewKey(Managed, "name", [32]byte{}, "context").Wrap(ID{})
	f.Add(label)
	f.Add([]byte{1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		if l, err := ParseLabel(p); err == nil && (len(l.wrapped) != wrappedSize || len(l.salt) != saltSize || len(p) > MaxLabel) {
			t.Errorf("%+v", l)
		}
	})
}
