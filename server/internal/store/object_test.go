package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"testing"
	"testing/iotest"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
)

var sizes = []int{0, 1, testInline, testInline + 1, 200_000, 1 << 20, 1<<20 + 1, 5<<20 + 77}

func TestObjectsComeBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, size := range sizes {
			for _, announced := range []int64{int64(size), -1} {
				p := data(size, 1)
				o, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: unsized{bytes.NewReader(p)}, Size: announced})
				if err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if o.ETag != md5hex(p) || o.Size != int64(size) || o.Key != "k" || o.Bucket != "b" {
					t.Errorf("%d bytes: %+v", size, o)
				}
				e.has("k", p)
			}
		}
	})
}

func TestRangesOfAReader(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, size := range []int{0, 500, 20_000} {
			p := data(size, 2)
			e.put("k", p)
			r, err := e.GetObject(ctx, "b", "k", ReadInput{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r.Section(0, int64(size)+5)); err != nil || !bytes.Equal(got, p) {
				t.Errorf("%d bytes: Section gives %d, %v", size, len(got), err)
			}
			if err := iotest.TestReader(r.Section(0, int64(size)), p); err != nil {
				t.Error(err)
			}
			for _, bad := range [][2]int64{{-1, 1}, {0, int64(size) + 1}, {int64(size) + 1, 0}, {0, -1}, {1 << 62, 1 << 62}} {
				_, err := r.CopyRange(io.Discard, bad[0], bad[1])
				wantErr(t, err, ErrInvalidRange)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAttributesComeBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		a := Attrs{ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip",
			ContentLanguage: "de", Expires: "Thu, 01 Dec 1994 16:00:00 GMT", StorageClass: "STANDARD", WebsiteRedirect: "/x",
			Meta: map[string]string{"mode": "33188", "empty": "", "umlaut": "ä\x00"}}
		put, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Attrs: a, Owner: "me", Size: 0})
		if err != nil {
			t.Fatal(err)
		}
		head, err := e.HeadObject(ctx, "b", "k", ReadInput{VersionID: "null"})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(head.Attrs, a) || head.Owner != "me" || !head.LastModified.Equal(time.Unix(1_800_000_000, 123456789)) {
			t.Errorf("%+v", head)
		}
		put.LastModified = head.LastModified
		if !reflect.DeepEqual(put, head) {
			t.Errorf("PutObject gives %+v, HeadObject %+v", put, head)
		}
		page, err := e.ListObjects(ctx, "b", ListQuery{Max: 1})
		if err != nil || len(page.Objects) != 1 || !maps.Equal(page.Objects[0].Attrs.Meta, a.Meta) {
			t.Errorf("the listing gives %+v, %v", page, err)
		}
	})
}

func TestChecksumsAreComputedAndKept(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, a := range checksum.Algorithms() {
			for _, size := range []int{0, 10, 70_000, 2<<20 + 1} {
				p := data(size, 3)
				h := a.New()
				h.Write(p)
				want := checksum.Sum{Algorithm: a, Value: h.Sum(nil)}
				var got Computed
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(p), Size: -1, Algorithm: a,
					Verify: func(c Computed) error { got = c; return nil }})
				if err != nil {
					t.Fatal(err)
				}
				if !got.Sum.Equal(want) || got.Size != int64(size) || fmt.Sprintf("%x", got.MD5) != md5hex(p) {
					t.Errorf("%s of %d bytes: computed %+v", a, size, got)
				}
				o, err := e.HeadObject(ctx, "b", "k", ReadInput{})
				if err != nil || !o.Checksum.Equal(want) || o.ChecksumType != checksum.FullObject {
					t.Errorf("%s of %d bytes: kept %+v, %v", a, size, o.Checksum, err)
				}
			}
		}
	})
}

