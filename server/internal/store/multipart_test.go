package store

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pail/server/internal/checksum"
)

func (e *env) upload(key string, a checksum.Algorithm, sumType string) string {
	e.t.Helper()
	id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: key, Owner: "me", Algorithm: a, ChecksumType: sumType,
		Attrs: Attrs{ContentType: "x/y"}})
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

func (e *env) part(key, id string, n int, p []byte) CompletedPart {
	e.t.Helper()
	info, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: key, UploadID: id, N: n, Body: bytes.NewReader(p), Size: int64(len(p))})
	if err != nil {
		e.t.Fatal(err)
	}
	return CompletedPart{N: n, ETag: info.ETag, Sum: info.Checksum}
}

func (e *env) copyPart(key, id string, n int, src string, off, length int64) CompletedPart {
	e.t.Helper()
	info, _, err := e.CopyPart(ctx, CopyPartInput{Bucket: "b", Key: key, UploadID: id, N: n, SrcBucket: "b", SrcKey: src,
		Off: off, Len: length})
	if err != nil {
		e.t.Fatal(err)
	}
	return CompletedPart{N: n, ETag: info.ETag, Sum: info.Checksum}
}

func (e *env) complete(key, id string, parts ...CompletedPart) Object {
	e.t.Helper()
	o, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: key, UploadID: id, Parts: parts})
	if err != nil {
		e.t.Fatal(err)
	}
	return o
}

// multipart makes an object of parts of these sizes, and gives its bytes.
func (e *env) multipart(key string, sizes ...int) (all []byte) {
	e.t.Helper()
	id := e.upload(key, "", "")
	var parts []CompletedPart
	for i, n := range sizes {
		p := data(n, byte(i))
		all = append(all, p...)
		parts = append(parts, e.part(key, id, i+1, p))
	}
	e.complete(key, id, parts...)
	return all
}

func multipartETag(parts ...[]byte) string {
	var sums []byte
	for _, p := range parts {
		s := md5.Sum(p)
		sums = append(sums, s[:]...)
	}
	s := md5.Sum(sums)
	return fmt.Sprintf("%s-%d", hex.EncodeToString(s[:]), len(parts))
}

func TestMultipartUpload(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		a, b, c := data(6000, 1), data(7000, 2), data(10, 3)
		e.put("k", data(50, 4))
		id := e.upload("k", "", "")
		e.part("k", id, 2, data(9000, 5))
		pc := e.part("k", id, 9000, c)
		pb := e.part("k", id, 2, b) // replaces
		pa := e.part("k", id, 1, a)
		e.part("k", id, 3, data(100, 6)) // not listed
		e.has("k", data(50, 4))
		o := e.complete("k", id, pa, pb, pc)
		e.has("k", bytes.Join([][]byte{a, b, c}, nil))
		if o.ETag != multipartETag(a, b, c) || o.PartCount != 3 || o.Size != 13010 || o.Attrs.ContentType != "x/y" || o.Owner != "me" {
			t.Errorf("%+v", o)
		}
		if n := len(e.fs.Files()); n != 3 {
			t.Errorf("%d files, want 3", n)
		}
		head, err := e.HeadObject(ctx, "b", "k", ReadInput{PartNumber: 2})
		if err != nil {
			t.Fatal(err)
		}
		if off, n, err := head.PartRange(2); off != 6000 || n != 7000 || err != nil || len(head.Parts) != 3 || head.Parts[2].N != 9000 {
			t.Errorf("part 2 is %d+%d, %v, of %+v", off, n, err, head.Parts)
		}
		_, err = e.GetObject(ctx, "b", "k", ReadInput{PartNumber: 4})
		wantErr(t, err, ErrInvalidPartNumber)
		e.delete("k")
		if n := len(e.fs.Files()); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

func TestRangesAcrossParts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		all := e.multipart("k", 5000, 5001, 5002, 3)
		r, err := e.GetObject(ctx, "b", "k", ReadInput{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for off := 0; off <= len(all); off += 997 {
			for _, n := range []int{0, 1, 3, 5000, 9999, len(all) - off} {
				n = min(n, len(all)-off)
				var out bytes.Buffer
				m, err := r.CopyRange(&out, int64(off), int64(n))
				if err != nil || m != int64(n) || !bytes.Equal(out.Bytes(), all[off:off+n]) {
					t.Fatalf("CopyRange(%d, %d) = %d, %v", off, n, m, err)
				}
			}
		}
		p := make([]byte, 10)
		if n, _ := r.ReadAt(p, int64(len(all)-3)); n != 3 {
			t.Errorf("ReadAt at the end gives %d", n)
		}
	})
}

