package blob

import (
	"bytes"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
)

// TestLargeWritesOfAnyAlignmentAreReadBack writes with and without the page cache into one file, in pieces that begin
// and end anywhere in a page.
func TestLargeWritesOfAnyAlignmentAreReadBack(t *testing.T) {
	memory := make([]byte, 2<<20+directAlign)
	rand.New(rand.NewSource(1)).Read(memory)
	page := memory[pageStart(memory):]
	pieces := [][]byte{
		page[:1<<20],                // direct
		page[:1<<20+123],            // direct, and a tail that is not
		page[:1<<20],                // at an offset within a page
		page[:directAlign-123],      // small; the offset is whole again
		page[directAlign : 1<<20],   // direct
		page[1 : 1<<20+1],           // memory within a page
		page[:directWrite],          // direct
		page[:directWrite+1000],     // direct, and a tail
		[]byte("checksums follow."), // as the footer does
	}
	path := filepath.Join(t.TempDir(), "file")
	f, err := OS{}.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i, p := range pieces {
		n, err := f.WriteAt(p, int64(len(want)))
		if n != len(p) || err != nil {
			t.Fatalf("piece %d: wrote %d of %d bytes: %v", i, n, len(p), err)
		}
		want = append(want, p...)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want)+1)
	if n, err := f.ReadAt(got, 0); n != len(want) || err != io.EOF || !bytes.Equal(got[:n], want) {
		t.Fatalf("the same file reads %d bytes (%v), or others", n, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, want) {
		t.Fatalf("the file on disk differs: %v", err)
	}
}

// TestErrorOfADirectWriteIsTold uses a direct file that takes no writes at all.
func TestErrorOfADirectWriteIsTold(t *testing.T) {
	f, err := OS{}.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file := f.(*osFile)
	file.tried = true
	if file.direct, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	memory := make([]byte, 1<<20+directAlign)
	if _, err := f.WriteAt(memory[pageStart(memory):], 0); err == nil {
		t.Fatal("a write that failed was not told")
	}
}

// pageStart is the index of the first byte that begins a page.
func pageStart(p []byte) int {
	i := 0
	for !aligned(p[i:]) {
		i++
	}
	return i
}
