package readahead

import (
	"context"
	"errors"
	"io"
	"testing"

	"pail/s3client"
)

func TestFirstBringsTheVersionAndItsBytes(t *testing.T) {
	for _, c := range []struct {
		name              string
		size, n, expected int64
		gets              int // until all is read
	}{
		{"small", 300 * kib, mib, 300 * kib, 1},
		{"large", 4 * mib, 256 * kib, 4 * mib, 0},
		{"smaller than expected", 100 * kib, 256 * kib, 4 * mib, 1},
		{"larger than expected", 3 * mib, mib, 10, 0},
		{"one byte", 1, mib, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{size: c.size, etag: "v1"}
			p := newPool(t, f, Options{})
			info, s, err := p.First(t.Context(), "k", c.n, c.expected)
			if err != nil || info.Size != c.size || info.ETag != "v1" {
				t.Fatalf("%+v, %v", info, err)
			}
			if got := len(f.requests()); got != 1 {
				t.Errorf("%d requests", got)
			}
			data := make([]byte, c.size)
			if n, err := s.ReadAt(t.Context(), data, 0); int64(n) != c.size || err != nil && err != io.EOF {
				t.Fatalf("read %d, %v", n, err)
			}
			checkBytes(t, data, 0)
			if got := len(f.requests()); c.gets > 0 && got != c.gets {
				t.Errorf("%d requests in all", got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFirstOfAnEmptyObject(t *testing.T) {
	p := newPool(t, &fake{etag: "v1"}, Options{})
	info, s, err := p.First(t.Context(), "k", mib, 10)
	if err != nil || s != nil || info.ETag != "v1" || info.Size != 0 {
		t.Errorf("%+v, %v, %v", info, s, err)
	}
}

// The rest of a body that breaks off is asked for again, of the same version.
func TestFirstBodyThatBreaksOff(t *testing.T) {
	f := &fake{size: 300 * kib, etag: "v1"}
	broken := errors.New("connection reset")
	f.body = func(_ context.Context, _ s3client.Range, whole io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(whole, 1000), failing{broken})
	}
	p := newPool(t, f, Options{})
	_, s, err := p.First(t.Context(), "k", mib, f.size)
	if err != nil {
		t.Fatal(err)
	}
	s.(*source).wg.Wait()
	f.mu.Lock()
	f.body = nil
	f.mu.Unlock()
	data := make([]byte, f.size)
	if n, err := s.ReadAt(t.Context(), data, 0); int64(n) != f.size || err != nil && err != io.EOF {
		t.Fatalf("read %d, %v", n, err)
	}
	checkBytes(t, data, 0)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFirstThatFails(t *testing.T) {
	refused := errors.New("refused")
	f := &fake{size: 10, hook: func(context.Context, s3client.Range) error { return refused }}
	p := newPool(t, f, Options{})
	if _, s, err := p.First(t.Context(), "k", mib, 10); !errors.Is(err, refused) || s != nil {
		t.Errorf("%v, %v", s, err)
	}
	f.hook = func(ctx context.Context, _ s3client.Range) error {
		<-ctx.Done()
		return ctx.Err()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, s, err := p.First(ended, "k", mib, 10); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoRoom) || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

// First takes no memory that somebody else is using.
func TestFirstWithoutRoom(t *testing.T) {
	hold := make(chan struct{})
	f := &fake{size: 4 * mib, etag: "v1"}
	f.body = func(_ context.Context, _ s3client.Range, whole io.Reader) io.Reader { return held{whole, hold} }
	p := newPool(t, f, Options{MemoryLimit: 512 * kib, BlockSize: 128 * kib})
	for range 4 {
		if _, _, err := p.First(t.Context(), "k", 128*kib, f.size); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := p.First(t.Context(), "k", 128*kib, f.size); !errors.Is(err, ErrNoRoom) {
		t.Errorf("a fifth chunk of four: %v", err)
	}
	close(hold)
}

// held is a body that comes when it is let go.
type held struct {
	io.Reader
	hold <-chan struct{}
}

func (h held) Read(p []byte) (int, error) {
	<-h.hold
	return h.Reader.Read(p)
}

// What came with opens and was not read makes room for a reader in order.
func TestUnreadFirstsMakeRoom(t *testing.T) {
	f := &fake{size: 64 * mib, etag: "v1"}
	p := newPool(t, f, Options{MemoryLimit: 8 * mib, BlockSize: mib})
	for range 100 {
		if _, s, err := p.First(t.Context(), "k", 256*kib, f.size); err != nil {
			t.Fatal(err)
		} else {
			s.(*source).wg.Wait()
		}
	}
	before := len(f.requests())
	s := p.Open(object(f))
	buf := make([]byte, 128*kib)
	for off := int64(0); off < 8*mib; off += int64(len(buf)) {
		if _, err := s.ReadAt(t.Context(), buf, off); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.requests()) - before; n > 24 {
		t.Errorf("%d requests for 8 MiB in order", n)
	}
}