func TestRefusedCompletions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("k", data(5, 1))
		id := e.upload("k", "", "")
		a, b := e.part("k", id, 1, data(6000, 1)), e.part("k", id, 2, data(100, 2))
		c := e.part("k", id, 4, data(100, 3))
		size := int64(1)
		wrong := a
		wrong.ETag = b.ETag
		for name, x := range map[string]struct {
			in   CompleteInput
			want error
		}{
			"no parts":        {CompleteInput{}, ErrInvalidArgument},
			"order":           {CompleteInput{Parts: []CompletedPart{b, a}}, ErrInvalidPartOrder},
			"twice":           {CompleteInput{Parts: []CompletedPart{a, a}}, ErrInvalidPartOrder},
			"missing":         {CompleteInput{Parts: []CompletedPart{a, {N: 3, ETag: a.ETag}}}, ErrInvalidPart},
			"missing at end":  {CompleteInput{Parts: []CompletedPart{a, {N: 5, ETag: a.ETag}}}, ErrInvalidPart},
			"number":          {CompleteInput{Parts: []CompletedPart{{N: 0, ETag: a.ETag}}}, ErrInvalidPart},
			"etag":            {CompleteInput{Parts: []CompletedPart{wrong}}, ErrInvalidPart},
			"too small":       {CompleteInput{Parts: []CompletedPart{a, b, c}}, ErrEntityTooSmall},
			"size":            {CompleteInput{Parts: []CompletedPart{a, b}, Size: &size}, ErrSizeMismatch},
			"if-none-match":   {CompleteInput{Parts: []CompletedPart{a, b}, Cond: Conditions{IfNoneMatch: anything}}, ErrPrecondition},
			"if-match":        {CompleteInput{Parts: []CompletedPart{a, b}, Cond: Conditions{IfMatch: no}}, ErrPrecondition},
			"upload":          {CompleteInput{UploadID: strings.Repeat("0", 32), Parts: []CompletedPart{a}}, ErrNoSuchUpload},
			"malformed":       {CompleteInput{UploadID: "x", Parts: []CompletedPart{a}}, ErrNoSuchUpload},
			"other key":       {CompleteInput{Key: "other", Parts: []CompletedPart{a}}, ErrNoSuchUpload},
			"other bucket":    {CompleteInput{Bucket: "c", Parts: []CompletedPart{a}}, ErrNoSuchUpload},
			"no bucket":       {CompleteInput{Bucket: "none", Parts: []CompletedPart{a}}, ErrNoSuchBucket},
			"checksum absent": {CompleteInput{Parts: []CompletedPart{a}, Checksum: &checksum.Sum{Algorithm: checksum.CRC32}}, ErrChecksumAlgorithm},
		} {
			if x.in.Bucket == "" {
				x.in.Bucket = "b"
			}
			if x.in.Key == "" {
				x.in.Key = "k"
			}
			if x.in.UploadID == "" {
				x.in.UploadID = id
			}
			if _, err := e.CompleteUpload(ctx, x.in); !errors.Is(err, x.want) {
				t.Errorf("%s: %v, want %v", name, err, x.want)
			}
		}
		_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{a, b, c}})
		var p *PartError
		if !errors.As(err, &p) || p.N != 2 || p.Size != 100 || p.Min != e.minPart {
			t.Errorf("too small: %+v", p)
		}
		e.has("k", data(5, 1))
		if err := e.AbortUpload(ctx, "b", "k", id); err != nil {
			t.Error(err)
		}
		wantErr(t, e.AbortUpload(ctx, "b", "k", id), ErrNoSuchUpload)
		_, err = e.PutPart(ctx, PartInput{Bucket: "b", Key: "k", UploadID: id, N: 1, Size: -1})
		wantErr(t, err, ErrNoSuchUpload)
		if n := len(e.fs.Files()); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

