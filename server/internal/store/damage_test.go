package store

import (
	"bytes"
	"context"
	"errors"
	"testing"

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
				if r, err := e.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) == 0 {
					t.Fatalf("bit %d: Check finds nothing, %v", bit, err)
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
		for opt, want := range map[CheckOptions]int{{}: 0, {Bytes: true}: 1} {
			if report, err := e.Check(ctx, opt); err != nil || len(report.Problems) != want {
				t.Errorf("%+v: %v, %v", opt, report.Problems, err)
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
