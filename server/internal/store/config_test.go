package store

import (
	"bytes"
	"testing"
)

func TestBucketConfig(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		_, err := e.BucketConfig(ctx, "b", ConfigCORS)
		wantErr(t, err, ErrNoSuchConfig)
		_, err = e.BucketConfig(ctx, "none", ConfigCORS)
		wantErr(t, err, ErrNoSuchBucket)
		wantErr(t, e.SetBucketConfig(ctx, "none", ConfigCORS, nil), ErrNoSuchBucket)
		wantErr(t, e.SetBucketConfig(ctx, "b", ConfigCORS, make([]byte, MaxConfigSize+1)), ErrInvalidArgument)
		for _, document := range []string{"<one/>", "<two/>", ""} {
			if err := e.SetBucketConfig(ctx, "b", ConfigCORS, []byte(document)); err != nil {
				t.Fatal(err)
			}
			got, err := e.BucketConfig(ctx, "b", ConfigCORS)
			if err != nil || string(got) != document {
				t.Errorf("BucketConfig: %q, %v, want %q", got, err, document)
			}
		}
		_, err = e.BucketConfig(ctx, "b", ConfigTagging)
		wantErr(t, err, ErrNoSuchConfig)
		_, err = e.BucketConfig(ctx, "c", ConfigCORS)
		wantErr(t, err, ErrNoSuchConfig)
		for range 2 {
			wantErr(t, e.DeleteBucketConfig(ctx, "b", ConfigCORS), nil)
		}
		_, err = e.BucketConfig(ctx, "b", ConfigCORS)
		wantErr(t, err, ErrNoSuchConfig)
	})
}

// The documents go with their bucket: a new bucket of the name has none, and Check finds none without a bucket.
func TestBucketConfigsGoWithTheBucket(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, kind := range []ConfigKind{ConfigCORS, "inventory/a", "inventory/b", "inventory/c"} {
			wantErr(t, e.SetBucketConfig(ctx, "b", kind, []byte(kind)), nil)
		}
		list, more, err := e.BucketConfigs(ctx, "b", "inventory/", "", 2)
		if err != nil || !more || len(list) != 2 || list[1].Kind != "inventory/b" {
			t.Errorf("first page: %v, %v, %v", list, more, err)
		}
		list, more, err = e.BucketConfigs(ctx, "b", "inventory/", "inventory/b", 2)
		if err != nil || more || len(list) != 1 || !bytes.Equal(list[0].Document, []byte("inventory/c")) {
			t.Errorf("second page: %v, %v, %v", list, more, err)
		}
		wantErr(t, e.DeleteBucket(ctx, "b"), nil)
		e.check()
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "b", Owner: "me"}), nil)
		if list, _, err := e.BucketConfigs(ctx, "b", "", "", 0); err != nil || len(list) != 0 {
			t.Errorf("new bucket has %v, %v", list, err)
		}
	})
}