func TestPartNumbers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id := e.upload("k", "", "")
		for _, n := range []int{-1, 0, 10001} {
			_, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: "k", UploadID: id, N: n, Size: -1})
			wantErr(t, err, ErrInvalidPartNumber)
			_, _, err = e.CopyPart(ctx, CopyPartInput{Bucket: "b", Key: "k", UploadID: id, N: n})
			wantErr(t, err, ErrInvalidPartNumber)
		}
		p := e.part("k", id, 10000, nil)
		o := e.complete("k", id, p)
		if o.Size != 0 || o.PartCount != 1 {
			t.Errorf("%+v", o)
		}
		e.has("k", []byte{})
	})
}

func TestCompletionIsRepeatable(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id := e.upload("k", "", "")
		a, b := e.part("k", id, 1, data(6000, 1)), e.part("k", id, 2, data(100, 2))
		first := e.complete("k", id, a, b)
		e.put("k", nil)
		again := e.complete("k", id, a, b)
		if again.ETag != first.ETag || again.Size != first.Size || !again.LastModified.Equal(first.LastModified) {
			t.Errorf("again: %+v, first: %+v", again, first)
		}
		e.has("k", []byte{})
		_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{a}})
		wantErr(t, err, ErrNoSuchUpload)
		wantErr(t, e.AbortUpload(ctx, "b", "k", id), ErrNoSuchUpload)
		e.clock.Add(25 * 3600)
		e.multipart("other", 10)
		_, err = e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{a, b}})
		wantErr(t, err, ErrNoSuchUpload)
	})
}

func TestMultipartChecksums(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, a := range checksum.Algorithms() {
			for _, typ := range []string{"", checksum.Composite, checksum.FullObject} {
				if typ != "" && !a.Supports(typ) {
					_, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "k", Algorithm: a, ChecksumType: typ})
					wantErr(t, err, ErrChecksumAlgorithm)
					continue
				}
				testMultipartChecksum(t, e, a, typ)
			}
		}
		_, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "k", ChecksumType: checksum.FullObject})
		wantErr(t, err, ErrChecksumAlgorithm)
	})
}

func testMultipartChecksum(t *testing.T, e *env, a checksum.Algorithm, typ string) {
	p := [][]byte{data(6000, 1), data(7000, 2), data(33, 3)}
	e.put("src", p[1])
	id := e.upload("k", a, typ)
	parts := []CompletedPart{e.part("k", id, 1, p[0]), e.copyPart("k", id, 2, "src", 0, -1), e.part("k", id, 3, p[2])}
	var want checksum.Sum
	h := a.New()
	if typ == checksum.Composite || typ == "" && a.DefaultType() == checksum.Composite {
		for i, q := range p {
			part := a.New()
			part.Write(q)
			h.Write(part.Sum(nil))
			if !bytes.Equal(parts[i].Sum.Value, part.Sum(nil)) {
				t.Errorf("%s: part %d has the wrong checksum", a, i+1)
			}
		}
		want = checksum.Sum{Algorithm: a, Value: h.Sum(nil), Parts: 3}
	} else {
		h.Write(bytes.Join(p, nil))
		want = checksum.Sum{Algorithm: a, Value: h.Sum(nil)}
	}
	_, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: "k", UploadID: id, N: 4, Size: -1, Algorithm: other(a)})
	wantErr(t, err, ErrChecksumAlgorithm)
	bad := checksum.Sum{Algorithm: a, Value: make([]byte, a.Size())}
	in := CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: parts, Checksum: &bad}
	_, err = e.CompleteUpload(ctx, in)
	wantErr(t, err, ErrChecksumMismatch)
	in.Checksum = &want
	o, err := e.CompleteUpload(ctx, in)
	if err != nil || !o.Checksum.Equal(want) || o.ChecksumType == "" {
		t.Errorf("%s %s: %+v, %v, want %v", a, typ, o.Checksum, err, want)
	}
	head, err := e.HeadObject(ctx, "b", "k", ReadInput{Parts: true})
	if err != nil || !head.Checksum.Equal(want) || len(head.Parts) != 3 || !head.Parts[2].Checksum.Equal(parts[2].Sum) {
		t.Errorf("%s %s: kept %+v, %v", a, typ, head, err)
	}
}

