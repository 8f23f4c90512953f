package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pail/s3client"
)

// patching watches and fails patches.
type patching struct {
	*faulty
	onPatch func(opt s3client.PatchOptions) error
}

func (p *patching) Patch(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PatchOptions) (s3client.ObjectInfo, error) {
	if err := p.onPatch(opt); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return p.faulty.Patch(ctx, key, body, opt)
}

// commitPatch stores changes of an object of 30 MiB, and returns the ranges of the patch that was asked for, if one was, and
// how many requests it took.
func commitPatch(t *testing.T, e *env, o Options, old []byte, changes map[int64]string, refusal error) (ranges []s3client.Range, requests map[string]int, err error) {
	t.Helper()
	base := e.put("k", old)
	client := &patching{faulty: e.client, onPatch: func(opt s3client.PatchOptions) error { ranges = opt.Ranges; return refusal }}
	o.Client, o.Patch = client, true
	want := bytes.Clone(old)
	for off, s := range changes {
		want = append(want, make([]byte, max(0, off+int64(len(s))-int64(len(want))))...)
		copy(want[off:], s)
	}
	opt := s3client.PutOptions{IfMatch: base.ETag, Meta: s3client.Meta{"a": "b"}, System: s3client.System{ContentType: "x/y"}}
	info, err := New(o).Commit(t.Context(), "k", e.file(old, changes), base, opt)
	requests = e.client.Counts()
	if err != nil {
		want = old
	} else if info.Size != int64(len(want)) || info.ETag == base.ETag || info.Meta["a"] != "b" || info.System != opt.System {
		t.Errorf("info %+v", info)
	}
	e.check("k", want)
	return ranges, requests, err
}

// A few bytes of a large object are one request.
func TestFewChangesArePatched(t *testing.T) {
	old := random(30 * mib)
	for name, c := range map[string]struct {
		changes map[int64]string
		ranges  []s3client.Range
	}{
		"append":            {map[int64]string{30 * mib: "appended"}, []s3client.Range{{Off: 30 * mib, Len: 8}}},
		"overwrite":         {map[int64]string{10*mib + 4096: "overwritten"}, []s3client.Range{{Off: 10*mib + 4096, Len: 11}}},
		"both, and holes":   {map[int64]string{0: "a", 5 * mib: "b", 30*mib + 3: "c"}, []s3client.Range{{Off: 0, Len: 1}, {Off: 5 * mib, Len: 1}, {Off: 30 * mib, Len: 4}}},
		"as much as a part": {map[int64]string{7: strings.Repeat("x", DefaultPartSize)}, []s3client.Range{{Off: 7, Len: DefaultPartSize}}},
	} {
		t.Run(name, func(t *testing.T) {
			ranges, requests, err := commitPatch(t, newEnv(t), Options{}, old, c.changes, nil)
			if err != nil || !slices.Equal(ranges, c.ranges) || len(requests) != 1 || requests[s3client.OpPatch] != 1 {
				t.Errorf("%v, %v, %v", ranges, requests, err)
			}
		})
	}
}

