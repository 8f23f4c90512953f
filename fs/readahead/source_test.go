package readahead

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"pail/s3client"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

func object(f *fake) ObjectID { return ObjectID{Key: "k", ETag: f.etag, Size: f.size} }

func TestReadAtHasTheSemanticsOfReaderAt(t *testing.T) {
	f := &fake{size: 300 * kib}
	s := newPool(t, f, Options{}).Open(object(f))
	for _, c := range []struct {
		off  int64
		len  int
		n    int
		want error
	}{
		{0, 0, 0, nil},
		{0, 100, 100, nil},
		{f.size - 10, 10, 10, nil},
		{f.size - 10, 11, 10, io.EOF},
		{f.size, 1, 0, io.EOF},
		{f.size, 0, 0, nil},
		{f.size + 5, 10, 0, io.EOF},
		{0, 400 * kib, 300 * kib, io.EOF},
	} {
		p := make([]byte, c.len)
		n, err := s.ReadAt(t.Context(), p, c.off)
		if n != c.n || !errors.Is(err, c.want) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v; want %d, %v", c.len, c.off, n, err, c.n, c.want)
		}
		checkBytes(t, p[:n], c.off)
	}
	if _, err := s.ReadAt(t.Context(), make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("negative offset: %v", err)
	}
}

func TestEmptyObjectNeedsNoRequest(t *testing.T) {
	f := &fake{}
	s := newPool(t, f, Options{}).Open(object(f))
	if n, err := s.ReadAt(t.Context(), make([]byte, 10), 0); n != 0 || err != io.EOF {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
	if g := f.requests(); len(g) != 0 {
		t.Errorf("requests: %v", g)
	}
}

func TestSmallObjectIsOneGet(t *testing.T) {
	for _, size := range []int64{1, 4 * kib, 128*kib + 1, mib} {
		for _, step := range []int{4 * kib, 128 * kib, mib} {
			f := &fake{size: size, etag: "e"}
			s := newPool(t, f, Options{}).Open(object(f))
			for off := int64(0); off < size; off += int64(step) {
				read(t, s, off, int(min(int64(step), size-off)))
			}
			if g := f.requests(); len(g) != 1 || g[0].Len != size {
				t.Errorf("size %d in reads of %d: %v", size, step, g)
			}
		}
	}
}

func TestSequentialReadFetchesEveryByteOnceInLargeBlocks(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		size int64
		step int
		gets int
	}{
		{"default", Options{}, 100 * mib, 128 * kib, 100/8 + 8},
		{"large reads", Options{}, 40 * mib, mib, 40/8 + 8},
		{"odd reads", Options{}, 10 * mib, 10007, 10/8 + 8},
		{"small budget", Options{MemoryLimit: 16 * mib}, 40 * mib, 128 * kib, 40/4 + 8},
		{"tiny budget", Options{MemoryLimit: mib}, 20 * mib, 128 * kib, 20*4 + 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{size: c.size, etag: "e"}
			p := newPool(t, f, c.o)
			s := p.Open(object(f))
			for off := int64(0); off < c.size; off += int64(c.step) {
				read(t, s, off, int(min(int64(c.step), c.size-off)))
			}
			g := f.requests()
			if total := checkOnce(t, g); total != c.size || len(g) > c.gets {
				t.Errorf("%d bytes in %d requests; want %d in at most %d: %v", total, len(g), c.size, c.gets, g)
			}
			if p.mu.made > p.mu.limit {
				t.Errorf("%d chunks of %d", p.mu.made, p.mu.limit)
			}
		})
	}
}

func TestFirstReadFetchesOnlyWhatWasAsked(t *testing.T) {
	f := &fake{size: 100 * mib, etag: "e"}
	s := newPool(t, f, Options{}).Open(object(f))
	read(t, s, 0, 4*kib)
	if g := f.requests(); len(g) != 1 || g[0] != (s3client.Range{Off: 0, Len: 128 * kib}) {
		t.Errorf("requests: %v", g)
	}
}