func other(a checksum.Algorithm) checksum.Algorithm {
	if a == checksum.SHA1 {
		return checksum.SHA256
	}
	return checksum.SHA1
}

func TestListParts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id := e.upload("k", checksum.CRC32, "")
		for _, n := range []int{300, 1, 2, 10000} {
			e.part("k", id, n, data(n, 1))
		}
		for _, c := range []struct {
			after, max int
			want       string
			next       int
		}{
			{0, 1000, "1 2 300 10000", 0}, {0, 2, "1 2", 2}, {2, 2, "300 10000", 0}, {2, 1, "300", 300}, {10000, 5, "", 0},
			{0, 0, "", 0}, {299, 1, "300", 300},
		} {
			page, err := e.ListParts(ctx, PartsQuery{Bucket: "b", Key: "k", UploadID: id, After: c.after, Max: c.max})
			var got []string
			for _, p := range page.Parts {
				got = append(got, fmt.Sprint(p.N))
				if p.Size != int64(p.N) || p.ETag != md5hex(data(p.N, 1)) || p.Checksum.IsZero() || p.LastModified.IsZero() {
					t.Errorf("%+v", p)
				}
			}
			if s := strings.Join(got, " "); err != nil || s != c.want || page.Truncated != (c.next != 0) || page.Next != c.next {
				t.Errorf("after %d, max %d: %s, next %d, %v", c.after, c.max, s, page.Next, err)
			}
			if page.Upload.Algorithm != checksum.CRC32 || page.Upload.Owner != "me" || page.Upload.ID != id {
				t.Errorf("%+v", page.Upload)
			}
		}
		_, err := e.ListParts(ctx, PartsQuery{Bucket: "b", Key: "k", UploadID: "x", Max: 1})
		wantErr(t, err, ErrNoSuchUpload)
		if up, err := e.HeadUpload(ctx, "b", "k", id); err != nil || up.ChecksumType != checksum.Composite {
			t.Errorf("%+v, %v", up, err)
		}
		e.AbortUpload(ctx, "b", "k", id)
	})
}

func TestCompleteWithOtherAttributes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "k", Attrs: Attrs{ContentType: "old", StorageClass: "GLACIER",
			Meta: map[string]string{"old": "1"}, Tags: []Tag{{Key: "a", Value: "b"}}}})
		if err != nil {
			t.Fatal(err)
		}
		in := CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{e.part("k", id, 1, data(10, 1))},
			Attrs: &Attrs{ContentType: "new", Meta: map[string]string{"new": "2"}}}
		for range 2 { // the second is a repetition
			o, err := e.CompleteUpload(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			want := Attrs{ContentType: "new", StorageClass: "GLACIER", Meta: map[string]string{"new": "2"}, Tags: []Tag{{Key: "a", Value: "b"}}}
			if !reflect.DeepEqual(o.Attrs, want) {
				t.Errorf("the attributes are %+v", o.Attrs)
			}
		}
		in.Attrs = &Attrs{ContentType: "newer"}
		if _, err := e.CompleteUpload(ctx, in); !errors.Is(err, ErrNoSuchUpload) {
			t.Errorf("repeated with other attributes: %v", err)
		}
	})
}
