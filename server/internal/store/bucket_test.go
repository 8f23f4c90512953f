package store

import (
	"fmt"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "b", Owner: "me"}), ErrBucketAlreadyOwned)
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "b", Owner: "you"}), ErrBucketExists)
		wantErr(t, e.CreateBucket(ctx, Bucket{}), ErrInvalidArgument)
		b, err := e.HeadBucket(ctx, "b")
		if err != nil || b.Name != "b" || b.Owner != "me" || b.Region != "us-east-1" ||
			!b.Created.Equal(time.Unix(1_800_000_000, 123456789)) {
			t.Errorf("%+v, %v", b, err)
		}
		_, err = e.HeadBucket(ctx, "none")
		wantErr(t, err, ErrNoSuchBucket)
		wantErr(t, e.DeleteBucket(ctx, "none"), ErrNoSuchBucket)
		e.put("k", nil)
		wantErr(t, e.DeleteBucket(ctx, "b"), ErrBucketNotEmpty)
		e.delete("k")
		wantErr(t, e.DeleteBucket(ctx, "b"), nil)
		_, err = e.ListObjects(ctx, "b", ListQuery{Max: 1})
		wantErr(t, err, ErrNoSuchBucket)
	})
}

func TestARecreatedBucketIsEmpty(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id := e.upload("k", "", "")
		part := e.part("k", id, 1, data(100, 1))
		wantErr(t, e.DeleteBucket(ctx, "b"), nil)
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "b"}), nil)
		_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{part}})
		wantErr(t, err, ErrNoSuchUpload)
		if n := len(e.fs.Files()); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

// TestCompletedUploadOfADeletedBucket: the memory of a completion does not answer for a new bucket of that name.
func TestCompletedUploadOfADeletedBucket(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		id := e.upload("k", "", "")
		part := e.part("k", id, 1, data(100, 1))
		e.complete("k", id, part)
		e.delete("k")
		wantErr(t, e.DeleteBucket(ctx, "b"), nil)
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "b"}), nil)
		_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{part}})
		wantErr(t, err, ErrNoSuchUpload)
	})
}

func TestListBuckets(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, name := range []string{"ba", "bb", "d"} {
			wantErr(t, e.CreateBucket(ctx, Bucket{Name: name}), nil)
		}
		for _, c := range []struct {
			q    ListBucketsQuery
			want string
		}{
			{ListBucketsQuery{}, "[b ba bb c d] "},
			{ListBucketsQuery{Max: 2}, "[b ba] ba"},
			{ListBucketsQuery{Max: 2, After: "ba"}, "[bb c] c"},
			{ListBucketsQuery{Max: 2, After: "c"}, "[d] "},
			{ListBucketsQuery{Prefix: "b"}, "[b ba bb] "},
			{ListBucketsQuery{Prefix: "b", After: "a"}, "[b ba bb] "},
			{ListBucketsQuery{Prefix: "b", After: "bz"}, "[] "},
			{ListBucketsQuery{Prefix: "b", Max: 3}, "[b ba bb] "},
		} {
			list, next, err := e.ListBuckets(ctx, c.q)
			names := []string{}
			for _, b := range list {
				names = append(names, b.Name)
			}
			if got := fmt.Sprint(names, " ", next); err != nil || got != c.want {
				t.Errorf("%+v: %s, %v, want %s", c.q, got, err, c.want)
			}
		}
	})
}

// A bucket begins with its documents, or not at all; and each owner lists its own.
func TestBucketsBeginWithDocuments(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		documents := []Config{{Kind: "policy", Document: []byte("p")}, {Kind: "acl", Document: []byte("a")}}
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "theirs", Owner: "them", Configs: documents}), nil)
		for _, d := range documents {
			got, err := e.BucketConfig(ctx, "theirs", d.Kind)
			if err != nil || string(got) != string(d.Document) {
				t.Errorf("%s: %q %v", d.Kind, got, err)
			}
		}
		wantErr(t, e.CreateBucket(ctx, Bucket{Name: "theirs", Owner: "me", Configs: []Config{{Kind: "policy", Document: []byte("x")}}}), ErrBucketExists)
		if got, err := e.BucketConfig(ctx, "theirs", "policy"); err != nil || string(got) != "p" {
			t.Errorf("a bucket that was not made changed another: %q %v", got, err)
		}
		list, next, err := e.ListBuckets(ctx, ListBucketsQuery{Owner: "them", Max: 1})
		if err != nil || next != "" || len(list) != 1 || list[0].Name != "theirs" {
			t.Errorf("their buckets: %v %q %v", list, next, err)
		}
		if list, _, err := e.ListBuckets(ctx, ListBucketsQuery{Owner: "nobody"}); err != nil || len(list) != 0 {
			t.Errorf("nobody's buckets: %v %v", list, err)
		}
	})
}

// SetACL changes the grants and nothing else.
func TestGrantsOfAnObject(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		before := e.put("k", []byte("body"))
		o, err := e.SetACL(ctx, "b", "k", "", []byte("grants"))
		if err != nil || string(o.ACL) != "grants" || o.ETag != before.ETag || !o.LastModified.Equal(before.LastModified) {
			t.Errorf("%+v %v", o, err)
		}
		o, err = e.HeadObject(ctx, "b", "k", ReadInput{})
		if err != nil || string(o.ACL) != "grants" {
			t.Errorf("%+v %v", o, err)
		}
		_, err = e.SetACL(ctx, "b", "none", "", nil)
		wantErr(t, err, ErrNoSuchKey)
	})
}
