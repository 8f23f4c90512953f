package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/meta/pebbledb/pebbletest"
)

// corrupt flips a bit in the record of the row whose key the function gives.
func (e *env) corrupt(key []byte, bit int) {
	e.t.Helper()
	err := e.db.Update(ctx, func(x meta.Txn) error {
		record, err := x.Get(key)
		if err != nil {
			return err
		}
		record[bit/8%len(record)] ^= 1 << (bit % 8)
		return x.Set(key, record)
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) bucketID(name string) (id meta.BucketID) {
	e.t.Helper()
	if err := e.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, name)
		id = b.id
		return err
	}); err != nil {
		e.t.Fatal(err)
	}
	return id
}

// rowKeys gives the keys of a table.
func (e *env) rowKeys(table meta.Table) (keys [][]byte) {
	e.t.Helper()
	e.view(ctx, func(r meta.Reader) error {
		it := r.Iter(table.Bounds())
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			keys = append(keys, bytes.Clone(it.Key()))
		}
		return it.Err()
	})
	return keys
}

func TestDamagedRowsAreNeverServed(t *testing.T) {
	for name, c := range map[string]struct {
		table meta.Table
		write func(e *env)
	}{
		"object":   {meta.Objects, func(e *env) { e.put("k", data(10, 1)) }},
		"data":     {meta.Data, func(e *env) { e.put("k", data(10, 1)) }},
		"manifest": {meta.Manifests, func(e *env) { e.multipart("k", 6000, 10) }},
		"bucket":   {meta.Buckets, func(e *env) { e.put("k", data(10, 1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, openPebble(t, pebbletest.NewDisk(nil)))
			c.write(e)
			want := e.get("k")
			key := e.rowKeys(c.table)[0]
			for bit := 0; bit < 400; bit += 7 {
				e.corrupt(key, bit)
				p, err := read(e.Store, "b", "k")
				if p != nil || !errors.Is(err, ErrDamaged) {
					t.Fatalf("bit %d: %d bytes, %v, want ErrDamaged", bit, len(p), err)
				}
				r, err := e.Check(ctx, CheckOptions{})
				if err != nil || len(r.Problems) == 0 {
					t.Fatalf("bit %d: Check finds nothing, %v", bit, err)
				}
				if name != "bucket" && (len(r.Affected) != 1 || r.Affected[0].String() != "b/k") {
					t.Fatalf("bit %d: Check names %v", bit, r.Affected)
				}
				e.corrupt(key, bit)
			}
			e.has("k", want)
		})
	}
}

func TestDamagedObjectIsIsolated(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, k := range []string{"a", "k", "z"} {
			e.put(k, nil)
		}
		key := meta.ObjectKey(e.bucketID("b"), "k")
		e.corrupt(key, 99)
		if got := e.keys("b"); got != "a z" {
			t.Errorf("the listing shows %s", got)
		}
		_, err := e.DeleteObject(ctx, "b", "k", DeleteInput{Cond: Conditions{IfMatch: anything}})
		wantErr(t, err, ErrDamaged)
		_, err = e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "x"})
		wantErr(t, err, ErrDamaged)
		res, err := e.DeleteObjects(ctx, "b", []DeleteInput{{Key: "k", Cond: Conditions{IfMatch: anything}}, {Key: "z"}})
		if err != nil || !errors.Is(res[0].Err, ErrDamaged) || res[1].Err != nil {
			t.Errorf("%+v, %v", res, err)
		}
		e.put("k", data(5, 1)) // a new object replaces it
		e.has("k", data(5, 1))
		e.corrupt(key, 99)
		e.delete("k")
		if got := e.keys("b"); got != "a" {
			t.Errorf("left: %s", got)
		}
		for _, key := range e.rowKeys(meta.Data) { // what the damaged row pointed to is leaked, and Check says so
			r, _ := e.Check(ctx, CheckOptions{})
			if len(r.Problems) != 1 {
				t.Errorf("Check: %v", r.Problems)
			}
			e.db.Update(ctx, func(x meta.Txn) error { return x.Delete(key) })
		}
	})
}

