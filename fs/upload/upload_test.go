package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"

	"pail/fs/stage"
	"pail/s3client"
	"pail/s3client/memclient"
)

const mib = 1 << 20

// faulty passes everything on and fails or watches what a test says.
type faulty struct {
	*memclient.Client
	onNew      func()
	onPart     func(n int) error
	onCopyPart func(n int) error
	onComplete func() error
	onAbort    func() error
	aborts     atomic.Int32
	flying     atomic.Int32
	most       atomic.Int32
}

func (f *faulty) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	if f.onNew != nil {
		f.onNew()
	}
	up, err := f.Client.NewUpload(ctx, key, opt)
	if err != nil {
		return nil, err
	}
	return &faultyUpload{up, f}, nil
}

type faultyUpload struct {
	s3client.Upload
	f *faulty
}

func (u *faultyUpload) Part(ctx context.Context, n int, body io.ReadSeeker) (s3client.Part, error) {
	defer u.f.flying.Add(-1)
	if now := u.f.flying.Add(1); now > u.f.most.Load() {
		u.f.most.Store(now)
	}
	if u.f.onPart != nil {
		if err := u.f.onPart(n); err != nil {
			return s3client.Part{}, err
		}
	}
	return u.Upload.Part(ctx, n, body)
}

func (u *faultyUpload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	if u.f.onCopyPart != nil {
		if err := u.f.onCopyPart(n); err != nil {
			return s3client.Part{}, err
		}
	}
	return u.Upload.CopyPart(ctx, n, src, r, ifMatch)
}

func (u *faultyUpload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	if u.f.onComplete != nil {
		if err := u.f.onComplete(); err != nil {
			return s3client.ObjectInfo{}, err
		}
	}
	return u.Upload.Complete(ctx, parts, as)
}

func (u *faultyUpload) Abort(ctx context.Context) error {
	u.f.aborts.Add(1)
	if u.f.onAbort != nil {
		if err := u.f.onAbort(); err != nil {
			return err
		}
	}
	return u.Upload.Abort(ctx)
}

// env is a bucket and a file of it.
type env struct {
	t      *testing.T
	client *faulty
	area   *stage.Area
}

func newEnv(t *testing.T) *env {
	t.Helper()
	area, err := stage.New(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t, &faulty{Client: memclient.New(memclient.Options{Capabilities: memclient.Full()})}, area}
	t.Cleanup(func() {
		if err := area.Close(); err != nil {
			t.Error(err)
		}
		if ids := e.client.Uploads(); len(ids) > 0 {
			t.Errorf("uploads left behind: %v", ids)
		}
	})
	return e
}

func (e *env) uploader(o Options) *Uploader {
	o.Client = e.client
	return New(o)
}

func (e *env) put(key string, data []byte) *s3client.ObjectInfo {
	e.t.Helper()
	opt := s3client.PutOptions{Meta: s3client.Meta{"mode": "33188"}, System: s3client.System{ContentType: "text/plain"}}
	if _, err := e.client.Put(e.t.Context(), key, bytes.NewReader(data), opt); err != nil {
		e.t.Fatal(err)
	}
	info, err := e.client.Head(e.t.Context(), key)
	if err != nil {
		e.t.Fatal(err)
	}
	e.client.ResetCounts()
	return &info
}

