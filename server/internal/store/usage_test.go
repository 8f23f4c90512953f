package store

import (
	"bytes"
	"fmt"
	"testing"

	"pail/server/internal/meta"
)

func (e *env) usage(objects, bytes int64) {
	e.t.Helper()
	u, err := e.Usage(ctx, "b")
	if err != nil || u.Objects != objects || u.Bytes != bytes {
		e.t.Errorf("usage is %+v, %v, want %d objects of %d bytes", u, err, objects, bytes)
	}
}

func TestUsageFollowsEveryChange(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.usage(0, 0)
		e.put("a", data(10, 1))
		e.put("d/b", data(3000, 1))
		e.usage(2, 3010)
		e.put("a", data(20, 1))
		e.usage(2, 3020)
		_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "d/b", DstBucket: "b", DstKey: "c"})
		wantErr(t, err, nil)
		e.usage(3, 6020)
		wantErr(t, e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "c", Dst: "a"}), nil)
		e.usage(2, 6000)
		wantErr(t, e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "d/", Dst: "e/"}), nil)
		e.usage(2, 6000)
		e.delete("a")
		e.delete("none")
		e.usage(1, 3000)
		wantErr(t, e.SetVersioning(ctx, "b", Enabled), nil)
		e.put("e/b", data(1, 1))
		e.usage(2, 3001)
		e.delete("e/b")
		e.usage(2, 3001)
		wantErr(t, e.SetVersioning(ctx, "b", Suspended), nil)
		e.put("e/b", data(2, 1))
		e.usage(2, 3) // the null version gave way
		_, err = e.DeleteObject(ctx, "b", "e/b", DeleteInput{VersionID: NullVersion})
		wantErr(t, err, nil)
		e.usage(1, 1)
		e.check()
	})
}

func TestQuota(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("a", data(600, 1))
		wantErr(t, e.SetQuota(ctx, "b", 1000), nil)
		put := func(key string, n int) error {
			_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(data(n, 2)), Size: int64(n)})
			return err
		}
		wantErr(t, put("b", 401), ErrQuotaExceeded)
		wantErr(t, put("b", 5000), ErrQuotaExceeded)
		wantErr(t, put("b", 400), nil)
		wantErr(t, put("a", 601), ErrQuotaExceeded)
		wantErr(t, put("a", 599), nil)
		_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "a", DstBucket: "b", DstKey: "c"})
		wantErr(t, err, ErrQuotaExceeded)
		wantErr(t, e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "a", Dst: "r"}), nil)
		wantErr(t, e.SetQuota(ctx, "b", 10), nil)
		wantErr(t, put("r", 598), nil) // it shrinks, so it may
		wantErr(t, put("x", 0), nil)
		wantErr(t, e.SetQuota(ctx, "b", -1), ErrInvalidArgument)
		wantErr(t, e.SetQuota(ctx, "b", 0), nil)
		wantErr(t, put("big", 5000), nil)
		wantErr(t, e.SetQuota(ctx, "none", 1), ErrNoSuchBucket)
	})
}

// An account's quota is for all its buckets together, also for those that nobody has counted yet.
func TestAccountQuota(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		put := func(bucket, key string, n int) error {
			_, err := e.PutObject(ctx, PutInput{Bucket: bucket, Key: key, Body: bytes.NewReader(data(n, 2)), Size: int64(n)})
			return err
		}
		wantErr(t, put("b", "a", 600), nil)
		quota := int64(1000)
		e.Store.accountQuota = func(owner string) int64 {
			if owner != "me" {
				return 0
			}
			return quota
		}
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "d", Owner: "other"}), nil)
		wantErr(t, e.db.Update(ctx, func(txn meta.Txn) error {
			b, err := getBucket(txn, "b")
			if err != nil {
				return err
			}
			return txn.Delete(meta.UsageKey(b.id))
		}), nil)
		wantErr(t, put("c", "b", 401), ErrAccountQuota)
		wantErr(t, put("c", "b", 400), nil)
		wantErr(t, put("b", "x", 1), ErrAccountQuota)
		_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "a", DstBucket: "c", DstKey: "copy"})
		wantErr(t, err, ErrAccountQuota)
		wantErr(t, put("c", "b", 399), nil)
		wantErr(t, put("b", "x", 0), nil)
		wantErr(t, put("d", "x", 5000), nil) // another account's
		quota = 10
		wantErr(t, put("c", "b", 300), nil) // it shrinks, so it may
		wantErr(t, put("c", "b", 301), ErrAccountQuota)
		e.delete("a")
		quota = 302
		wantErr(t, put("c", "b", 301), nil)
	})
}

// A bucket without a row, as older servers made them, is counted when somebody asks, and kept count of from then on.
func TestUsageOfAnOldBucket(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("a", data(10, 1))
		err := e.db.Update(ctx, func(txn meta.Txn) error {
			b, err := getBucket(txn, "b")
			if err != nil {
				return err
			}
			return txn.Delete(meta.UsageKey(b.id))
		})
		wantErr(t, err, nil)
		e.put("b", data(20, 1))
		e.check()
		e.usage(2, 30)
		e.put("c", data(5, 1))
		e.usage(3, 35)
	})
}

func TestUsageUnderConcurrency(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		done := make(chan error)
		for w := range 8 {
			go func() {
				var err error
				for i := range 25 {
					p := data(i, byte(w))
					if _, e := e.PutObject(ctx, PutInput{Bucket: "b", Key: fmt.Sprint(w, i%5), Body: bytes.NewReader(p), Size: int64(len(p))}); e != nil {
						err = e
					}
				}
				done <- err
			}()
		}
		for range 8 {
			wantErr(t, <-done, nil)
		}
		e.usage(40, 8*(20+21+22+23+24))
	})
}
