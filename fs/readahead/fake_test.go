package readahead

import (
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"pail/s3client"
)

// pattern is what the content repeats; its length is no multiple of any size that the code uses.
var pattern = sync.OnceValue(func() []byte {
	p := make([]byte, 1<<20+13)
	rnd := rand.NewChaCha8([32]byte{})
	rnd.Read(p)
	return p
})

// content fills p with the bytes at off of the object that all tests read.
func content(p []byte, off int64) {
	table := pattern()
	for len(p) > 0 {
		n := copy(p, table[off%int64(len(table)):])
		p, off = p[n:], off+int64(n)
	}
}

// fake serves one object of generated content and records what is asked.
type fake struct {
	s3client.Client
	size int64
	etag s3client.ETag
	hook func(ctx context.Context, r s3client.Range) error // before the answer
	body func(ctx context.Context, r s3client.Range, whole io.Reader) io.Reader

	mu     sync.Mutex
	gets   []s3client.Range
	flying int
	most   int // highest flying
	served int64
}

func (f *fake) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	r := opt.Range
	if r == (s3client.Range{}) {
		r.Len = f.size
	}
	f.mu.Lock()
	f.gets = append(f.gets, r)
	hook, size, etag := f.hook, f.size, f.etag
	f.mu.Unlock()
	if opt.IfMatch != "" && opt.IfMatch != etag {
		return nil, &s3client.Error{Op: s3client.OpGet, Key: key, Status: 412, Err: s3client.ErrPrecondition}
	}
	if hook != nil {
		if err := hook(ctx, r); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying++
	f.most = max(f.most, f.flying)
	b := &fakeBody{f: f, ctx: ctx, off: r.Off, left: min(r.Len, size-r.Off)}
	var from io.Reader = b
	if f.body != nil {
		from = f.body(ctx, r, b)
	}
	info := s3client.ObjectInfo{Key: key, Size: size, ETag: etag}
	return &s3client.Object{Info: info, Body: struct {
		io.Reader
		io.Closer
	}{from, b}}, nil
}

func (f *fake) requests() []s3client.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]s3client.Range(nil), f.gets...)
}

type fakeBody struct {
	f         *fake
	ctx       context.Context
	off, left int64
	closed    bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.left, 64<<10)]
	content(p, b.off)
	n := int64(len(p))
	b.off, b.left = b.off+n, b.left-n
	b.f.mu.Lock()
	b.f.served += n
	b.f.mu.Unlock()
	return len(p), nil
}

func (b *fakeBody) Close() error {
	b.f.mu.Lock()
	defer b.f.mu.Unlock()
	if !b.closed {
		b.f.flying--
	}
	b.closed = true
	return nil
}

// newPool returns a pool over f that is checked for leaks at the end of the test.
func newPool(t *testing.T, f *fake, o Options) *Pool {
	t.Helper()
	before := runtime.NumGoroutine()
	o.Client = f
	p := NewPool(o)
	heap := func(size int) ([]byte, func() error) { return make([]byte, size), func() error { return nil } }
	p.mu.mapSlab = heap // which the race detector watches, unlike mapped memory
	t.Cleanup(func() {
		for s := range p.mu.sources {
			s.Close()
		}
		p.keeper.blocks.Wait()
		checkEmpty(t, p)
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		f.mu.Lock()
		if f.flying != 0 {
			t.Errorf("%d bodies are still open", f.flying)
		}
		f.mu.Unlock()
		waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
	return p
}

// checkEmpty checks that without sources all memory is free again.
func checkEmpty(t *testing.T, p *Pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	m := &p.mu.memory
	if len(m.free) != m.made || m.made > m.limit || m.ahead != 0 || m.leaving != 0 {
		t.Errorf("free %d, made %d, limit %d, ahead %d, leaving %d", len(m.free), m.made, m.limit, m.ahead, m.leaving)
	}
	if n := m.spent.Len() + m.idle.Len() + m.ready.Len() + m.flying.Len() + m.queue.Len(); n != 0 {
		t.Errorf("%d blocks or requests are left in lists", n)
	}
}

// waitFor polls for what other goroutines are about to do.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// read reads and checks n bytes at off.
func read(t *testing.T, s Source, off int64, n int) {
	t.Helper()
	p := make([]byte, n)
	if got, err := s.ReadAt(t.Context(), p, off); err != nil || got != n {
		t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", n, off, got, err)
	}
	checkBytes(t, p, off)
}

func checkBytes(t *testing.T, p []byte, off int64) {
	t.Helper()
	want := make([]byte, len(p))
	content(want, off)
	if string(p) != string(want) {
		t.Fatalf("wrong bytes in [%d, %d)", off, off+int64(len(p)))
	}
}

// checkOnce checks that no byte was asked for twice, and returns how many were.
func checkOnce(t *testing.T, gets []s3client.Range) (total int64) {
	t.Helper()
	for i, a := range gets {
		total += a.Len
		for _, b := range gets[:i] {
			if a.Off < b.Off+b.Len && b.Off < a.Off+a.Len {
				t.Errorf("%+v and %+v overlap", a, b)
			}
		}
	}
	return total
}
