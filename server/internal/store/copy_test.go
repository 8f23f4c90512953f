package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pail/server/internal/checksum"
)

func (e *env) copy(dst, src string) {
	e.t.Helper()
	_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: src, DstBucket: "b", DstKey: dst})
	if err != nil {
		e.t.Fatalf("CopyObject(%q, %q): %v", dst, src, err)
	}
}

func (e *env) rename(dst, src string) {
	e.t.Helper()
	if err := e.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst}); err != nil {
		e.t.Fatalf("RenameObject(%q, %q): %v", dst, src, err)
	}
}

func TestCopiesShareBytes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for name, p := range map[string][]byte{
			"empty": {}, "inline": data(500, 1), "blob": data(50_000, 2), "parts": nil,
		} {
			if p == nil {
				p = e.multipart("src", 6000, 7000)
			} else {
				e.put("src", p)
			}
			files := len(e.fs.Files())
			for i := range 3 {
				e.copy(fmt.Sprint("copy", i), "src")
			}
			e.copy("copy1", "copy0") // onto one that shares the bytes already
			if _, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "src", DstBucket: "c", DstKey: "k"}); err != nil {
				t.Error(err)
			}
			if n := len(e.fs.Files()); n != files {
				t.Errorf("%s: %d files before, %d after", name, files, n)
			}
			e.check()
			e.delete("src")
			e.put("copy0", data(10, 3))
			e.has("copy1", p)
			e.has("copy2", p)
			e.delete("copy1")
			e.has("copy2", p)
			e.delete("copy2")
			if got, err := read(e.Store, "c", "k"); err != nil || len(got) != len(p) {
				t.Errorf("%s: the copy in another bucket: %v", name, err)
			}
			e.DeleteObject(ctx, "c", "k", DeleteInput{})
			if n := len(e.fs.Files()); n != 0 {
				t.Errorf("%s: %d files are left", name, n)
			}
		}
	})
}

func TestCopyAttributes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		src := Attrs{ContentType: "a/b", StorageClass: "STANDARD", WebsiteRedirect: "/x", Meta: map[string]string{"m": "1"}}
		if _, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "src", Attrs: src, Owner: "me"}); err != nil {
			t.Fatal(err)
		}
		in := CopyInput{SrcBucket: "b", SrcKey: "src", DstBucket: "b", DstKey: "dst", Owner: "you"}
		e.clock.Add(5)
		o, err := e.CopyObject(ctx, in)
		if err != nil || o.Attrs.ContentType != "a/b" || o.Attrs.Meta["m"] != "1" || o.Attrs.WebsiteRedirect != "" ||
			o.Owner != "you" || o.LastModified.Unix() != e.clock.Load() {
			t.Errorf("%+v, %v", o, err)
		}
		in.StorageClass = "STANDARD_IA"
		if o, err = e.CopyObject(ctx, in); err != nil || o.Attrs.StorageClass != "STANDARD_IA" || o.Attrs.ContentType != "a/b" {
			t.Errorf("%+v, %v", o, err)
		}
		in.Replace = &Attrs{ContentType: "c/d"}
		if o, err = e.CopyObject(ctx, in); err != nil || o.Attrs.ContentType != "c/d" || o.Attrs.Meta != nil {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

func TestCopyOntoItself(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, p := range [][]byte{data(500, 1), data(50_000, 2), nil} {
			if p == nil {
				p = e.multipart("k", 6000, 10)
			} else {
				e.put("k", p)
			}
			in := CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "k"}
			_, err := e.CopyObject(ctx, in)
			wantErr(t, err, ErrCopyToSelf)
			for range 3 {
				in.Replace = &Attrs{Meta: map[string]string{"new": "1"}}
				if o, err := e.CopyObject(ctx, in); err != nil || o.Attrs.Meta["new"] != "1" {
					t.Errorf("%+v, %v", o, err)
				}
			}
			e.has("k", p)
			e.check()
		}
	})
}

