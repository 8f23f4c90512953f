package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/blob/blobtest"
)

var ctx = context.Background()

func openMem(t *testing.T, fs *blobtest.MemFS) *blob.Files {
	t.Helper()
	s, err := blob.Open("/data", blob.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openDisk(t testing.TB) (*blob.Files, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x", "data")
	s, err := blob.Open(dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func content(n int) []byte {
	p := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	rnd.Read(p)
	return p
}

// put writes data in pieces of the given length.
func put(s blob.Store, data []byte, announced int64, piece int) (blob.ID, error) {
	id := blob.NewID(time.Now())
	w, err := s.Create(ctx, id, announced, nil)
	if err != nil {
		return blob.ID{}, err
	}
	for p := data; len(p) > 0; {
		n := min(piece, len(p))
		if _, err := w.Write(p[:n]); err != nil {
			w.Abort()
			return blob.ID{}, err
		}
		p = p[n:]
	}
	return id, w.Commit()
}

func mustPut(t testing.TB, s blob.Store, data []byte) blob.ID {
	t.Helper()
	id, err := put(s, data, int64(len(data)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func count(t *testing.T, s blob.Store) int {
	t.Helper()
	n := 0
	if err := s.All(ctx, func(blob.ID, blob.Stat) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func pathOf(root string, id blob.ID) string {
	return filepath.Join(root, "blobs", id.String()[30:], id.String())
}

func TestBytesComeBack(t *testing.T) {
	disk, _ := openDisk(t)
	for name, s := range map[string]blob.Store{"Disk": disk, "Mem": openMem(t, blobtest.NewMemFS())} {
		for _, size := range []int{0, 1, 4095, blob.ChunkSize - 1, blob.ChunkSize, blob.ChunkSize + 1, 3<<20 + 17} {
			for _, piece := range []int{4096 + 1, 1 << 20} {
				for _, announced := range []int64{-1, int64(size)} {
					data := content(size)
					id, err := put(s, data, announced, piece)
					if err != nil {
						t.Fatalf("%s: %d bytes: %v", name, size, err)
					}
					checkReads(t, s, id, data)
				}
			}
		}
	}
}

func checkReads(t *testing.T, s blob.Store, id blob.ID, data []byte) {
	t.Helper()
	b, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Size() != int64(len(data)) {
		t.Fatalf("size %d, want %d", b.Size(), len(data))
	}
	if err := blob.Verify(b); err != nil {
		t.Error(err)
	}
	rnd := rand.New(rand.NewPCG(1, uint64(len(data))))
	for range 20 {
		off := rnd.IntN(len(data) + 1)
		n := rnd.IntN(len(data) - off + 1)
		var out bytes.Buffer
		m, err := b.CopyRange(&out, int64(off), int64(n))
		if err != nil || m != int64(n) || !bytes.Equal(out.Bytes(), data[off:off+n]) {
			t.Errorf("CopyRange(%d, %d) of %d = %d, %v", off, n, len(data), m, err)
		}
	}
	if got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()+10)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("ReadAt gives other bytes, %v", err)
	}
	for _, r := range [][2]int64{{-1, 1}, {0, b.Size() + 1}, {b.Size() + 1, 0}, {0, -1}} {
		if _, err := b.CopyRange(io.Discard, r[0], r[1]); err == nil {
			t.Errorf("CopyRange(%d, %d) of %d succeeds", r[0], r[1], len(data))
		}
	}
	if f := b.File(); f != nil {
		head := make([]byte, len(data))
		if _, err := f.ReadAt(head, 0); len(data) > 0 && err != nil || !bytes.Equal(head, data) {
			t.Errorf("the file does not begin with the object's bytes: %v", err)
		}
	}
}

func TestRemoveLeavesOpenBlobsReadable(t *testing.T) {
	s, _ := openDisk(t)
	data := content(300_000)
	id := mustPut(t, s, data)
	b, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 2 {
		if err := s.Remove(ctx, id); err != nil {
			t.Errorf("Remove = %v", err)
		}
	}
	got := make([]byte, len(data))
	if _, err := b.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("reading a removed blob: %v", err)
	}
	if _, err := s.Open(ctx, id); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open = %v, want ErrNotFound", err)
	}
}

func TestAbortAndWrongLengthLeaveNothing(t *testing.T) {
	s, _ := openDisk(t)
	w, err := s.Create(ctx, blob.ID{1}, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, 50))
	if count(t, s) != 1 {
		t.Error("a blob being written is not among All")
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write(nil); err == nil || w.Commit() == nil {
		t.Error("an aborted writer goes on")
	}
	for _, n := range []int{99, 101} {
		if _, err := put(s, make([]byte, n), 100, 10); err == nil {
			t.Errorf("%d bytes pass for 100", n)
		}
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d files are left", n)
	}
	id := mustPut(t, s, content(10))
	if _, err := s.Open(ctx, id); err != nil {
		t.Error(err)
	}
}

func TestAbortAfterCommitDoesNothing(t *testing.T) {
	s, _ := openDisk(t)
	w, err := s.Create(ctx, blob.ID{1}, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if b, err := s.Open(ctx, blob.ID{1}); err != nil {
		t.Error(err)
	} else {
		b.Close()
	}
}

func TestConcurrentCommits(t *testing.T) {
	s, _ := openDisk(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				data := content(1000*w + i)
				id, err := put(s, data, -1, 777)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := s.Open(ctx, id)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("other bytes, %v", err)
				}
				b.Close()
			}
		})
	}
	wg.Wait()
	if n := count(t, s); n != 80 {
		t.Errorf("%d blobs, want 80", n)
	}
}

func TestUnusableDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "sub")} {
		if _, err := blob.Open(dir, blob.Options{}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("Open(%s) = %v, want an error naming it", dir, err)
		}
	}
	fs := blobtest.NewMemFS()
	fs.Hook = func(op, path string) error {
		if op == "create" {
			return os.ErrPermission
		}
		return nil
	}
	if _, err := blob.Open("/data", blob.Options{FS: fs}); !errors.Is(err, os.ErrPermission) ||
		!strings.Contains(err.Error(), "not writable") {
		t.Errorf("Open of a read-only directory = %v", err)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	s, dir := openDisk(t)
	id := mustPut(t, s, content(10))
	for _, name := range []string{"aa/README", "aa/" + strings.Repeat("0", 32), "bb/" + strings.Repeat("B", 32)} {
		if err := os.WriteFile(filepath.Join(dir, "blobs", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := s.All(ctx, func(got blob.ID, stat blob.Stat) error {
		if got != id || stat.Bytes <= 10 {
			return fmt.Errorf("unexpected %s of %d bytes", got, stat.Bytes)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestIDs(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	a, b := blob.NewID(now), blob.NewID(now.Add(time.Millisecond))
	if a.String() >= b.String() {
		t.Error("IDs do not sort by time")
	}
	if got, ok := blob.ParseID(a.String()); !ok || got != a {
		t.Errorf("ParseID = %v, %v", got, ok)
	}
	for _, bad := range []string{"", "x", a.String()[1:], strings.ToUpper(blob.ID{0xab}.String()), strings.Repeat("g", 32)} {
		if _, ok := blob.ParseID(bad); ok {
			t.Errorf("ParseID(%q) succeeds", bad)
		}
	}
}

// TestOpenBySeveral has several servers make the same new store at once.
func TestOpenBySeveral(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "data")
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := blob.Open(dir, blob.Options{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}
