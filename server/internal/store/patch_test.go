package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/server/internal/checksum"
	"pail/server/internal/meta/memdb"
)

// edit is a change of an object's bytes.
type edit struct {
	ranges []Range
	body   []byte
	size   int64
}

// apply does to bytes what a patch does.
func (c edit) apply(p []byte) []byte {
	out := append(bytes.Clone(p), make([]byte, max(0, c.size-int64(len(p))))...)[:c.size]
	rest := c.body
	for _, r := range c.ranges {
		rest = rest[copy(out[r.Off:r.end()], rest):]
	}
	return out
}

// overwrite is an edit with the given bytes at an offset, which makes an object of size bytes longer if need be.
func overwrite(size int, off int64, p []byte) edit {
	return edit{[]Range{{off, int64(len(p))}}, p, max(int64(size), off+int64(len(p)))}
}

func (c edit) input(key, etag string) PatchInput {
	return PatchInput{Ranges: c.ranges, ObjectSize: c.size, PutInput: PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(c.body),
		Size: int64(len(c.body)), Owner: "me", Cond: Conditions{IfMatch: []string{etag}}}}
}

// drawEdit draws a change of an object of n bytes.
func drawEdit(t *rapid.T, n int) edit {
	c := edit{size: int64(n)}
	at := int64(0)
	for range rapid.IntRange(0, 3).Draw(t, "ranges") {
		if at >= c.size {
			break
		}
		off := rapid.Int64Range(at, c.size-1).Draw(t, "off")
		r := Range{off, rapid.Int64Range(1, min(c.size-off, 3000)).Draw(t, "len")}
		c.ranges = append(c.ranges, r)
		at = r.end() + rapid.Int64Range(0, 1).Draw(t, "gap")
	}
	switch more := rapid.SampledFrom([]int64{0, 0, 1, 700, 5000}).Draw(t, "more"); {
	case more > 0:
		c.ranges = append(c.ranges, Range{c.size, more})
		c.size += more
	case rapid.IntRange(0, 3).Draw(t, "cut") == 0:
		c.size = rapid.Int64Range(min(at, c.size), c.size).Draw(t, "size")
		c.ranges = slices.DeleteFunc(c.ranges, func(r Range) bool { return r.end() > c.size })
	}
	for _, r := range c.ranges {
		c.body = append(c.body, data(int(r.Len), rapid.Byte().Draw(t, "seed"))...)
	}
	return c
}

func TestPatch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		want := data(40_000, 1)
		o := e.put("k", want)
		attrs := Attrs{ContentType: "text/x", Meta: map[string]string{"a": "b"}, Tags: []Tag{{"k", "v"}}}
		for i, c := range []edit{
			overwrite(40_000, 100, data(50, 2)), overwrite(40_000, 40_000, data(70, 3)), overwrite(40_070, 39_990, data(100, 4)),
			{[]Range{{0, 10}, {10, 10}, {30_000, 1}}, data(21, 5), 40_090}, {nil, nil, 20_000}, {[]Range{{0, 1}}, data(1, 6), 10},
			{nil, nil, 0}, overwrite(0, 0, data(3000, 7)),
		} {
			in := c.input("k", o.ETag)
			in.Attrs = attrs
			var got Computed
			in.Algorithm, in.Verify = checksum.CRC32, func(c Computed) error { got = c; return nil }
			was := o.ETag
			var err error
			if o, err = e.PatchObject(ctx, in); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			want = c.apply(want)
			h := checksum.CRC32.New()
			h.Write(c.body)
			if o.Size != int64(len(want)) || o.ETag == was || o.PartCount != 1 || o.Attrs.ContentType != "text/x" || len(o.Attrs.Tags) != 1 || o.Owner != "me" ||
				fmt.Sprintf("%x", got.MD5) != md5hex(c.body) || !bytes.Equal(got.Sum.Value, h.Sum(nil)) || got.Size != int64(len(c.body)) {
				t.Errorf("%d: %+v, verified %+v", i, o, got)
			}
			e.has("k", want)
			e.check()
		}
	})
}