func (e *env) check(key string, want []byte) {
	e.t.Helper()
	obj, err := e.client.Get(e.t.Context(), key, s3client.GetOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	defer obj.Body.Close()
	buf := make([]byte, 64<<10) // memory for the whole costs most of the time under the race detector
	for at := 0; ; {
		n, err := obj.Body.Read(buf)
		if left := want[at:]; !bytes.HasPrefix(left, buf[:n]) {
			e.t.Errorf("%q differs from the %d bytes wanted, between %d and %d", key, len(want), at, at+n)
			return
		}
		at += n
		if err == io.EOF && at == len(want) {
			return
		}
		if err != nil {
			e.t.Errorf("%q has %d bytes, %d are wanted: %v", key, at, len(want), err)
			return
		}
	}
}

// file returns a file over data, with changes, frozen.
func (e *env) file(data []byte, changes map[int64]string) *stage.Snapshot {
	e.t.Helper()
	var base stage.Base
	if data != nil {
		base = bytesBase(data)
	}
	f := e.area.NewFile(base, int64(len(data)))
	e.t.Cleanup(func() { f.Close() })
	for off, s := range changes {
		if _, err := f.WriteAt(e.t.Context(), []byte(s), off); err != nil {
			e.t.Fatal(err)
		}
	}
	snap, err := f.Snapshot()
	if err != nil {
		e.t.Fatal(err)
	}
	return snap
}

type bytesBase []byte

func (b bytesBase) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return bytes.NewReader(b).ReadAt(p, off)
}

func random(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(p)
	return p
}

