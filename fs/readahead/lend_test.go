package readahead

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// lend reads n bytes at off, and checks them.
func lend(t *testing.T, s Source, off int64, n int) *Loan {
	t.Helper()
	got, l, err := s.(Lender).Lend(t.Context(), make([]byte, n), off)
	if err != nil || l == nil || got != n {
		t.Fatalf("Lend(%d bytes, %d) = %d, %v, %v", n, off, got, l, err)
	}
	checkBytes(t, l.bytes(nil), off)
	return l
}

// bytes returns a copy of what is lent, or p without a loan.
func (l *Loan) bytes(p []byte) []byte {
	if l == nil {
		return p
	}
	return bytes.Join(l.Parts(), nil)
}

func TestLendHasTheSemanticsOfReaderAt(t *testing.T) {
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
		{5, 200 * kib, 200 * kib, nil},
		{f.size - 10, 200 * kib, 10, io.EOF},
		{f.size, 200 * kib, 0, io.EOF},
		{f.size + 5, 200 * kib, 0, io.EOF},
		{0, 400 * kib, 300 * kib, io.EOF},
	} {
		p := make([]byte, c.len)
		n, l, err := s.(Lender).Lend(t.Context(), p, c.off)
		if n != c.n || !errors.Is(err, c.want) {
			t.Errorf("Lend(%d bytes, %d) = %d, %v; want %d, %v", c.len, c.off, n, err, c.n, c.want)
		}
		got := l.bytes(p[:n])
		if len(got) != n {
			t.Errorf("Lend(%d bytes, %d): %d bytes of %d are lent", c.len, c.off, len(got), n)
		}
		checkBytes(t, got, c.off)
		if l != nil {
			l.Return()
		}
	}
	if _, _, err := s.(Lender).Lend(t.Context(), make([]byte, chunkSize), -1); err == nil || err == io.EOF {
		t.Errorf("negative offset: %v", err)
	}
}

// What is lent stays as it is while all other memory is used again and again, and while its source is closed.
func TestLentBytesStayUntilTheyAreReturned(t *testing.T) {
	f := &fake{size: 16 * mib, etag: "e"}
	p := newPool(t, f, Options{MemoryLimit: 4 * mib, BlockSize: 512 * kib})
	s := p.Open(object(f))
	loans := map[int64]*Loan{}
	for _, off := range []int64{0, mib - 5, 12*mib + 77} {
		loans[off] = lend(t, s, off, 256*kib)
	}
	others := p.Open(object(f))
	for off := int64(1); off < f.size-mib; off += mib {
		lend(t, others, off, 512*kib).Return()
		read(t, s, off+300*kib, 128*kib)
	}
	closed := make(chan struct{})
	go func() {
		s.Close()
		close(closed)
	}()
	waitFor(t, "the source to be closed", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return s.(*source).closed
	})
	for off := int64(1); off < f.size-mib; off += mib {
		lend(t, others, off, 512*kib).Return()
	}
	for off, l := range loans {
		checkBytes(t, l.bytes(nil), off)
		select {
		case <-closed:
			t.Errorf("the source is closed while bytes at %d are lent", off)
		default:
		}
		l.Return()
	}
	<-closed
}

// Readers who ask for more than there is memory never wait for each other for good.
func TestLoansOfReadersWhoAskForAllMemory(t *testing.T) {
	f := &fake{size: 32 * mib, etag: "e"}
	p := newPool(t, f, Options{MemoryLimit: 512 * kib})
	var wg sync.WaitGroup
	for i := range uint64(8) {
		s := p.Open(object(f))
		rnd := rand.New(rand.NewPCG(i, i))
		wg.Go(func() {
			buf, want := make([]byte, mib), make([]byte, mib)
			for range 20 {
				off := rnd.Int64N(f.size - mib)
				n, l, err := s.(Lender).Lend(t.Context(), buf, off)
				if err != nil {
					t.Error(err)
					return
				}
				if content(want, off); !bytes.Equal(l.bytes(buf[:n]), want) {
					t.Errorf("wrong bytes at %d", off)
				}
				l.Return()
			}
		})
	}
	wg.Wait()
}

func TestLendThatFailsKeepsNothing(t *testing.T) {
	f := &fake{size: 8 * mib, etag: "e"}
	p := newPool(t, f, Options{BlockSize: 512 * kib})
	s := p.Open(object(f))
	lend(t, s, 0, 512*kib).Return()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.mu.Lock()
	f.etag = "other"
	f.mu.Unlock()
	if n, l, err := s.(Lender).Lend(ctx, make([]byte, 4*mib), 0); err == nil || l != nil {
		t.Errorf("Lend = %d, %v, %v", n, l, err)
	}
}