func TestPatchRefusals(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		p := data(9000, 1)
		o := e.put("k", p)
		one := func(off, n, size int64) edit { return edit{[]Range{{off, n}}, data(int(max(n, 0)), 2), size} }
		for what, c := range map[string]struct {
			edit
			want error
		}{
			"gap behind the end": {one(9001, 5, 9006), ErrInvalidRange}, "nothing behind the end": {edit{nil, nil, 9001}, ErrInvalidRange},
			"behind the new end": {one(100, 50, 149), ErrInvalidRange}, "empty range": {one(5, 0, 9000), ErrInvalidRange},
			"overlapping": {edit{[]Range{{0, 5}, {4, 5}}, data(10, 1), 9000}, ErrInvalidRange}, "backwards": {edit{[]Range{{10, 5}, {4, 5}}, data(10, 1), 9000}, ErrInvalidRange},
			"negative": {one(-1, 5, 9000), ErrInvalidRange}, "too much sent": {edit{[]Range{{0, 5}}, data(6, 1), 9000}, ErrInvalidArgument},
			"too large": {edit{nil, nil, MaxObjectSize + 1}, ErrEntityTooLarge}, "half a gap": {edit{[]Range{{8999, 1}, {9001, 1}}, data(2, 1), 9002}, ErrInvalidRange},
			"too many ranges": {edit{make([]Range, MaxPatchRanges+1), nil, 9000}, ErrInvalidArgument},
		} {
			if _, err := e.PatchObject(ctx, c.input("k", o.ETag)); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", what, err, c.want)
			}
		}
		c := overwrite(9000, 5, data(5, 3))
		_, err := e.PatchObject(ctx, c.input("none", o.ETag))
		wantErr(t, err, ErrNoSuchKey)
		_, err = e.PatchObject(ctx, c.input("k", "x"))
		wantErr(t, err, ErrPrecondition)
		_, err = e.PatchObject(ctx, c.input("k", "*"))
		wantErr(t, err, ErrInvalidArgument)
		in := c.input("k", o.ETag)
		in.Cond = Conditions{}
		_, err = e.PatchObject(ctx, in)
		wantErr(t, err, ErrInvalidArgument)
		bad := errors.New("bad digest")
		in = c.input("k", o.ETag)
		in.Verify = func(Computed) error { return bad }
		_, err = e.PatchObject(ctx, in)
		wantErr(t, err, bad)
		for _, n := range []int{4, 6} { // of 5
			in = c.input("k", o.ETag)
			in.Size, in.Body = -1, unsized{bytes.NewReader(data(n, 1))}
			_, err = e.PatchObject(ctx, in)
			wantErr(t, err, ErrIncompleteBody)
		}
		e.has("k", p)
	})
}

// The checksum of the whole object goes on as long as it does not become shorter.
func TestPatchCarriesTheChecksumOn(t *testing.T) {
	for _, a := range []checksum.Algorithm{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME} {
		e := newEnv(t, memdb.New())
		want := data(30_000, 1)
		o, err := e.Store.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(want), Size: 30_000, Algorithm: a})
		wantErr(t, err, nil)
		for i, c := range []edit{
			overwrite(30_000, 100, data(50, 2)), overwrite(30_000, 0, data(1, 2)), overwrite(30_000, 29_999, data(1, 2)),
			overwrite(30_000, 30_000, data(70, 3)), overwrite(30_070, 30_000, data(100, 4)), {[]Range{{0, 10}, {10, 10}, {25_000, 1}, {30_100, 5}}, data(26, 5), 30_105},
		} {
			if o, err = e.PatchObject(ctx, c.input("k", o.ETag)); err != nil {
				t.Fatal(err)
			}
			want = c.apply(want)
			h := a.New()
			h.Write(want)
			if !bytes.Equal(o.Checksum.Value, h.Sum(nil)) || o.ChecksumType != checksum.FullObject {
				t.Errorf("%s, %d: %+v", a, i, o.Checksum)
			}
		}
		c := edit{nil, nil, 20_000}
		o, err = e.PatchObject(ctx, c.input("k", o.ETag))
		if err != nil || !o.Checksum.IsZero() || o.ChecksumType != "" {
			t.Errorf("cut: %+v, %v", o.Checksum, err)
		}
		e.has("k", c.apply(want))
	}
	e := newEnv(t, memdb.New())
	o, err := e.Store.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(5000, 1)), Size: 5000, Algorithm: checksum.SHA256})
	wantErr(t, err, nil)
	if o, err = e.PatchObject(ctx, overwrite(5000, 1, data(5, 2)).input("k", o.ETag)); err != nil || !o.Checksum.IsZero() {
		t.Errorf("a hash: %+v, %v", o.Checksum, err)
	}
}