func TestSequentialReaderHasSeveralBlocksUnderWay(t *testing.T) {
	gate := make(chan struct{})
	f := &fake{size: 200 * mib, etag: "e"}
	f.hook = func(ctx context.Context, r s3client.Range) error {
		if r.Off < 40*mib {
			return nil
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	s := newPool(t, f, Options{MemoryLimit: 256 * mib, MaxWindow: 4}).Open(object(f))
	for off := int64(0); off < 39*mib; off += 128 * kib {
		read(t, s, off, 128*kib)
	}
	underWay := func() (n int) {
		for _, r := range f.requests() {
			if r.Off >= 39*mib {
				n++
			}
		}
		return n
	}
	waitFor(t, "3 or 4 blocks under way", func() bool { return underWay() >= 3 })
	for _, r := range f.requests() {
		if r.Off+r.Len > (39+4*8)*mib {
			t.Errorf("%v is beyond the window", r)
		}
	}
	close(gate)
}

func TestRandomReadsFetchLittle(t *testing.T) {
	f := &fake{size: 100 * mib, etag: "e"}
	s := newPool(t, f, Options{}).Open(object(f))
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		read(t, s, rnd.Int64N(f.size-4*kib), 4*kib)
	}
	g := f.requests()
	if len(g) > 500 {
		t.Errorf("%d requests for 500 reads", len(g))
	}
	for _, r := range g {
		if r.Len > 128*kib {
			t.Errorf("%v is too much for a read of 4 KiB", r)
		}
	}
}

func TestLargeRandomReadIsParallelAndExact(t *testing.T) {
	f := &fake{size: 100 * mib, etag: "e"}
	s := newPool(t, f, Options{BlockSize: 4 * mib}).Open(object(f))
	read(t, s, 50*mib+1000, 20*mib)
	g := f.requests()
	if total := checkOnce(t, g); total > 20*mib+256*kib || len(g) > 6 {
		t.Errorf("%d bytes in %d requests", total, len(g))
	}
}

func TestTwoStreamsOnOneSource(t *testing.T) {
	f := &fake{size: 100 * mib, etag: "e"}
	s := newPool(t, f, Options{MaxWindow: 2}).Open(object(f))
	for off := int64(0); off < 30*mib; off += 128 * kib {
		read(t, s, off, 128*kib)
		read(t, s, 60*mib+off, 128*kib)
	}
	g := f.requests()
	checkOnce(t, g)
	if len(g) > 30 {
		t.Errorf("%d requests: %v", len(g), g)
	}
}

func TestManyStreamsOnOneSource(t *testing.T) {
	for _, n := range []int64{8, 9, 16, 40, maxStreams} {
		f := &fake{size: n * 64 * mib, etag: "e"}
		p := newPool(t, f, Options{})
		s := p.Open(object(f))
		for off := int64(0); off < 4*mib; off += 32 * kib {
			for i := range n {
				read(t, s, i*64*mib+off, 32*kib)
			}
		}
		if g := int64(len(f.requests())); g > 10*n {
			t.Errorf("%d streams: %d requests", n, g)
		}
		s.Close()
	}
}

func TestReadsSlightlyOutOfOrderAreSequential(t *testing.T) {
	f := &fake{size: 64 * mib, etag: "e"}
	s := newPool(t, f, Options{}).Open(object(f))
	for off := int64(0); off < f.size; off += 512 * kib {
		for _, at := range []int64{0, 256, 128, 384} {
			read(t, s, off+at*kib, 128*kib)
		}
	}
	g := f.requests()
	checkOnce(t, g)
	if len(g) > 22 {
		t.Errorf("%d requests: %v", len(g), g)
	}
}

func TestBytesAreServedAsTheyArrive(t *testing.T) {
	gate := make(chan struct{})
	f := &fake{size: 100 * kib, etag: "e"}
	f.body = func(ctx context.Context, r s3client.Range, whole io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(whole, 10*kib), readerFunc(func([]byte) (int, error) {
			select {
			case <-gate:
				return 0, io.EOF
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}), whole)
	}
	s := newPool(t, f, Options{}).Open(object(f))
	read(t, s, 0, 10*kib)
	close(gate)
	read(t, s, 10*kib, 90*kib)
	if g := f.requests(); len(g) != 1 {
		t.Errorf("requests: %v", g)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCancelledReaderLeavesAndTheFetchGoesOn(t *testing.T) {
	gate, asked := make(chan struct{}), make(chan struct{})
	f := &fake{size: 100 * kib, etag: "e"}
	f.hook = func(ctx context.Context, _ s3client.Range) error {
		close(asked)
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	s := newPool(t, f, Options{}).Open(object(f))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := s.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("ReadAt: %v", err)
	}
	close(gate)
	read(t, s, 0, 100*kib)
	if g := f.requests(); len(g) != 1 {
		t.Errorf("requests: %v", g)
	}
}

func TestReadThatWaitsForMemoryIsForgottenWithItsReader(t *testing.T) {
	gate := make(chan struct{})
	f := &fake{size: 1000 * mib, etag: "e"}
	f.hook = func(ctx context.Context, _ s3client.Range) error {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	p := newPool(t, f, Options{MemoryLimit: mib})
	s := p.Open(object(f))
	var wg sync.WaitGroup
	holders := int64(mib / chunkSize)
	for i := range holders {
		wg.Go(func() {
			if _, err := s.ReadAt(t.Context(), make([]byte, chunkSize), i*10*mib); err != nil {
				t.Errorf("ReadAt: %v", err)
			}
		})
	}
	waitFor(t, "all memory to be taken", func() bool { return len(f.requests()) == int(holders) })
	waiting := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.mu.queue.Len()
	}
	for i := range int64(5) {
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := s.ReadAt(ctx, make([]byte, 10), (100+i)*mib); !errors.Is(err, context.Canceled) {
				t.Errorf("ReadAt: %v", err)
			}
		})
		waitFor(t, "the read to wait", func() bool { return waiting() == 1 })
		cancel()
		waitFor(t, "the read to be forgotten", func() bool { return waiting() == 0 })
	}
	close(gate)
	wg.Wait()
	if g := f.requests(); len(g) != int(holders) {
		t.Errorf("requests: %v", g)
	}
}

func TestCloseEndsReadsAndFetches(t *testing.T) {
	asked := make(chan struct{}, 10)
	f := &fake{size: 100 * mib, etag: "e"}
	f.hook = func(ctx context.Context, _ s3client.Range) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	s := newPool(t, f, Options{}).Open(object(f))
	go func() { <-asked; s.Close() }()
	if _, err := s.ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("read in progress: %v", err)
	}
	if _, err := s.ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestSeekAwayCancelsWhatIsUnderWay(t *testing.T) {
	var cancelled atomic.Int32
	f := &fake{size: 200 * mib, etag: "e"}
	f.hook = func(ctx context.Context, r s3client.Range) error {
		if r.Off < 3*mib/2 || r.Off >= 100*mib {
			return nil
		}
		<-ctx.Done()
		cancelled.Add(1)
		return ctx.Err()
	}
	p := newPool(t, f, Options{})
	s := p.Open(object(f))
	for off := int64(0); off < mib; off += 128 * kib {
		read(t, s, off, 128*kib)
	}
	blocked := func() (n int) {
		for _, r := range f.requests() {
			if r.Off >= 3*mib/2 && r.Off < 100*mib {
				n++
			}
		}
		return n
	}
	waitFor(t, "fetching ahead", func() bool { return blocked() > 0 })
	for i := range int64(abandonAfter + 1) {
		read(t, s, (100+2*i)*mib, 4*kib)
	}
	waitFor(t, "the cancellation", func() bool { return int(cancelled.Load()) == blocked() })
}

func TestChangedObjectIsAPreconditionError(t *testing.T) {
	for name, change := range map[string]func(f *fake, id *ObjectID){
		"ETag":                 func(f *fake, _ *ObjectID) { f.etag = "other" },
		"size, no ETag known":  func(f *fake, id *ObjectID) { f.size, id.ETag = 50, "" },
		"size under this ETag": func(f *fake, _ *ObjectID) { f.size = 50 },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{size: 100, etag: "e"}
			id := object(f)
			change(f, &id)
			s := newPool(t, f, Options{}).Open(id)
			if n, err := s.ReadAt(t.Context(), make([]byte, 10), 0); n != 0 || !errors.Is(err, s3client.ErrPrecondition) {
				t.Errorf("ReadAt = %d, %v", n, err)
			}
		})
	}
}

