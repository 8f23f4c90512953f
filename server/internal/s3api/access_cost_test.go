package s3api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/policy"
	"pail/server/internal/sigauth"
	"pail/server/internal/store"
)

// countedDB counts what is read.
type countedDB struct {
	meta.DB
	views atomic.Int64
}

func (d *countedDB) View(ctx context.Context, fn func(meta.Reader) error) error {
	d.views.Add(1)
	return d.DB.View(ctx, fn)
}

// What decides about a bucket is read once, and again only after it has changed.
func TestDecisionsCostNoLookup(t *testing.T) {
	db := &countedDB{DB: memdb.New()}
	blobs, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Options{DB: db, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.CreateBucket(ctx, store.Bucket{Name: "bucket", Owner: "me"}); err != nil {
		t.Fatal(err)
	}
	a := New(Options{Store: s, Verifier: sigauth.New(sigauth.Options{})})
	decide := func() error {
		r := &request{api: a, http: httptest.NewRequest(http.MethodGet, "/bucket/k", nil), bucket: "bucket", key: "k",
			op: &op{name: "GetObject", scope: onObject, action: "s3:GetObject"}}
		r.identity.CanonicalID = "me"
		return authorize(r)
	}
	if err := decide(); err != nil {
		t.Fatal(err)
	}
	before := db.views.Load()
	for range 100 {
		if err := decide(); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.views.Load() - before; n != 0 {
		t.Errorf("100 decisions read %d times", n)
	}
	document := `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/k"}}`
	if _, err := policy.Parse([]byte(document), policy.Options{Bucket: "bucket"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetBucketConfig(ctx, "bucket", configPolicy, []byte(document)); err != nil {
		t.Fatal(err)
	}
	if decide() == nil {
		t.Error("a policy that was set is not seen")
	}
	if err := s.SetBucketConfig(ctx, "bucket", configPolicy, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if decide() == nil {
		t.Error("a policy that cannot be read allows")
	}
}