// TestFailedPutsLeaveTheOldObject also checks, at its end, that no blob is left over.
func TestFailedPutsLeaveTheOldObject(t *testing.T) {
	broken := errors.New("broken body")
	refused := errors.New("refused")
	onEachEngine(t, func(t *testing.T, e *env) {
		old := data(10, 4)
		e.put("k", old)
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		for _, size := range []int{0, 10, testInline, testInline + 1, 100_000, 2 << 20, 3<<20 + 5} {
			p := data(size, 5)
			n := int64(size)
			body := func(tail error) io.Reader {
				return io.MultiReader(bytes.NewReader(p), iotest.ErrReader(tail))
			}
			for name, c := range map[string]struct {
				ctx  context.Context
				in   PutInput
				want error
			}{
				"short":          {ctx, PutInput{Body: bytes.NewReader(p), Size: n + 1}, ErrIncompleteBody},
				"long":           {ctx, PutInput{Body: body(io.EOF), Size: n - 1}, ErrIncompleteBody},
				"broken":         {ctx, PutInput{Body: body(broken), Size: -1}, broken},
				"broken at end":  {ctx, PutInput{Body: body(broken), Size: n}, broken},
				"cut connection": {ctx, PutInput{Body: body(io.ErrUnexpectedEOF), Size: n + 5}, io.ErrUnexpectedEOF},
				"refused":        {ctx, PutInput{Body: bytes.NewReader(p), Size: n, Verify: func(Computed) error { return refused }}, refused},
				"too large":      {ctx, PutInput{Body: bytes.NewReader(p), Size: MaxPutSize + 1}, ErrEntityTooLarge},
				"canceled":       {canceled, PutInput{Body: bytes.NewReader(p), Size: n}, context.Canceled},
				"no bucket":      {ctx, PutInput{Bucket: "none", Body: bytes.NewReader(p), Size: n}, ErrNoSuchBucket},
				"idle":           {ctx, PutInput{Body: idle{}, Size: n + 1}, io.ErrNoProgress},
			} {
				if name == "long" && size == 0 {
					continue
				}
				if c.in.Bucket == "" {
					c.in.Bucket = "b"
				}
				c.in.Key = "k"
				_, err := e.PutObject(c.ctx, c.in)
				if !errors.Is(err, c.want) {
					t.Errorf("%s, %d bytes: %v, want %v", name, size, err, c.want)
				}
			}
			e.has("k", old)
		}
		_, err := e.PutObject(ctx, PutInput{Bucket: "b"})
		wantErr(t, err, ErrInvalidArgument)
		_, err = e.PutObject(ctx, PutInput{Bucket: "b", Key: string(make([]byte, MaxKeyLength+1))})
		wantErr(t, err, ErrKeyTooLong)
	})
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestFullVolume(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.fs.Capacity = 1 << 20
		for _, size := range []int64{4 << 20, -1} {
			_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(4<<20, 6)), Size: size})
			wantErr(t, err, ErrNoSpace)
		}
		e.has("k", nil)
		e.put("k", data(900_000, 6))
	})
}

func TestMissingThings(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("k", nil)
		_, err := e.HeadObject(ctx, "none", "k", ReadInput{})
		wantErr(t, err, ErrNoSuchBucket)
		_, err = e.GetObject(ctx, "b", "none", ReadInput{})
		wantErr(t, err, ErrNoSuchKey)
		_, err = e.GetObject(ctx, "b", "k", ReadInput{VersionID: "other"})
		wantErr(t, err, ErrInvalidVersion)
		_, err = e.HeadObject(ctx, "b", "k", ReadInput{PartNumber: 2})
		wantErr(t, err, ErrInvalidPartNumber)
		if o, err := e.HeadObject(ctx, "b", "k", ReadInput{PartNumber: 1}); err != nil || o.PartCount != 0 {
			t.Errorf("part 1 of a plain object: %+v, %v", o, err)
		}
		_, err = e.DeleteObject(ctx, "none", "k", DeleteInput{})
		wantErr(t, err, ErrNoSuchBucket)
		_, err = e.ListObjects(ctx, "none", ListQuery{Max: 1})
		wantErr(t, err, ErrNoSuchBucket)
		e.delete("none")
		if len(e.reclaim.mu.readers) != 0 {
			t.Error("failed reads leave readers behind")
		}
	})
}

