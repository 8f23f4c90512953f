package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/minio/crc64nvme"
	"pgregory.net/rapid"

	"pail/fs/stage"
	"pail/s3client"
)

// A grid covers a file without gaps, its parts grow, and nearly the largest object has one.
func TestGrid(t *testing.T) {
	const mib = 1 << 20
	lim := limits{min: s3client.MinPartSize, max: s3client.MaxPartSize, count: s3client.MaxParts, send: DefaultPartSize}
	for _, first := range []int64{s3client.MinPartSize, DefaultPartSize, 33 * mib, s3client.MaxPartSize} {
		lim.send = first
		g := newGrid(lim)
		end := int64(0)
		for n := 1; n <= s3client.MaxParts; n++ {
			p := g.cell(n)
			if p.off != end || p.len < first || p.len > s3client.MaxPartSize || n > 1 && p.len < g.cell(n-1).len {
				t.Fatalf("part %d is %+v, the one before ends at %d", n, p, end)
			}
			end = p.end()
			for off, want := range map[int64]int{p.off: n - 1, end - 1: n - 1, end: n} {
				if got := g.before(off); got != want {
					t.Fatalf("%d parts end before %d, want %d", got, off, want)
				}
			}
		}
		if g.size() != end || end < 35<<40 {
			t.Errorf("with parts of %d bytes the largest file has %d, the last part ends at %d", first, g.size(), end)
		}
		if got := g.before(MaxObjectSize); got != s3client.MaxParts {
			t.Errorf("%d parts end before the end of the largest object", got)
		}
	}
}

// The parts of a grid cover the file in ascending order; what is copied is unchanged, and small enough.
func TestPartsOfAGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grid{first: 10, most: 80, count: 10_000}
		lim := limits{send: 10, copied: rapid.SampledFrom([]int64{0, 5, 10, 45, 1000}).Draw(t, "copied")}
		var extents []stage.Extent
		size := int64(0)
		for kind := stage.Kind(rapid.IntRange(0, 2).Draw(t, "kind")); len(extents) < rapid.IntRange(1, 8).Draw(t, "n"); kind = (kind + 1) % 3 {
			e := stage.Extent{Off: size, Len: rapid.Int64Range(1, 3000).Draw(t, "len"), Kind: kind}
			extents = append(extents, e)
			size += e.Len
		}
		end, n := int64(0), 0
		for _, p := range g.parts(size, extents, lim) {
			if p.off != end || p.len <= 0 || p.n <= n || g.cell(p.n).off != p.off {
				t.Fatalf("part %+v after %d, which ends at %d", p, n, end)
			}
			end, n = p.end(), p.n
			if p.copied != (lim.copied > 0 && inBase(extents, p.off, p.len)) {
				t.Fatalf("part %+v of %v", p, extents)
			}
			if p.copied && p.len > max(lim.copied, g.cell(p.n).len) {
				t.Fatalf("part %+v is too large", p)
			}
		}
		if end != size {
			t.Fatalf("the parts end at %d, the file at %d", end, size)
		}
	})
}

func inBase(extents []stage.Extent, off, n int64) bool {
	for _, e := range extents {
		if e.Off < off+n && e.Off+e.Len > off && e.Kind != stage.Unchanged {
			return false
		}
	}
	return true
}