func TestDemandedErrorIsSurfacedAndNotRemembered(t *testing.T) {
	fail := errors.New("broken")
	f := &fake{size: 100, etag: "e"}
	f.hook = func(context.Context, s3client.Range) error { return fail }
	s := newPool(t, f, Options{}).Open(object(f))
	if _, err := s.ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, fail) {
		t.Errorf("ReadAt: %v", err)
	}
	f.mu.Lock()
	f.hook = nil
	f.mu.Unlock()
	read(t, s, 0, 100)
}

func TestFailedFetchAheadIsRetriedOnDemand(t *testing.T) {
	var failed, pos atomic.Int64
	f := &fake{size: 20 * mib, etag: "e"}
	f.hook = func(_ context.Context, r s3client.Range) error {
		if r.Off >= pos.Load()+256*kib && failed.Add(1) <= 3 {
			return errors.New("broken")
		}
		return nil
	}
	s := newPool(t, f, Options{}).Open(object(f))
	for off := int64(0); off < f.size; off += 128 * kib {
		pos.Store(off)
		read(t, s, off, 128*kib)
	}
	if failed.Load() == 0 { // how many are asked for far enough ahead is up to the scheduler
		t.Error("no request failed")
	}
}

func TestBrokenBodyIsContinued(t *testing.T) {
	var bodies atomic.Int32
	f := &fake{size: 500 * kib, etag: "e"}
	f.body = func(_ context.Context, _ s3client.Range, whole io.Reader) io.Reader {
		if bodies.Add(1) == 1 {
			return io.LimitReader(whole, 200*kib)
		}
		return whole
	}
	s := newPool(t, f, Options{}).Open(object(f))
	read(t, s, 0, 500*kib)
	offsets := []int64{0, 128 * kib, 192 * kib, 200 * kib} // 0: the fetch had failed before the reader came to wait for it
	if g := f.requests(); len(g) != 2 || !slices.Contains(offsets, g[1].Off) {
		t.Errorf("requests: %v", g)
	}
}

