package upload

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"pail/fs/readahead"
	"pail/s3client"
)

// The real parts together: a large object is opened, changed at random places, and stored again several times, each
// time on top of the last version.
func TestLargeObjectIsRewrittenThroughReadahead(t *testing.T) {
	e := newEnv(t)
	want := random(30 * mib)
	base := *e.put("k", want)
	pool := readahead.NewPool(readahead.Options{Client: e.client, MemoryLimit: 8 * mib})
	defer pool.Close()
	open := func() readahead.Source {
		return pool.Open(readahead.ObjectID{Key: "k", ETag: base.ETag, Size: base.Size})
	}
	src := open()
	f := e.area.NewFile(src, base.Size)
	defer f.Close()
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 4 {
		u := e.uploader(Options{Patch: round > 1})
		for range 3 {
			p, off := random(1+rnd.IntN(2*mib)), rnd.IntN(len(want))
			if _, err := f.WriteAt(t.Context(), p, int64(off)); err != nil {
				t.Fatal(err)
			}
			want = append(want, make([]byte, max(off+len(p)-len(want), 0))...)
			copy(want[off:], p)
		}
		snap, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		base, err = u.Commit(context.Background(), "k", snap, &base, s3client.PutOptions{IfMatch: base.ETag})
		if err != nil {
			t.Fatal(err)
		}
		old := src
		src = open()
		f.Rebase(src)
		snap.Release(true)
		old.Close()
		e.check("k", want)
		got := make([]byte, len(want))
		if n, err := f.ReadAt(t.Context(), got, 0); n != len(want) || err != nil || !bytes.Equal(got, want) {
			t.Fatalf("the file differs from what was stored: %d, %v", n, err)
		}
	}
	if c := e.client.Counts(); c[s3client.OpCopyPart] == 0 || c[s3client.OpPatch] == 0 {
		t.Errorf("nothing was copied, or nothing patched: %v", c)
	}
}