func TestCopyConditions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		o := e.put("src", data(10, 1))
		e.put("dst", data(20, 2))
		for name, c := range map[string]struct {
			in   CopyInput
			want error
		}{
			"no source":       {CopyInput{SrcKey: "none"}, ErrNoSuchKey},
			"no source b":     {CopyInput{SrcBucket: "none"}, ErrNoSuchBucket},
			"no bucket":       {CopyInput{DstBucket: "none"}, ErrNoSuchBucket},
			"version":         {CopyInput{SrcVersionID: "v"}, ErrInvalidVersion},
			"source changed":  {CopyInput{SrcCond: Conditions{IfMatch: no}}, ErrPrecondition},
			"source the same": {CopyInput{SrcCond: Conditions{IfNoneMatch: []string{o.ETag}}}, ErrPrecondition},
			"dst exists":      {CopyInput{DstCond: Conditions{IfNoneMatch: anything}}, ErrPrecondition},
			"dst changed":     {CopyInput{DstCond: Conditions{IfMatch: no}}, ErrPrecondition},
			"algorithm":       {CopyInput{Algorithm: "MD4"}, ErrChecksumAlgorithm},
			"key":             {CopyInput{DstKey: strings.Repeat("x", 1025)}, ErrKeyTooLong},
			"all well": {CopyInput{DstKey: "new", DstCond: Conditions{IfNoneMatch: anything},
				SrcCond: Conditions{IfMatch: []string{o.ETag}}}, nil},
		} {
			in := c.in
			if in.SrcBucket == "" {
				in.SrcBucket = "b"
			}
			if in.SrcKey == "" {
				in.SrcKey = "src"
			}
			if in.DstBucket == "" {
				in.DstBucket = "b"
			}
			if in.DstKey == "" {
				in.DstKey = "dst"
			}
			if _, err := e.CopyObject(ctx, in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		e.has("dst", data(20, 2))
		e.has("new", data(10, 1))
	})
}

func TestCopyComputesAChecksum(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		p := e.multipart("src", 6000, 100)
		h := checksum.SHA256.New()
		h.Write(p)
		o, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "src", DstBucket: "b", DstKey: "src",
			Algorithm: checksum.SHA256})
		if err != nil || string(o.Checksum.Value) != string(h.Sum(nil)) || o.ChecksumType != checksum.FullObject {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

func TestRenameOfAKey(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		p, q := data(5000, 1), data(6000, 2)
		before := e.put("a", p)
		e.put("b", q)
		e.clock.Add(10)
		e.rename("b", "a")
		e.has("a", nil)
		e.has("b", p)
		if n := len(e.fs.Files()); n != 1 {
			t.Errorf("%d files, want 1", n)
		}
		o, err := e.HeadObject(ctx, "b", "b", ReadInput{})
		if err != nil || !o.LastModified.Equal(before.LastModified) || o.ETag != before.ETag {
			t.Errorf("%+v, %v", o, err)
		}
		e.rename("b", "b")
		e.has("b", p)
		e.put("c", q)
		for name, c := range map[string]struct {
			in   RenameInput
			want error
		}{
			"missing":      {RenameInput{Src: "none", Dst: "x"}, ErrNoSuchKey},
			"bucket":       {RenameInput{Bucket: "none", Src: "b", Dst: "x"}, ErrNoSuchBucket},
			"dst exists":   {RenameInput{Src: "b", Dst: "c", DstCond: Conditions{IfNoneMatch: anything}}, ErrPrecondition},
			"dst missing":  {RenameInput{Src: "b", Dst: "x", DstCond: Conditions{IfMatch: anything}}, ErrNoSuchKey},
			"src changed":  {RenameInput{Src: "b", Dst: "x", SrcCond: Conditions{IfMatch: no}}, ErrPrecondition},
			"key to dir":   {RenameInput{Src: "b", Dst: "x/"}, ErrInvalidRename},
			"dir to key":   {RenameInput{Src: "b/", Dst: "x"}, ErrInvalidRename},
			"empty":        {RenameInput{Src: "", Dst: "x"}, ErrInvalidArgument},
			"long":         {RenameInput{Src: "b", Dst: strings.Repeat("x", 1025)}, ErrKeyTooLong},
			"self, exists": {RenameInput{Src: "b", Dst: "b", DstCond: Conditions{IfNoneMatch: anything}}, ErrPrecondition},
		} {
			if c.in.Bucket == "" {
				c.in.Bucket = "b"
			}
			if err := e.RenameObject(ctx, c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		var cond *PreconditionError
		err = e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "b", Dst: "x", SrcCond: Conditions{IfMatch: no}})
		if !errors.As(err, &cond) || cond.Condition != "x-amz-rename-source-If-Match" {
			t.Errorf("condition %+v", cond)
		}
		e.has("b", p)
		e.has("c", q)
	})
}