func TestDamagedBlobIsNeverServed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		p := data(400_000, 1)
		e.put("k", p)
		file := e.fs.Files()[0]
		e.fs.Corrupt(file, 8*300_000)
		r, err := e.GetObject(ctx, "b", "k", ReadInput{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var out bytes.Buffer
		n, err := r.CopyRange(&out, 0, 400_000)
		if !errors.Is(err, ErrDamaged) || n > 300_000 || !bytes.Equal(out.Bytes(), p[:n]) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if _, err := r.CopyRange(&out, 0, 100); err != nil {
			t.Errorf("an undamaged range: %v", err)
		}
		for bytes, want := range map[bool]int{false: 0, true: 1} {
			report, err := e.Check(ctx, CheckOptions{Bytes: bytes})
			if err != nil || len(report.Problems) != want || len(report.Affected) != want {
				t.Errorf("bytes %v: %v, %v, %v", bytes, report.Problems, report.Affected, err)
			}
		}
		e.fs.Corrupt(file, 8*300_000)
		if err := e.fs.Remove(file); err != nil {
			t.Fatal(err)
		}
		_, err = e.GetObject(ctx, "b", "k", ReadInput{})
		wantErr(t, err, ErrDamaged)
		e.delete("k")
	})
}

func TestCheckFindsWrongCounts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("inline", data(10, 1))
		e.put("blob", data(5000, 1))
		e.multipart("parts", 6000, 6000)
		for _, k := range []string{"inline", "blob", "parts"} {
			e.copy(k+"2", k)
		}
		e.check()
		for _, table := range []meta.Table{meta.Blobs, meta.Refs, meta.Data, meta.Manifests} {
			for _, key := range e.rowKeys(table) {
				var record []byte
				change := func(fn func(x meta.Txn) error) {
					if err := e.db.Update(ctx, fn); err != nil {
						t.Fatal(err)
					}
				}
				change(func(x meta.Txn) (err error) {
					record, err = x.Get(key)
					return errors.Join(err, x.Delete(key))
				})
				if r, err := e.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) == 0 {
					t.Errorf("Check does not miss row %q: %v", key, err)
				}
				if table == meta.Blobs || table == meta.Refs {
					change(func(x meta.Txn) error { return save(x, key, refsRow{count: 9, size: 5000}.encode()) })
					if r, err := e.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) == 0 {
						t.Errorf("Check accepts a wrong count in row %q: %v", key, err)
					}
				}
				change(func(x meta.Txn) error { return x.Set(key, record) })
			}
		}
	})
}

func TestCanceledCheck(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, err := e.Check(canceled, CheckOptions{})
		wantErr(t, err, context.Canceled)
	})
}

// TestCheckNamesWhatIsAffected damages the blob of an object, of a copy of it and of a part, and the row of an upload.
func TestCheckNamesWhatIsAffected(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("good", data(70_000, 9))
		e.put("k", data(400_000, 1))
		e.copy("copy", "k")
		up, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "up/load"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.CopyPart(ctx, CopyPartInput{SrcBucket: "b", SrcKey: "k", Bucket: "b", Key: "up/load", UploadID: up, N: 7, Len: -1}); err != nil {
			t.Fatal(err)
		}
		var seen CheckProgress
		see := func(p CheckProgress) { seen = p }
		if r, err := e.Check(ctx, CheckOptions{Bytes: true, Progress: see}); err != nil || len(r.Problems)+len(r.Affected) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if seen.Done < 470_000 || seen.Done > 471_000 || seen.Total != seen.Done { // tags of encryption add to it
			t.Errorf("the last progress is %+v", seen)
		}
		flip := func() {
			for _, f := range e.fs.Files() {
				if stat, err := e.fs.Stat(f); err == nil && stat.Bytes > 400_000 {
					e.fs.Corrupt(f, 8*1000)
				}
			}
			e.corrupt(meta.UploadKey(e.bucketID("b"), "up/load", meta.ID(mustID(t, up))), 50)
		}
		flip()
		defer flip()
		r, err := e.Check(ctx, CheckOptions{Bytes: true})
		var names []string
		for _, a := range r.Affected {
			names = append(names, a.String())
		}
		want := []string{"b/copy", "b/k", "b/up/load upload " + up, "b/up/load upload " + up + " part 7"}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("named %q, want %q; %v", names, want, err)
		}
	})
}

func mustID(t *testing.T, text string) blob.ID {
	t.Helper()
	id, ok := blob.ParseID(text)
	if !ok {
		t.Fatal(text)
	}
	return id
}
