package s3api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"pail/server/internal/acl"
	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/policy"
	"pail/server/internal/s3err"
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

// countedAPI has a bucket of an account "me".
func countedAPI(t *testing.T) (*API, *countedDB) {
	t.Helper()
	db := &countedDB{DB: memdb.New()}
	blobs, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Options{DB: db, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.CreateBucket(context.Background(), store.Bucket{Name: "bucket", Owner: "me"}); err != nil {
		t.Fatal(err)
	}
	return New(Options{Store: s, Verifier: sigauth.New(sigauth.Options{})}), db
}

// What decides about a bucket is read once, and again only after it has changed.
func TestDecisionsCostNoLookup(t *testing.T) {
	a, db := countedAPI(t)
	s := a.store
	ctx := context.Background()
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

// A read is decided by the very object that it answers, in the one look-up that finds it: what was public when the request
// came, and is private or another account's when it is read, is refused.
func TestReadIsDecidedByWhatItFinds(t *testing.T) {
	a, db := countedAPI(t)
	ctx := context.Background()
	if err := a.store.SetBucketConfig(ctx, "bucket", configOwnership, []byte(ownershipWriter)); err != nil {
		t.Fatal(err)
	}
	put := func(owner, grants string) {
		t.Helper()
		list, ok := acl.Canned(grants, owner, "me", true)
		if !ok {
			t.Fatal(grants)
		}
		in := store.PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("bytes"), Size: 5, Owner: owner, Extra: store.Extra{ACL: list.Encode()}}
		if _, err := a.store.PutObject(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	for name, serve := range map[string]func(*request) error{http.MethodGet: getObject, http.MethodHead: headObject} {
		read := func(account string, header http.Header, meanwhile func()) error {
			t.Helper()
			in := httptest.NewRequest(name, "/bucket/k", nil)
			in.Header = header
			r := &request{api: a, http: in, bucket: "bucket", key: "k", w: &answer{ResponseWriter: httptest.NewRecorder()},
				op: &op{name: name[:1] + strings.ToLower(name[1:]) + "Object", scope: onObject, action: "s3:GetObject"}}
			r.identity.CanonicalID, r.identity.Anonymous = account, account == ""
			if err := authorize(r); err != nil {
				return err
			}
			meanwhile()
			return serve(r)
		}
		code := func(err error) s3err.Code {
			e, _ := From(err)
			return e.Code
		}
		nothing := func() {}
		put("me", "public-read")
		if err := read("", nil, nothing); err != nil { // which reads what decides about the bucket, too
			t.Fatal(err)
		}
		before := db.views.Load()
		if err := read("", nil, nothing); err != nil {
			t.Fatal(err)
		}
		if n := db.views.Load() - before; n != 1 {
			t.Errorf("%s looked up %d times, want 1", name, n)
		}
		put("me", "public-read")
		if err := read("", nil, func() { put("me", "private") }); code(err) != s3err.AccessDenied {
			t.Errorf("%s of what became private: %v", name, err)
		}
		if err := read("me", nil, func() { put("other", "private") }); code(err) != s3err.AccessDenied {
			t.Errorf("%s of what became another account's: %v", name, err)
		}
		// What may not be read tells nothing of itself, be it by a condition or by an argument that is refused.
		if err := read("me", http.Header{"If-Match": {`"x"`}}, nothing); code(err) != s3err.AccessDenied {
			t.Errorf("%s with a condition: %v", name, err)
		}
		if err := read("me", http.Header{customerPrefix + "-Algorithm": {"nonsense"}}, nothing); code(err) != s3err.AccessDenied {
			t.Errorf("%s with a bad argument: %v", name, err)
		}
	}
}