func TestSmallFileIsOnePut(t *testing.T) {
	for _, size := range []int{0, 1, 25 * mib} {
		e := newEnv(t)
		data := random(size)
		opt := s3client.PutOptions{Meta: s3client.Meta{"a": "b"}, System: s3client.System{ContentType: "x/y"}, IfNoneMatch: true}
		info, err := e.uploader(Options{}).Commit(t.Context(), "k", e.file(nil, map[int64]string{0: string(data)}), nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		if c := e.client.Counts(); c[s3client.OpPut] != 1 || e.client.Requests() != 1 {
			t.Errorf("requests %v", c)
		}
		now, _ := e.client.Head(t.Context(), "k")
		if info.Key != "k" || info.Size != int64(size) || info.ETag != now.ETag || !maps.Equal(info.Meta, opt.Meta) || info.System != opt.System {
			t.Errorf("info %+v", info)
		}
		if !maps.Equal(now.Meta, opt.Meta) || now.System != opt.System {
			t.Errorf("stored %+v", now)
		}
		e.check("k", data)
	}
}

func TestLargeFileIsParallelParts(t *testing.T) {
	e := newEnv(t)
	data := random(63 * mib)
	opt := s3client.PutOptions{Meta: s3client.Meta{"a": "b"}, System: s3client.System{ContentType: "x/y"}}
	start := make(chan struct{})
	e.client.onPart = func(n int) error {
		if n == 3 {
			close(start)
		}
		<-start // parts 1 to 3 must be in flight together
		return nil
	}
	info, err := e.uploader(Options{Parallel: 3}).Commit(t.Context(), "k", e.file(nil, map[int64]string{0: string(data)}), nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	if c := e.client.Counts(); c[s3client.OpPart] != 7 || e.client.most.Load() != 3 {
		t.Errorf("requests %v, %d parts at once", c, e.client.most.Load())
	}
	if now, _ := e.client.Head(t.Context(), "k"); now.ETag != info.ETag || now.Size != info.Size || !maps.Equal(now.Meta, opt.Meta) || now.System != opt.System {
		t.Errorf("info %+v, stored %+v", info, now)
	}
	e.check("k", data)
}

func TestUnchangedRangesAreCopied(t *testing.T) {
	old := random(32 * mib)
	want := bytes.Clone(old)
	copy(want[16*mib:], "changed")
	want = append(want, "appended"...)
	changes := map[int64]string{16 * mib: "changed", 32 * mib: "appended"}
	for _, c := range []struct {
		name         string
		o            Options
		base         bool
		parts, puts  int
		copies, gets int
	}{
		{name: "mixed", base: true, parts: 2, copies: 2},
		{name: "small copies", o: Options{CopyPartSize: 10 * mib}, base: true, parts: 2, copies: 3},
		{name: "NoMix", o: Options{NoMix: true}, base: true, parts: 4},
		{name: "NoCopy", o: Options{NoCopy: true}, base: true, parts: 4},
		{name: "base not known", parts: 4},
		{name: "NoMultipart", o: Options{NoMultipart: true}, base: true, puts: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			base := e.put("k", old)
			opt := s3client.PutOptions{IfMatch: base.ETag}
			if !c.base {
				base = nil
			}
			if _, err := e.uploader(c.o).Commit(t.Context(), "k", e.file(old, changes), base, opt); err != nil {
				t.Fatal(err)
			}
			n := e.client.Counts()
			if n[s3client.OpPart] != c.parts || n[s3client.OpCopyPart] != c.copies || n[s3client.OpPut] != c.puts {
				t.Errorf("requests %v", n)
			}
			e.check("k", want)
		})
	}
}

// TestServiceThatCannotCopyFromAKey sends everything where the service cannot copy ranges.
func TestServiceThatCannotCopyFromAKey(t *testing.T) {
	old := random(40 * mib)
	e := newEnv(t)
	base := e.put("k", old)
	e.client.onCopyPart = func(int) error { return s3client.ErrUnsupported }
	if _, err := e.uploader(Options{}).Commit(t.Context(), "k", e.file(old, map[int64]string{20 * mib: "x"}), base, s3client.PutOptions{IfMatch: base.ETag}); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(old)
	want[20*mib] = 'x'
	e.check("k", want)
}

func TestFailedUploadIsAbortedAndTheOldObjectStays(t *testing.T) {
	old := random(40 * mib)
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		set    func(e *env, cancel func())
		opt    s3client.PutOptions
		want   error
		noBase bool
	}{
		{name: "a part fails", want: broken, set: func(e *env, _ func()) {
			e.client.onPart = func(int) error { return broken }
		}},
		{name: "a copied part fails", want: broken, set: func(e *env, _ func()) {
			e.client.onCopyPart = func(int) error { return broken }
		}},
		{name: "Complete fails", want: broken, set: func(e *env, _ func()) {
			e.client.onComplete = func() error { return broken }
		}},
		{name: "the context ends", want: context.Canceled, set: func(e *env, cancel func()) {
			e.client.onPart = func(int) error { cancel(); return nil }
		}},
		{name: "the context ends before Complete", want: context.Canceled, set: func(e *env, cancel func()) {
			e.client.onComplete = func() error { cancel(); return nil }
		}},
		{name: "another version is in place", want: s3client.ErrPrecondition, noBase: true,
			opt: s3client.PutOptions{IfMatch: "other"}},
		{name: "there is an object", want: s3client.ErrPrecondition, noBase: true,
			opt: s3client.PutOptions{IfNoneMatch: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			base := e.put("k", old)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.set != nil {
				c.set(e, cancel)
			}
			if c.noBase {
				base = nil
			}
			_, err := e.uploader(Options{}).Commit(ctx, "k", e.file(old, map[int64]string{20 * mib: "x"}), base, c.opt)
			if !errors.Is(err, c.want) {
				t.Errorf("Commit: %v, want %v", err, c.want)
			}
			if e.client.aborts.Load() != 1 {
				t.Errorf("%d aborts", e.client.aborts.Load())
			}
			e.check("k", old)
		})
	}
}

func TestBaseChangedUnderUsIsAPreconditionError(t *testing.T) {
	e := newEnv(t)
	old := random(40 * mib)
	base := e.put("k", old)
	next := random(41 * mib)
	e.put("k", next)
	_, err := e.uploader(Options{}).Commit(t.Context(), "k", e.file(old, map[int64]string{0: "x"}), base, s3client.PutOptions{})
	if !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("Commit: %v", err)
	}
	e.check("k", next)
}

// goneBase fails as a source does whose version was replaced.
type goneBase struct{}

func (goneBase) ReadAt(context.Context, []byte, int64) (int, error) {
	return 0, s3client.ErrPrecondition
}