// No more parts are in flight than are allowed, and what is written meanwhile does not wait for any.
func TestStreamSendsANumberOfPartsAtOnce(t *testing.T) {
	e := newEnv(t)
	u := e.uploader(Options{Parallel: 2, PartSize: s3client.MinPartSize, MultipartThreshold: s3client.MinPartSize})
	f := e.area.NewFile(nil, 0)
	defer f.Close()
	hold := make(chan struct{})
	e.client.onPart = func(int) error { <-hold; return nil }
	s := u.NewStream(f, "k", s3client.PutOptions{})
	data := random(32 * mib)
	for off := 0; off < len(data); off += mib {
		if _, err := f.WriteAt(t.Context(), data[off:off+mib], int64(off)); err != nil {
			t.Fatal(err)
		}
		s.Wrote(data[off:off+mib], int64(off))
	}
	close(hold)
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Commit(t.Context(), "k", snap, nil, s3client.PutOptions{Meta: s3client.Meta{"mode": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(data)) || info.Key != "k" || info.Meta["mode"] != "1" {
		t.Errorf("stored is %+v", info)
	}
	e.check("k", data)
	if most := e.client.most.Load(); most > 2 {
		t.Errorf("%d parts were in flight", most)
	}
	s.Abort() // does nothing
	if err := u.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	if n := e.client.aborts.Load(); n != 0 {
		t.Errorf("%d uploads were aborted", n)
	}
}

// A commit stores the file as it was when the snapshot was taken, whatever is written while parts of it are in flight: to
// these, to those that have come, and to those that are still to be sent; also if that begins another stream.
func TestCommitOfAStreamWhoseFileIsWritten(t *testing.T) {
	const part = s3client.MinPartSize
	for name, memory := range map[string]int64{"on disk": -1, "in memory": 100 * mib} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			area, err := stage.New(stage.Options{Dir: t.TempDir(), MemoryPerFile: memory, MemoryTotal: 4 * memory})
			if err != nil {
				t.Fatal(err)
			}
			u := e.uploader(Options{Parallel: 8, PartSize: part, MultipartThreshold: part})
			f := area.NewFile(nil, 0)
			defer f.Close()
			hold, arrived := make(chan struct{}), make(chan struct{}, 100)
			e.client.onPart = func(n int) error {
				arrived <- struct{}{}
				if n == 2 || n == 3 {
					<-hold
				}
				return nil
			}
			write := func(s *Stream, p []byte, off int64) {
				t.Helper()
				if _, err := f.WriteAt(t.Context(), p, off); err != nil {
					t.Fatal(err)
				}
				s.Wrote(p, off)
			}
			first := u.NewStream(f, "k", s3client.PutOptions{})
			data := random(5*part + 1000)
			for off := 0; off < 4*part; off += part {
				write(first, data[off:off+part], int64(off))
				<-arrived
			}
			write(first, data[4*part:], 4*part)
			<-arrived
			snap, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := first.Commit(t.Context(), "k", snap, nil, s3client.PutOptions{})
				done <- err
			}()
			<-arrived // the end, after it was decided which parts are as they were
			next, second := bytes.Clone(data), u.NewStream(f, "k", s3client.PutOptions{})
			for _, off := range []int{part - 1, 2*part + 7, 4 * part, 5 * part, 6 * part} {
				p := random(part)
				next = append(next, make([]byte, max(off+part-len(next), 0))...)
				copy(next[off:], p)
				write(second, p, int64(off))
			}
			close(hold)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			e.check("k", data)
			snap.Release(true)
			if snap, err = f.Snapshot(); err != nil {
				t.Fatal(err)
			}
			if _, err := second.Commit(t.Context(), "k", snap, nil, s3client.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			e.check("k", next)
			if n := e.client.aborts.Load(); n != 0 {
				t.Errorf("%d uploads were aborted", n)
			}
		})
	}
}

// The end of the caller's context ends a commit that waits for a part, and gives the upload up.
func TestCommitOfAStreamEndsWithItsContext(t *testing.T) {
	e := newEnv(t)
	u := e.uploader(Options{PartSize: s3client.MinPartSize, MultipartThreshold: s3client.MinPartSize})
	f := e.area.NewFile(nil, 0)
	defer f.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	var parts atomic.Int32
	e.client.onPart = func(n int) error {
		if parts.Add(1) == 3 {
			cancel(over)
		}
		return nil
	}
	s := u.NewStream(f, "k", s3client.PutOptions{})
	data := random(12 * mib)
	if _, err := f.WriteAt(t.Context(), data, 0); err != nil {
		t.Fatal(err)
	}
	s.Wrote(data, 0)
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, "k", snap, nil, s3client.PutOptions{}); !errors.Is(err, over) && !errors.Is(err, context.Canceled) {
		t.Errorf("the commit says %v", err)
	}
	if err := u.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	if page, err := e.client.ListUploads(t.Context(), s3client.UploadsQuery{}); err != nil || len(page.Uploads) > 0 {
		t.Errorf("left are %+v, %v", page.Uploads, err)
	}
}