func TestOverwriteAndDeleteFreeTheBlobs(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for i := range 6 {
			e.put("k", data([]int{5000, 10, 70_000, 0, 6000, 7000}[i], 7))
		}
		if n := len(e.fs.Files()); n != 1 {
			t.Errorf("%d files, want 1", n)
		}
		e.delete("k")
		if n := len(e.fs.Files()); n != 0 {
			t.Errorf("%d files, want none", n)
		}
	})
}

// TestReadersFinish: a reader goes on with the version it opened, also one whose files are opened as they are needed.
func TestReadersFinish(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for name, write := range map[string]func(key string) []byte{
			"inline": func(key string) []byte { p := data(500, 8); e.put(key, p); return p },
			"blob":   func(key string) []byte { p := data(500_000, 8); e.put(key, p); return p },
			"parts":  func(key string) []byte { return e.multipart(key, 6000, 7000, 8000) },
		} {
			p := write(name)
			for _, end := range []func(){func() { e.delete(name) }, func() { e.put(name, nil) }} {
				r, err := e.GetObject(ctx, "b", name, ReadInput{})
				if err != nil {
					t.Fatal(err)
				}
				end()
				if got, err := io.ReadAll(r.Section(0, r.Object.Size)); err != nil || !bytes.Equal(got, p) {
					t.Errorf("%s: a deleted object reads %d bytes, %v", name, len(got), err)
				}
				r.Close()
				if n := len(e.fs.Files()); n != 0 {
					t.Errorf("%s: %d files are left when the reader is gone", name, n)
				}
				write(name)
			}
			e.delete(name)
		}
	})
}

func TestDeleteObjects(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, key := range []string{"a", "b", "c", "d"} {
			e.put(key, data(2000, key[0]))
		}
		res, err := e.DeleteObjects(ctx, "b", []DeleteInput{
			{Key: "a"}, {Key: "none"}, {Key: "b", Cond: Conditions{IfMatch: []string{"other"}}},
			{Key: "c", VersionID: "other"}, {Key: "c", VersionID: "null"}, {Key: ""}, {Key: "a"},
			{Key: "none", Cond: Conditions{IfMatch: []string{"*"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []error{nil, nil, ErrPrecondition, ErrInvalidVersion, nil, ErrInvalidArgument, nil, ErrNoSuchKey}
		for i, r := range res {
			if !errors.Is(r.Err, want[i]) {
				t.Errorf("%d: %q: %v, want %v", i, r.Key, r.Err, want[i])
			}
		}
		if got := e.keys("b"); got != "b d" {
			t.Errorf("left: %s", got)
		}
		_, err = e.DeleteObjects(ctx, "none", nil)
		wantErr(t, err, ErrNoSuchBucket)
	})
}

func TestSweepRemovesOrphansOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		p := data(5000, 9)
		e.put("k", p)
		create := func() blob.ID {
			id := blob.ID(e.newID())
			w, err := e.blobs.Create(ctx, id, -1, nil)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(p)
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			return id
		}
		create()
		young := create()
		e.reclaim.expect(young)
		create()
		e.sweep(ctx)
		if n := len(e.fs.Files()); n != 2 {
			t.Errorf("%d files are left, want the object's and the one that is being made", n)
		}
		e.has("k", p)
		e.reclaim.settle([]blob.ID{young})
		openStore(t, e.db, e.fs, time.Now).background.Wait()
		if n := len(e.fs.Files()); n != 1 {
			t.Errorf("%d files are left after the next start, want 1", n)
		}
	})
}