func TestErrorOfReadingTheContentIsTheOneReported(t *testing.T) {
	for _, size := range []int64{mib, 30 * mib} {
		e := newEnv(t)
		e.put("k", []byte("old"))
		f := e.area.NewFile(goneBase{}, size)
		defer f.Close()
		snap, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		u := New(Options{Client: opaque{e.client}})
		if _, err := u.Commit(t.Context(), "k", snap, nil, s3client.PutOptions{}); !errors.Is(err, s3client.ErrPrecondition) {
			t.Errorf("Commit: %v", err)
		}
		e.check("k", []byte("old"))
	}
}

// opaque hides why a body could not be read, as a transport may.
type opaque struct{ *faulty }

func (o opaque) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := o.faulty.Put(ctx, key, body, opt)
	if err != nil {
		err = errors.New("connection broken")
	}
	return info, err
}

func TestTooLargeIsRefusedBeforeAnyRequest(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		size int64
	}{
		"above S3's largest object":   {Options{}, MaxObjectSize + 1},
		"more than the parts can be":  {Options{}, 49 << 40},
		"one PUT with NoMultipart":    {Options{NoMultipart: true}, s3client.MaxPartSize + 1},
		"nothing to copy with NoCopy": {Options{NoCopy: true}, 49 << 40},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := e.area.NewFile(nil, c.size)
			defer f.Close()
			snap, err := f.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.uploader(c.o).Commit(t.Context(), "k", snap, nil, s3client.PutOptions{}); !errors.Is(err, s3client.ErrTooLarge) {
				t.Errorf("Commit: %v", err)
			}
			if e.client.Requests() != 0 {
				t.Errorf("requests %v", e.client.Counts())
			}
		})
	}
}

