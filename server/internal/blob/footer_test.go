package blob

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestFormatsAreTheirVersions reads blobs as each version first wrote them: they must be readable for ever.
func TestFormatsAreTheirVersions(t *testing.T) {
	testFormat(t, "v1.golden", nil)
	testFormat(t, "v2.golden", []byte("a label"))
}

func testFormat(t *testing.T, golden string, label []byte) {
	t.Helper()
	id, ok := ParseID("0102030405060708090a0b0c0d0e0f10")
	if !ok {
		t.Fatal("bad id")
	}
	text := []byte("hello, blob")
	file := binary.LittleEndian.AppendUint32(bytes.Clone(text), crc(text))
	file = append(file, trailer{chunk: ChunkSize, size: int64(len(text)), id: id, tableSum: crc(file[len(text):]), label: label}.encode()...)
	path := filepath.Join("testdata", golden)
	if *rewrite {
		if err := os.WriteFile(path, []byte(hex.Dump(file)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if hex.Dump(file) != string(want) {
		t.Errorf("the format changed:\n%s\nwant\n%s", hex.Dump(file), want)
	}
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(id), file, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := s.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := make([]byte, b.Size())
	if _, err := b.ReadAt(got, 0); err != nil || !bytes.Equal(got, text) || !bytes.Equal(b.Label(), label) || Verify(b) != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func FuzzTrailer(f *testing.F) {
	f.Add(trailer{chunk: ChunkSize, size: 1}.encode())
	f.Add(trailer{chunk: ChunkSize, size: 1, label: []byte("label")}.encode())
	f.Add([]byte("pailblob"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeTrailer(b)
		if err == nil && (got.chunk < 1 || got.size < 0 || got.fileSize() < got.size || !bytes.HasSuffix(b, got.encode())) {
			t.Errorf("accepted %+v", got)
		}
	})
}

// slowFS counts syncs, and lets each begin only when it is told to.
type slowFS struct {
	OS
	begun  chan struct{}
	resume chan struct{}
}

func (s *slowFS) SyncDir(string) error {
	s.begun <- struct{}{}
	<-s.resume
	return nil
}

func TestConcurrentDirectorySyncsAreShared(t *testing.T) {
	fs := &slowFS{begun: make(chan struct{}), resume: make(chan struct{})}
	d := &dirSyncs{fs: fs}
	var first, others sync.WaitGroup
	first.Go(func() { d.sync("dir") })
	<-fs.begun // the first runs; what comes now may not rely on it
	const n = 10
	for range n {
		others.Go(func() { d.sync("dir") })
	}
	for joined := false; !joined; { // until one leads and waits: the rest joins it or comes after
		d.mu.Lock()
		joined = d.mu.dirs["dir"].next != nil
		d.mu.Unlock()
	}
	fs.resume <- struct{}{}
	first.Wait()
	syncs := 0
	done := make(chan struct{})
	go func() { others.Wait(); close(done) }()
	for {
		select {
		case <-fs.begun:
			syncs++
			fs.resume <- struct{}{}
			continue
		case <-done:
		}
		break
	}
	if syncs < 1 || syncs > n {
		t.Errorf("%d syncs for %d callers", syncs, n)
	}
	if len(d.mu.dirs) != 0 {
		t.Error("directories are kept")
	}
}