func TestWrongChecksumAtTheEndReachesTheReader(t *testing.T) {
	f := &fake{size: 50 * kib, etag: "e"}
	f.body = func(_ context.Context, _ s3client.Range, whole io.Reader) io.Reader {
		return io.MultiReader(whole, readerFunc(func([]byte) (int, error) { return 0, s3client.ErrIntegrity }))
	}
	s := newPool(t, f, Options{}).Open(object(f))
	if _, err := s.ReadAt(t.Context(), make([]byte, 50*kib), 0); !errors.Is(err, s3client.ErrIntegrity) {
		t.Errorf("ReadAt: %v", err)
	}
}

func TestThousandSourcesOnFourBlocks(t *testing.T) {
	f := &fake{size: 3 * mib, etag: "e"}
	p := newPool(t, f, Options{MemoryLimit: 2 * mib, BlockSize: 512 * kib})
	var wg sync.WaitGroup
	for i := range 1000 {
		s := p.Open(ObjectID{Key: fmt.Sprint(i), ETag: "e", Size: f.size})
		wg.Go(func() {
			buf, want := make([]byte, 128*kib), make([]byte, 128*kib)
			for j := range int64(4) {
				off := j * 128 * kib
				if i%2 == 1 {
					off = (j * 7 * 100 * kib) % (2 * mib)
				}
				if _, err := s.ReadAt(t.Context(), buf, off); err != nil {
					t.Errorf("source %d at %d: %v", i, off, err)
					return
				}
				if content(want, off); !bytes.Equal(buf, want) {
					t.Errorf("source %d at %d: wrong bytes", i, off)
				}
			}
		})
	}
	wg.Wait()
}