// A service that does not answer to the beginning of an upload does not hold up a commit whose time is over; what it has begun
// is aborted once it does.
func TestCommitOfAStreamEndsBeforeItHasBegun(t *testing.T) {
	e := newEnv(t)
	u := e.uploader(Options{PartSize: s3client.MinPartSize, MultipartThreshold: s3client.MinPartSize})
	f := e.area.NewFile(nil, 0)
	defer f.Close()
	begins, hold := make(chan struct{}), make(chan struct{})
	e.client.onNew = func() { close(begins); <-hold }
	s := u.NewStream(f, "k", s3client.PutOptions{})
	data := random(6 * mib)
	if _, err := f.WriteAt(t.Context(), data, 0); err != nil {
		t.Fatal(err)
	}
	s.Wrote(data, 0)
	<-begins
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Commit(ctx, "k", snap, nil, s3client.PutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the commit says %v", err)
	}
	snap.Release(false)
	if err := u.Settle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("before the service answers: %v", err)
	}
	close(hold)
	if err := u.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	if page, err := e.client.ListUploads(t.Context(), s3client.UploadsQuery{}); err != nil || len(page.Uploads) > 0 {
		t.Errorf("left are %+v, %v", page.Uploads, err)
	}
}

// An upload that cannot be aborted is tried again, with the next success and at the end.
func TestUploadsThatCannotBeAbortedAreTriedAgain(t *testing.T) {
	for _, atEnd := range []bool{false, true} {
		t.Run(fmt.Sprint(atEnd), func(t *testing.T) {
			e := newEnv(t)
			broken := errors.New("broken")
			e.client.onAbort = func() error { return broken }
			e.client.onComplete = func() error { return broken }
			u := e.uploader(Options{PartSize: s3client.MinPartSize, MultipartThreshold: s3client.MinPartSize})
			data := bytes.Repeat([]byte("x"), 6*mib)
			if _, err := u.Commit(t.Context(), "k", e.file(data, nil), nil, s3client.PutOptions{}); !errors.Is(err, broken) {
				t.Fatalf("the commit says %v", err)
			}
			if err := u.Settle(t.Context()); !errors.Is(err, broken) {
				t.Errorf("with a service that does not answer: %v", err)
			}
			e.client.onAbort, e.client.onComplete = nil, nil
			if !atEnd {
				if _, err := u.Commit(t.Context(), "other", e.file(data, nil), nil, s3client.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				u.work.Wait()
			} else if err := u.Settle(t.Context()); err != nil {
				t.Error(err)
			}
			if page, err := e.client.ListUploads(t.Context(), s3client.UploadsQuery{}); err != nil || len(page.Uploads) > 0 {
				t.Errorf("left are %+v, %v", page.Uploads, err)
			}
		})
	}
}

// The checksums of cells that are written in order are right; of others there are none.
func TestRunningChecksums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grid{first: 10, most: 10, count: 8}
		r := running{grid: g}
		file := make([]byte, 200)
		next := 0
		for range rapid.IntRange(1, 40).Draw(t, "writes") {
			off := next
			if rapid.IntRange(0, 5).Draw(t, "elsewhere") == 0 {
				off = rapid.IntRange(0, 100).Draw(t, "off")
			}
			p := rapid.SliceOfN(rapid.Byte(), 0, 25).Draw(t, "p")
			next = off + len(p)
			if next > 150 {
				break
			}
			if copy(file[off:], p); rapid.IntRange(0, 9).Draw(t, "disturbed") == 0 {
				file[rapid.IntRange(0, 100).Draw(t, "changed")]++
				r.add(p, int64(off))
				r.valid = false
				continue
			}
			for n, sum := range r.add(p, int64(off)) {
				cell := g.cell(n)
				if want := encodeSum(crc64nvme.Checksum(file[cell.off:cell.end()])); sum != want {
					t.Fatalf("the checksum of cell %d is %s, want %s", n, sum, want)
				}
			}
		}
	})
	g := grid{first: 10, most: 10, count: 8}
	r := running{grid: g}
	if r.add([]byte("01234"), 0); len(r.add([]byte("56789012345678901234"), 5)) != 2 {
		t.Error("cells that were written in order have no checksums")
	}
}