// The ETag is what doc and client say, and never an MD5 of a secret.
func TestPatchTag(t *testing.T) {
	e := newEnv(t, memdb.New())
	o := e.put("k", data(5000, 1))
	c := edit{[]Range{{0, 2}, {5000, 3}}, data(5, 2), 5003}
	got, err := e.PatchObject(ctx, c.input("k", o.ETag))
	want := md5hex(fmt.Appendf(nil, "pail patch %s 5003 0+2,5000+3 %s", o.ETag, md5hex(c.body))) + "-1"
	if err != nil || got.ETag != want {
		t.Errorf("%q, not %q; %v", got.ETag, want, err)
	}
	e.encryption = withDefaultKey
	o = e.put("k", data(5000, 1))
	tags := map[string]bool{o.ETag: true}
	for range 2 {
		copied, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "l"})
		wantErr(t, err, nil)
		got, err := e.PatchObject(ctx, c.input("l", copied.ETag))
		if err != nil || tags[got.ETag] {
			t.Errorf("%q again; %v", got.ETag, err)
		}
		tags[got.ETag] = true
	}
}

// What is patched again and again has few pieces, and keeps little that it does not have any more.
func TestPatchedObjectsStayWhole(t *testing.T) {
	e := newEnv(t, memdb.New())
	e.Store.patch = patchLimits{cell: 1000, pieces: 8, spend: 1 << 20}
	want := data(20_000, 1)
	o := e.put("k", want)
	var err error
	most := 0
	for i := range 3000 {
		c := overwrite(len(want), int64(i*7919%len(want)), data(1+i%30, byte(i)))
		if i%3 == 0 {
			c = overwrite(len(want), int64(len(want)), data(1+i%7, byte(i)))
		}
		if o, err = e.PatchObject(ctx, c.input("k", o.ETag)); err != nil {
			t.Fatal(err)
		}
		want = c.apply(want)
		r, err := e.GetObject(ctx, "b", "k", ReadInput{})
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(r.extents)*1000/len(want))
		r.Close()
	}
	if most > 8 {
		t.Errorf("up to %d pieces for each 1000 bytes", most)
	}
	e.has("k", want)
	r, err := e.Check(ctx, CheckOptions{Bytes: true})
	if err != nil || r.Bytes > int64(4*len(want)) {
		t.Errorf("%d bytes are stored of an object of %d; %v", r.Bytes, len(want), err)
	}
	t.Logf("%d pieces for each 1000 bytes, %d bytes in %d blobs of an object of %d", most, r.Bytes, r.Blobs, len(want))
	e.delete("k")
	if n := len(e.fs.Files()); n > 0 {
		t.Errorf("%d files are left", n)
	}
}

// The rest of a blob is stored anew when it is little, so that the blob goes.
func TestPatchLeavesNoRestsBehind(t *testing.T) {
	e := newEnv(t, memdb.New())
	want := data(20_000, 1)
	o := e.put("k", want)
	for _, step := range []struct {
		edit
		blobs int
	}{
		{overwrite(20_000, 0, data(14_000, 2)), 2},    // 6000 of 20,000 are left
		{overwrite(20_000, 17_000, data(2000, 3)), 2}, // 4000, in two pieces: with these, and what was sent, one blob
		{overwrite(20_000, 100, data(13_000, 4)), 2},  // 1000 of 14,000, with what was sent
		{edit{nil, nil, 1000}, 1},                     // nothing of one
		{overwrite(1000, 999, data(1, 5)), 2},         //
		{overwrite(1000, 0, data(999, 6)), 2},         // all of one
		{edit{[]Range{{0, 1000}}, data(1000, 7), 1000}, 1},
	} {
		var err error
		if o, err = e.PatchObject(ctx, step.input("k", o.ETag)); err != nil {
			t.Fatal(err)
		}
		want = step.apply(want)
		e.has("k", want)
		if n := len(e.fs.Files()); n != step.blobs {
			t.Errorf("after %v: %d blobs, not %d", step.ranges, n, step.blobs)
		}
	}
}

