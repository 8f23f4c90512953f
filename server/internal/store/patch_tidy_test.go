package store

import (
	"errors"
	"io"
	"testing"

	"pail/server/internal/meta/memdb"
)

// What a patch would only store anew to be tidy does not hinder it when it is damaged.
func TestPatchBesideDamage(t *testing.T) {
	for what, lim := range map[string]patchLimits{
		"a rest":                   {cell: 1, pieces: 1000, spend: 1 << 20},
		"an area in too many":      {cell: 1 << 20, pieces: 2, spend: 1 << 20},
		"both":                     {cell: 1 << 20, pieces: 2, spend: 1 << 20},
		"nothing is to be so tidy": {cell: 1, pieces: 1000},
	} {
		t.Run(what, func(t *testing.T) {
			e := newEnv(t, memdb.New())
			e.Store.patch = lim
			want := data(400_000, 1)
			o := e.put("k", want)
			e.fs.Corrupt(e.fs.Files()[0], 8*399_000)
			for i, c := range []edit{overwrite(400_000, 0, data(100_000, 2)), overwrite(400_000, 100_500, data(209_500, 3)), overwrite(400_000, 5, data(10, 4))} {
				var err error
				if o, err = e.PatchObject(ctx, c.input("k", o.ETag)); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				want = c.apply(want)
			}
			r, err := e.GetObject(ctx, "b", "k", ReadInput{})
			wantErr(t, err, nil)
			got := make([]byte, 310_000)
			if _, err := r.ReadAt(got, 0); err != nil || string(got) != string(want[:310_000]) {
				t.Errorf("beside the damage: %v", err)
			}
			if _, err := r.ReadAt(got[:10], 399_000); !errors.Is(err, ErrDamaged) {
				t.Errorf("the damage: %v", err)
			}
			r.Close()
			e.delete("k")
		})
	}
}

// Damage of bytes that a patch needs is told as what it is.
func TestPatchNeedsDamage(t *testing.T) {
	e := newEnv(t, memdb.New())
	o := e.put("k", data(9000, 1))
	e.fs.Corrupt(e.fs.Files()[0], 8*8000)
	in := overwrite(9000, 4000, data(100, 2)).input("k", o.ETag)
	in.Extra.Encryption = withMaster()
	if _, err := e.PatchObject(ctx, in); !errors.Is(err, ErrPatchDamaged) || !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	e.delete("k")
}

// However many areas and blobs a patch touches, what it stores besides what was sent stays small.
func TestPatchStoresLittleBesides(t *testing.T) {
	e := newEnv(t, memdb.New())
	lim := patchLimits{cell: 1000, pieces: 2, spend: 3000}
	e.Store.patch = patchLimits{cell: 1, pieces: 1000}
	want := data(100_000, 1)
	o := e.put("k", want)
	scatter := func(n int, off int64) edit {
		c := edit{body: data(n, byte(off)), size: 100_000}
		for i := range int64(n) {
			c.ranges = append(c.ranges, Range{i*1000 + off, 1})
		}
		return c
	}
	var err error
	for off := range int64(5) {
		c := scatter(100, 100*off)
		if o, err = e.PatchObject(ctx, c.input("k", o.ETag)); err != nil {
			t.Fatal(err)
		}
		want = c.apply(want)
	}
	e.Store.patch = lim
	for i := range int64(40) {
		was, err := e.GetObject(ctx, "b", "k", ReadInput{})
		wantErr(t, err, nil)
		c := scatter(30, 500+i)
		if o, err = e.PatchObject(ctx, c.input("k", o.ETag)); err != nil {
			t.Fatal(err)
		}
		want = c.apply(want)
		e.has("k", want)
		known := bytesOf(was.extents)
		was.Close()
		r, err := e.GetObject(ctx, "b", "k", ReadInput{})
		wantErr(t, err, nil)
		stored := int64(0)
		for id, n := range bytesOf(r.extents) {
			if known[id] == 0 {
				stored += n
			}
		}
		if most := 30 + lim.budget(30); stored <= 30 || stored > most {
			t.Errorf("%d bytes are stored of 30 that were sent, at most %d are to be", stored, most)
		}
		r.Close()
	}
	e.check()
}

// What is stored anew is no more than the budget, at any number of pieces, and never makes a patch too large.
func TestPatchLimits(t *testing.T) {
	lim := patchLimits{cell: patchCell, pieces: patchPieces, spend: patchSpend}
	for _, pieces := range []int{1, manyPieces, 160_000, maxExtents} {
		if cell := lim.cellOf(pieces); cell > lim.budget(0) {
			t.Errorf("%d pieces: areas of %d bytes, which are never stored anew", pieces, cell)
		}
	}
	for _, sent := range []int64{0, 1, 1 << 20, MaxPutSize - 1, MaxPutSize} {
		if n := lim.budget(sent); n < 0 || sent+n > MaxPutSize {
			t.Errorf("%d bytes besides %d", n, sent)
		}
	}
}

// What has to be encrypted anew is no larger than one PUT, and refused before the body is read.
func TestPatchEncryptsNoLargeObjectAnew(t *testing.T) {
	e := newEnv(t, memdb.New())
	src := e.multipart("src", 5<<20)
	id := e.upload("k", "", "")
	var list []CompletedPart
	for n := range MaxPutSize/len(src) + 1 {
		list = append(list, e.copyPart("k", id, n+1, "src", 0, -1))
	}
	o := e.complete("k", id, list...)
	in := overwrite(int(o.Size), 0, data(1, 2)).input("k", o.ETag)
	in.Extra.Encryption = withMaster()
	in.Body = unread{t}
	_, err := e.PatchObject(ctx, in)
	wantErr(t, err, ErrEntityTooLarge)
	c := overwrite(int(o.Size), 0, data(1, 2))
	_, err = e.PatchObject(ctx, c.input("k", o.ETag))
	wantErr(t, err, nil)
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}