func TestRenameOfAPrefix(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		fill := func(keys ...string) {
			for _, k := range strings.Fields(e.keys("b")) {
				e.delete(k)
			}
			for _, k := range keys {
				e.put(k, data(2000, byte(len(k))))
			}
		}
		for _, c := range []struct {
			keys     string
			src, dst string
			cond     Conditions
			want     error
			after    string
		}{
			{"a a/ a/x a/y/z a0 b", "a/", "c/", Conditions{}, nil, "a a0 b c/ c/x c/y/z"},
			{"a/x", "a/", "c/", Conditions{}, nil, "c/x"},
			{"a/x c/", "a/", "c/", Conditions{}, nil, "c/ c/x"},
			{"a/ a/x c/", "a/", "c/", Conditions{}, nil, "c/ c/x"},
			{"a/x c/ c/y", "a/", "c/", Conditions{}, ErrRenameNotEmpty, "a/x c/ c/y"},
			{"a/x c/y", "a/", "c/", Conditions{}, ErrRenameNotEmpty, "a/x c/y"},
			{"a/x c/", "a/", "c/", Conditions{IfNoneMatch: anything}, ErrPrecondition, "a/x c/"},
			{"a/x c/y", "a/", "c/", Conditions{IfNoneMatch: anything}, ErrPrecondition, "a/x c/y"},
			{"a/x c c0", "a/", "c/", Conditions{IfNoneMatch: anything}, nil, "c c/x c0"},
			{"a/x", "b/", "c/", Conditions{}, ErrNoSuchKey, "a/x"},
			{"a/x", "a/", "a/b/", Conditions{}, ErrInvalidRename, "a/x"},
			{"a/b/x", "a/b/", "a/", Conditions{}, ErrInvalidRename, "a/b/x"},
			{"a/x", "a/", "a/", Conditions{}, nil, "a/x"},
			{"a/x", "a/", strings.Repeat("c", 1022) + "/", Conditions{}, nil, strings.Repeat("c", 1022) + "/x"},
			{"a/xx", "a/", strings.Repeat("c", 1022) + "/", Conditions{}, ErrKeyTooLong, "a/xx"},
		} {
			keys := strings.Fields(c.keys)
			fill(keys...)
			err := e.RenameObject(ctx, RenameInput{Bucket: "b", Src: c.src, Dst: c.dst, DstCond: c.cond})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %s to %s: %v, want %v", c.keys, c.src, c.dst, err, c.want)
			}
			if got := e.keys("b"); got != c.after {
				t.Errorf("%s: %s to %s: left %s, want %s", c.keys, c.src, c.dst, got, c.after)
			}
			if err == nil && c.src != c.dst {
				for _, k := range keys {
					if rest, ok := strings.CutPrefix(k, c.src); ok {
						e.has(c.dst+rest, data(2000, byte(len(k))))
					}
				}
			}
			e.check()
		}
		fill("a/x")
		err := e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "a/", Dst: "c/", SrcCond: Conditions{IfMatch: anything}})
		wantErr(t, err, ErrNoSuchKey)
	})
}