// Of patches of one version one wins.
func TestPatchesCompete(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		o := e.put("k", data(5000, 1))
		errs := make(chan error)
		for i := range 8 {
			go func() {
				_, err := e.PatchObject(ctx, overwrite(5000, int64(i), data(3000, byte(i))).input("k", o.ETag))
				errs <- err
			}()
		}
		won := 0
		for range 8 {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, ErrPrecondition):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d have won", won)
		}
	})
}

// A patch is an object like any other: with versions the old one stays, and either may go first.
func TestPatchWithVersions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		wantErr(t, e.SetVersioning(ctx, "b", Enabled), nil)
		first := data(9000, 1)
		o := e.put("k", first)
		c := overwrite(9000, 4000, data(100, 2))
		p, err := e.PatchObject(ctx, c.input("k", o.ETag))
		if err != nil || p.VersionID == "" || p.VersionID == o.VersionID {
			t.Fatalf("%+v, %v", p, err)
		}
		old, err := e.GetObject(ctx, "b", "k", ReadInput{VersionID: o.VersionID})
		wantErr(t, err, nil)
		var out bytes.Buffer
		if _, err := old.CopyRange(&out, 0, 9000); err != nil || !bytes.Equal(out.Bytes(), first) {
			t.Errorf("the old version: %v", err)
		}
		old.Close()
		_, err = e.DeleteObject(ctx, "b", "k", DeleteInput{VersionID: o.VersionID})
		wantErr(t, err, nil)
		e.has("k", c.apply(first))
	})
}

// What the object was is held until whoever reads it has ended, and what it is outlives a restart.
func TestPatchUnderAReader(t *testing.T) {
	e := newEnv(t, memdb.New())
	first := data(9000, 1)
	o := e.put("k", first)
	r, err := e.GetObject(ctx, "b", "k", ReadInput{})
	wantErr(t, err, nil)
	c := edit{[]Range{{0, 9000}}, data(9000, 2), 9000}
	_, err = e.PatchObject(ctx, c.input("k", o.ETag))
	wantErr(t, err, nil)
	var out bytes.Buffer
	if _, err := r.CopyRange(&out, 0, 9000); err != nil || !bytes.Equal(out.Bytes(), first) {
		t.Errorf("the reader: %v", err)
	}
	r.Close()
	e.Close()
	e.Store = openStore(t, e.db, e.fs, time.Now)
	e.background.Wait()
	e.has("k", c.body)
	if n := len(e.fs.Files()); n != 1 {
		t.Errorf("%d files", n)
	}
}

// Old bytes that are damaged do not keep anybody from replacing them.
func TestPatchOverDamage(t *testing.T) {
	e := newEnv(t, memdb.New())
	o, err := e.Store.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(5000, 1)), Size: 5000, Algorithm: checksum.CRC32})
	wantErr(t, err, nil)
	e.fs.Corrupt(e.fs.Files()[0], 800)
	c := edit{[]Range{{0, 5000}}, data(5000, 2), 5000}
	o, err = e.PatchObject(ctx, c.input("k", o.ETag))
	if err != nil || !o.Checksum.IsZero() {
		t.Errorf("%+v, %v", o, err)
	}
	e.has("k", c.body)
}

// An object that is to be encrypted with another key is stored anew.
func TestPatchEncryptsAnew(t *testing.T) {
	e := newEnv(t, memdb.New())
	want := data(9000, 1)
	o := e.put("k", want)
	for _, with := range [][]byte{withMaster(), withDefaultKey(), nil} {
		c := overwrite(9000, 4000, data(100, 2))
		in := c.input("k", o.ETag)
		in.Extra.Encryption = with
		var err error
		if o, err = e.PatchObject(ctx, in); err != nil {
			t.Fatal(err)
		}
		want = c.apply(want)
		e.has("k", want)
		if n := len(e.fs.Files()); n != 1 || !bytes.Equal(o.Encryption, with) {
			t.Errorf("%d files, encryption %q", n, o.Encryption)
		}
	}
}

// A patch counts as what it makes the object grow by.
func TestPatchAndQuota(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		o := e.put("k", data(9000, 1))
		wantErr(t, e.SetQuota(ctx, "b", 10_000), nil)
		_, err := e.PatchObject(ctx, overwrite(9000, 9000, data(1001, 2)).input("k", o.ETag))
		wantErr(t, err, ErrQuotaExceeded)
		_, err = e.PatchObject(ctx, overwrite(9000, 8000, data(2000, 2)).input("k", o.ETag))
		wantErr(t, err, nil)
	})
}
