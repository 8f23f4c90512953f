package store

import (
	"bytes"
	"errors"
	"testing"
)

func TestCopyPartSharesBytes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		blob, parts := data(20_000, 1), e.multipart("parts", 5000, 6000, 7000)
		e.put("blob", blob)
		e.put("inline", data(300, 2))
		e.put("empty", nil)
		files := len(e.fs.Files())
		id := e.upload("k", "", "")
		list := []CompletedPart{
			e.copyPart("k", id, 1, "blob", 0, 10_000), e.copyPart("k", id, 2, "blob", 10_000, -1),
			e.copyPart("k", id, 3, "parts", 4000, 8000), e.copyPart("k", id, 4, "blob", 5000, 5001),
			e.copyPart("k", id, 5, "empty", 0, -1),
		}
		if n := len(e.fs.Files()); n != files {
			t.Errorf("%d new files: bytes were copied", n-files)
		}
		list[4] = e.copyPart("k", id, 5, "inline", 100, 100)
		if list[0].ETag == list[1].ETag || list[0].ETag == md5hex(blob) {
			t.Error("ETags of ranges are not their own")
		}
		whole := e.copyPart("k", id, 6, "blob", 0, -1)
		if whole.ETag != md5hex(blob) {
			t.Error("the ETag of a whole object is not its MD5")
		}
		e.complete("k", id, list...)
		want := bytes.Join([][]byte{blob, parts[4000:12_000], blob[5000:10_001], data(300, 2)[100:200]}, nil)
		for _, key := range []string{"blob", "parts", "inline"} {
			e.delete(key)
		}
		e.has("k", want)
		m, err := e.HeadObject(ctx, "b", "k", ReadInput{Parts: true})
		if err != nil || len(m.Parts) != 5 {
			t.Errorf("%+v, %v", m, err)
		}
		e.check()
		// A copy of the copy, in place: what a mount does that changes the middle.
		id = e.upload("k", "", "")
		n := int64(len(want))
		e.complete("k", id, e.copyPart("k", id, 1, "k", 0, 9000), e.part("k", id, 2, data(6000, 9)),
			e.copyPart("k", id, 3, "k", 15_000, n-15_000))
		e.has("k", bytes.Join([][]byte{want[:9000], data(6000, 9), want[15_000:]}, nil))
		e.delete("k")
		if n := len(e.fs.Files()); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

func TestNeighbouringRangesJoin(t *testing.T) {
	list, merged := appendExtents(nil, []extent{{len: 10}, {off: 10, len: 5}, {off: 20, len: 5}}, nil)
	if len(list) != 2 || list[0].len != 15 || len(merged) != 1 {
		t.Errorf("%v, merged %v", list, merged)
	}
}

func TestManyPiecesAreCopied(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.minPart = 1
		var sizes []int
		for i := range fewPieces + 1 {
			sizes = append(sizes, 100+i)
		}
		all := e.multipart("src", sizes...)
		files := len(e.fs.Files())
		id := e.upload("k", "", "")
		p := e.copyPart("k", id, 1, "src", 0, -1)
		if n := len(e.fs.Files()); n != files+1 {
			t.Errorf("%d new files, want 1", n-files)
		}
		if p.ETag != md5hex(all) {
			t.Error("the ETag of copied bytes is not their MD5")
		}
		e.complete("k", id, p)
		e.has("k", all)
	})
}

func TestCopyPartConditionsAndRanges(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		o := e.put("src", data(5000, 1))
		id := e.upload("k", "", "")
		for name, c := range map[string]struct {
			in   CopyPartInput
			want error
		}{
			"match":     {CopyPartInput{SrcCond: Conditions{IfMatch: []string{o.ETag}}, Len: -1}, nil},
			"no match":  {CopyPartInput{SrcCond: Conditions{IfMatch: no}, Len: -1}, ErrPrecondition},
			"unchanged": {CopyPartInput{SrcCond: Conditions{IfNoneMatch: anything}, Len: -1}, ErrPrecondition},
			"behind":    {CopyPartInput{Off: 5001, Len: -1}, ErrInvalidRange},
			"too long":  {CopyPartInput{Off: 1, Len: 5000}, ErrInvalidRange},
			"negative":  {CopyPartInput{Off: -1, Len: 1}, ErrInvalidRange},
			"missing":   {CopyPartInput{SrcKey: "none", Len: -1}, ErrNoSuchKey},
			"bucket":    {CopyPartInput{SrcBucket: "none", Len: -1}, ErrNoSuchBucket},
			"version":   {CopyPartInput{SrcVersionID: "x", Len: -1}, ErrInvalidVersion},
			"upload":    {CopyPartInput{UploadID: "x", Len: -1}, ErrNoSuchUpload},
		} {
			in := c.in
			in.Bucket, in.Key, in.N = "b", "k", 1
			if in.SrcBucket == "" {
				in.SrcBucket = "b"
			}
			if in.SrcKey == "" {
				in.SrcKey = "src"
			}
			if in.UploadID == "" {
				in.UploadID = id
			}
			if _, _, err := e.CopyPart(ctx, in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}