// What would not gain by it is not patched.
func TestManyChangesAreNotPatched(t *testing.T) {
	scattered := map[int64]string{}
	for i := range int64(s3client.MaxPatchRanges + 1) {
		scattered[i*100_000] = "x"
	}
	for name, c := range map[string]struct {
		o       Options
		size    int
		changes map[int64]string
	}{
		"more than a part":        {size: 30 * mib, changes: map[int64]string{7: strings.Repeat("x", DefaultPartSize+1)}},
		"more than half":          {size: 2 * mib, changes: map[int64]string{7: strings.Repeat("x", mib+1)}},
		"small":                   {size: mib - 2, changes: map[int64]string{7: "x"}},
		"in many places":          {size: 30 * mib, changes: scattered},
		"nothing is to be mixed":  {o: Options{NoMix: true}, size: 2 * mib, changes: map[int64]string{7: "x"}},
		"the service cannot copy": {o: Options{NoCopy: true}, size: 2 * mib, changes: map[int64]string{7: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, requests, err := commitPatch(t, newEnv(t), c.o, random(c.size), c.changes, nil)
			if err != nil || requests[s3client.OpPatch] != 0 {
				t.Errorf("%v, %v", requests, err)
			}
		})
	}
	e := newEnv(t)
	base := e.put("k", random(2*mib))
	u := e.uploader(Options{Patch: true})
	for what, call := range map[string]func() error{
		"another key": func() error {
			_, err := u.Commit(t.Context(), "l", e.file(random(2*mib), map[int64]string{5: "x"}), base, s3client.PutOptions{})
			return err
		},
		"no condition": func() error {
			_, err := u.Commit(t.Context(), "k", e.file(random(2*mib), map[int64]string{5: "x"}), base, s3client.PutOptions{})
			return err
		},
	} {
		if err := call(); err != nil || e.client.Counts()[s3client.OpPatch] != 0 {
			t.Errorf("%s: %v, %v", what, e.client.Counts(), err)
		}
	}
}

// A service that takes no patch of this object, or of none any more, is sent what it takes; an error that says something of
// the object, or of the way there, is one.
func TestRefusedPatchIsSentOtherwise(t *testing.T) {
	old := random(30 * mib)
	for _, refusal := range []error{s3client.ErrUnsupported, s3client.ErrInvalid, s3client.ErrAccess, s3client.ErrTooLarge, s3client.ErrRange} {
		_, requests, err := commitPatch(t, newEnv(t), Options{}, old, map[int64]string{10 * mib: "x"}, refusal)
		if err != nil || requests[s3client.OpComplete] != 1 {
			t.Errorf("%v: %v, %v", refusal, requests, err)
		}
	}
	old = random(2 * mib)
	for _, failure := range []error{s3client.ErrPrecondition, s3client.ErrNotFound, s3client.ErrUnavailable, s3client.ErrNoSpace, context.Canceled} {
		_, requests, err := commitPatch(t, newEnv(t), Options{}, old, map[int64]string{mib: "x"}, failure)
		if !errors.Is(err, failure) || len(requests) != 0 {
			t.Errorf("%v: %v, %v", failure, requests, err)
		}
	}
}

// A service that does not know patches is not sent the body of another one; one that refuses this one may take the next.
func TestServiceWithoutPatchesIsAskedOnce(t *testing.T) {
	for refusal, want := range map[error]int{s3client.ErrUnsupported: 1, s3client.ErrInvalid: 2} {
		e := newEnv(t)
		old := random(2 * mib)
		asked := 0
		client := &patching{faulty: e.client, onPatch: func(s3client.PatchOptions) error { asked++; return refusal }}
		u := New(Options{Client: client, Patch: true})
		for range 2 {
			base := e.put("k", old)
			if _, err := u.Commit(t.Context(), "k", e.file(old, map[int64]string{5: "x"}), base, s3client.PutOptions{IfMatch: base.ETag}); err != nil {
				t.Fatal(err)
			}
		}
		if asked != want {
			t.Errorf("%v: asked %d times, not %d", refusal, asked, want)
		}
	}
}

// A patch makes no object larger than Commit stores otherwise.
func TestPatchKeepsTheLargestSize(t *testing.T) {
	e := newEnv(t)
	f := e.area.NewFile(bytesBase(nil), s3client.MaxPartSize)
	defer f.Close()
	if _, err := f.WriteAt(t.Context(), []byte("x"), s3client.MaxPartSize); err != nil {
		t.Fatal(err)
	}
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	base := &s3client.ObjectInfo{Key: "k", Size: s3client.MaxPartSize, ETag: "e"}
	u := e.uploader(Options{Patch: true, NoMultipart: true})
	if _, err := u.Commit(t.Context(), "k", snap, base, s3client.PutOptions{IfMatch: base.ETag}); !errors.Is(err, s3client.ErrTooLarge) || e.client.Requests() != 0 {
		t.Errorf("%v, %v", err, e.client.Counts())
	}
}