func TestDemandTakesMemoryFromStalledFetchAhead(t *testing.T) {
	f := &fake{size: 100 * mib, etag: "e"}
	stalled := func(ctx context.Context, r s3client.Range) error {
		if r.Off >= 512*kib && r.Off < 50*mib {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	f.hook = stalled
	p := newPool(t, f, Options{MemoryLimit: 2 * mib})
	greedy := p.Open(object(f))
	for off := int64(0); off < 256*kib; off += 64 * kib {
		read(t, greedy, off, 64*kib)
	}
	for i := range int64(20) {
		other := p.Open(ObjectID{Key: "other", ETag: "e", Size: f.size})
		read(t, other, 50*mib+i*mib, mib)
	}
}

func TestReadsAgreeWithTheObject(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := &fake{size: rapid.Int64Range(1, 6*mib).Draw(rt, "size"), etag: "e"}
		p := NewPool(Options{
			Client:      f,
			MemoryLimit: rapid.Int64Range(1, 8).Draw(rt, "limit") * 512 * kib,
			BlockSize:   rapid.Int64Range(0, 16).Draw(rt, "block") * 128 * kib,
			MaxWindow:   rapid.IntRange(0, 4).Draw(rt, "window"),
		})
		defer p.Close()
		s := p.Open(object(f))
		pos := int64(0)
		for range rapid.IntRange(1, 40).Draw(rt, "reads") {
			if rapid.IntRange(0, 3).Draw(rt, "seek") == 0 {
				pos = rapid.Int64Range(0, f.size).Draw(rt, "off")
			}
			n := rapid.IntRange(0, mib).Draw(rt, "n")
			buf, want := make([]byte, n), make([]byte, min(int64(n), f.size-pos))
			got, loan, err := s.(Lender).Lend(context.Background(), buf, pos)
			content(want, pos)
			if !bytes.Equal(loan.bytes(buf[:got]), want) || (err == io.EOF) != (len(want) < n) || err != nil && err != io.EOF {
				rt.Fatalf("Lend(%d bytes, %d) of %d = %d, %v", n, pos, f.size, got, err)
			}
			if loan != nil {
				loan.Return()
			}
			pos += int64(got)
		}
	})
}

func TestReadsWithAnEndFetchNothingBehindIt(t *testing.T) {
	f := &fake{size: 64 * mib}
	s := newPool(t, f, Options{}).Open(object(f))
	const from, end = 10*mib + 5, 15*mib + 7
	ctx := Until(t.Context(), end)
	buf := make([]byte, 32*kib)
	for off := int64(from); off < end; {
		n, err := s.ReadAt(ctx, buf[:min(int64(len(buf)), end-off)], off)
		if err != nil {
			t.Fatal(err)
		}
		checkBytes(t, buf[:n], off)
		off += int64(n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range f.requests() {
		if r.Off < from-chunkSize || r.Off+r.Len > end+chunkSize {
			t.Errorf("asked for %d bytes at %d", r.Len, r.Off)
		}
	}
}

func TestReadsWithAnEndAreOneRequest(t *testing.T) {
	f := &fake{size: 30 * mib, etag: "e"}
	s := newPool(t, f, Options{MemoryLimit: 64 * mib, BlockSize: 8 * mib}).Open(object(f))
	ctx := Until(t.Context(), 9*mib)
	p := make([]byte, 32*kib)
	for off := int64(4*mib + 4096); off < 9*mib; off += int64(len(p)) {
		if _, err := s.ReadAt(ctx, p[:min(int64(len(p)), 9*mib-off)], off); err != nil {
			t.Fatal(err)
		}
		checkBytes(t, p[:min(int64(len(p)), 9*mib-off)], off)
	}
	if g := f.requests(); len(g) != 1 || g[0] != (s3client.Range{Off: 4*mib + 4096, Len: 5*mib - 4096}) {
		t.Errorf("requests: %v", g)
	}
}
