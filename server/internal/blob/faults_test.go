package blob_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"pail/server/internal/blob"
	"pail/server/internal/blob/blobtest"
)

// TestEveryFlippedBitIsFound flips bits all over a file: none may reach a reader.
func TestEveryFlippedBitIsFound(t *testing.T) {
	fs := blobtest.NewMemFS()
	s := openMem(t, fs)
	data := content(2*blob.ChunkSize + 1000)
	id := mustPut(t, s, data)
	path := pathOf("/data", id)
	stat, err := fs.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	bits := []int{0, 8*len(data) - 1}
	for bit := 8 * len(data); bit < int(8*stat.Bytes); bit++ {
		bits = append(bits, bit)
	}
	for range 200 {
		bits = append(bits, rand.IntN(8*len(data)))
	}
	for _, bit := range bits {
		fs.Corrupt(path, bit)
		var out bytes.Buffer
		b, err := s.Open(ctx, id)
		if err == nil {
			_, err = b.CopyRange(&out, 0, b.Size())
			if !bytes.HasPrefix(data, out.Bytes()) {
				t.Fatalf("bit %d: damaged bytes are served", bit)
			}
			if err == nil {
				err = blob.Verify(b)
			}
		}
		if !errors.Is(err, blob.ErrDamaged) || !strings.Contains(err.Error(), id.String()) {
			t.Fatalf("bit %d: %v, want ErrDamaged naming the blob", bit, err)
		}
		fs.Corrupt(path, bit)
	}
	checkReads(t, s, id, data)
}

func TestDamageElsewhereDoesNotStopARead(t *testing.T) {
	fs := blobtest.NewMemFS()
	s := openMem(t, fs)
	data := content(3 * blob.ChunkSize)
	id := mustPut(t, s, data)
	fs.Corrupt(pathOf("/data", id), 8*(2*blob.ChunkSize+5))
	b, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CopyRange(io.Discard, 0, 2*blob.ChunkSize); err != nil {
		t.Errorf("undamaged chunks: %v", err)
	}
	if _, err := b.ReadAt(make([]byte, 1), 2*blob.ChunkSize); !errors.Is(err, blob.ErrDamaged) {
		t.Errorf("the damaged chunk: %v", err)
	}
}

func TestCutFilesAreDamaged(t *testing.T) {
	fs := blobtest.NewMemFS()
	s := openMem(t, fs)
	for _, left := range []int{0, 10, 48, 1000} {
		id := mustPut(t, s, content(2000))
		fs.Truncate(pathOf("/data", id), left)
		if _, err := s.Open(ctx, id); !errors.Is(err, blob.ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", left, err)
		}
	}
}

func TestFullVolume(t *testing.T) {
	fs := blobtest.NewMemFS()
	fs.Capacity = 1 << 20
	s := openMem(t, fs)
	if _, err := s.Create(ctx, blob.ID{1}, 2<<20, nil); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Create = %v, want ErrNoSpace before the first byte", err)
	}
	if _, err := put(s, content(2<<20), -1, 100_000); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Write = %v, want ErrNoSpace", err)
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d files are left", n)
	}
	mustPut(t, s, content(900_000))
}

func TestFailuresAtEveryCall(t *testing.T) {
	failure := errors.New("broken")
	for _, op := range []string{"create", "allocate", "write", "sync", "syncdir"} {
		fs := blobtest.NewMemFS()
		on := false
		fs.Hook = func(name, path string) error {
			if on && name == op {
				return failure
			}
			return nil
		}
		s := openMem(t, fs)
		on = true
		if _, err := put(s, content(1000), 1000, 1000); !errors.Is(err, failure) {
			t.Errorf("%s fails: %v", op, err)
		}
		on = false
		if n := count(t, s); n != 0 {
			t.Errorf("%s fails: %d files are left", op, n)
		}
	}
}

func TestCommittedBlobsSurvivePowerLoss(t *testing.T) {
	fs := blobtest.NewMemFS()
	rnd := rand.New(rand.NewPCG(5, 6))
	committed := map[blob.ID][]byte{}
	check := func() {
		after := openMem(t, fs.Crash(rnd, rnd.IntN(101), func() {}))
		for id, data := range committed {
			checkReads(t, after, id, data)
		}
	}
	crash := false
	fs.Hook = func(op, path string) error {
		if crash && rnd.IntN(3) == 0 {
			crash = false
			check()
			crash = true
		}
		return nil
	}
	s := openMem(t, fs)
	crash = true
	var mu sync.Mutex // the hook is called from two goroutines in Commit
	hook := fs.Hook
	fs.Hook = func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		return hook(op, path)
	}
	for range 15 {
		data := content(1 + rnd.IntN(300_000))
		id, err := put(s, data, int64(len(data)), 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		committed[id] = data
		mu.Unlock()
	}
}