func TestCopy(t *testing.T) {
	data := random(20 * mib)
	replaced := s3client.CopyOptions{Replace: true, Meta: s3client.Meta{"new": "1"}, System: s3client.System{ContentType: "new/type"}}
	for _, c := range []struct {
		name  string
		o     Options
		dst   string
		opt   s3client.CopyOptions
		known bool // the caller knows the source's metadata
		want  map[string]int
	}{
		{name: "one request", known: true, dst: "d", want: map[string]int{s3client.OpCopy: 1}},
		{name: "one request, replacing", known: true, dst: "k", opt: replaced, want: map[string]int{s3client.OpCopy: 1}},
		{name: "parts", o: Options{SingleCopyLimit: 1, CopyPartSize: 5 * mib}, dst: "d",
			want: map[string]int{s3client.OpHead: 1, s3client.OpNewUpload: 1, s3client.OpCopyPart: 4, s3client.OpComplete: 1}},
		{name: "parts onto itself, replacing", o: Options{SingleCopyLimit: 1}, dst: "k", opt: replaced,
			want: map[string]int{s3client.OpNewUpload: 1, s3client.OpCopyPart: 1, s3client.OpComplete: 1}},
		{name: "NoMultipart", o: Options{SingleCopyLimit: 1, NoMultipart: true}, known: true, dst: "d", want: map[string]int{s3client.OpCopy: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			src := e.put("k", data)
			before := *src
			if !c.known {
				src.Meta = nil
			}
			info, err := e.uploader(c.o).Copy(t.Context(), c.dst, *src, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.client.Counts(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("requests %v, want %v", got, c.want)
			}
			e.check(c.dst, data)
			now, _ := e.client.Head(t.Context(), c.dst)
			meta, sys := before.Meta, before.System
			if c.opt.Replace {
				meta, sys = c.opt.Meta, c.opt.System
			}
			if !maps.Equal(now.Meta, meta) || now.System != sys {
				t.Errorf("stored %+v", now)
			}
			if info.Key != c.dst || info.Size != now.Size || info.ETag != now.ETag || !maps.Equal(info.Meta, meta) || info.System != sys {
				t.Errorf("info %+v", info)
			}
		})
	}
}

// Listings tell no headers, or only some of them.
func TestCopyInPartsKeepsHeadersThatTheCallerDoesNotKnow(t *testing.T) {
	e := newEnv(t)
	sys := s3client.System{ContentType: "text/plain", ContentEncoding: "gzip", CacheControl: "no-cache"}
	if _, err := e.client.Put(t.Context(), "k", bytes.NewReader(random(12*mib)), s3client.PutOptions{System: sys}); err != nil {
		t.Fatal(err)
	}
	page, err := e.client.List(t.Context(), s3client.ListQuery{WithMeta: true})
	if err != nil || page.Objects[0].Meta == nil {
		t.Fatalf("listing %+v, %v", page, err)
	}
	if _, err := e.uploader(Options{SingleCopyLimit: 1}).Copy(t.Context(), "d", page.Objects[0], s3client.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if now, _ := e.client.Head(t.Context(), "d"); now.System != sys {
		t.Errorf("headers %+v", now.System)
	}
}

// noSmallRanges refuses what AWS refuses: copying ranges of objects up to 5 MiB.
type noSmallRanges struct{ *faulty }

func (c noSmallRanges) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	up, err := c.faulty.NewUpload(ctx, key, opt)
	return noSmallRangesUpload{up, c}, err
}

type noSmallRangesUpload struct {
	s3client.Upload
	c noSmallRanges
}

func (u noSmallRangesUpload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	if info, err := u.c.Head(ctx, src); err != nil || info.Size <= 5*mib {
		return s3client.Part{}, errors.New("range of a small object")
	}
	return u.Upload.CopyPart(ctx, n, src, r, ifMatch)
}

func TestSmallObjectIsCopiedInOneRequestWhateverTheLimit(t *testing.T) {
	for _, size := range []int{2 * mib, 5 * mib, 5*mib + 1} {
		e := newEnv(t)
		data := random(size)
		src := e.put("k", data)
		u := New(Options{Client: noSmallRanges{e.client}, SingleCopyLimit: mib})
		if _, err := u.Copy(t.Context(), "d", *src, s3client.CopyOptions{}); err != nil {
			t.Errorf("%d bytes: %v", size, err)
			continue
		}
		e.check("d", data)
	}
}

func TestCopyConditions(t *testing.T) {
	for _, limit := range []int64{0, 1} {
		for _, c := range []struct {
			name string
			opt  s3client.CopyOptions
			src  s3client.ETag
			o    Options
			want error
		}{
			{name: "source changed", opt: s3client.CopyOptions{SrcIfMatch: "other"}, want: s3client.ErrPrecondition},
			{name: "destination exists", opt: s3client.CopyOptions{IfNoneMatch: true}, want: s3client.ErrPrecondition},
			{name: "destination changed", opt: s3client.CopyOptions{IfMatch: "other"}, want: s3client.ErrPrecondition},
			{name: "NoCopy", o: Options{NoCopy: true}, want: s3client.ErrUnsupported},
		} {
			e := newEnv(t)
			src := e.put("k", random(12*mib))
			e.put("d", []byte("destination"))
			c.o.SingleCopyLimit = limit
			if _, err := e.uploader(c.o).Copy(t.Context(), "d", *src, c.opt); !errors.Is(err, c.want) {
				t.Errorf("%s, limit %d: %v", c.name, limit, err)
			}
			e.check("d", []byte("destination"))
		}
	}
	e := newEnv(t)
	src := e.put("k", random(12*mib))
	e.put("k", random(13*mib))
	src.Meta = nil
	u := e.uploader(Options{SingleCopyLimit: 1})
	if _, err := u.Copy(t.Context(), "d", *src, s3client.CopyOptions{}); !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("stale source: %v", err)
	}
	if _, err := u.Copy(t.Context(), "d", s3client.ObjectInfo{Key: "missing", Size: 12 * mib}, s3client.CopyOptions{}); !errors.Is(err, s3client.ErrNotFound) {
		t.Errorf("missing source: %v", err)
	}
}
