package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/blob/blobtest"
	"pail/server/internal/keyring"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/meta/pebbledb/pebbletest"
	"pail/server/internal/meta/pgdb"
	"pail/server/internal/sse"
	"pail/server/pgtest"
)

var ctx = context.Background()

const testInline = 1000

// subject is a store whose new objects are encrypted as encryption says; nil: not at all.
type subject struct {
	*Store
	encryption func() []byte
}

func (s subject) encrypt(x *Extra) {
	if s.encryption != nil && x.Encryption == nil {
		x.Encryption = s.encryption()
	}
}

func (s subject) PutObject(ctx context.Context, in PutInput) (Object, error) {
	s.encrypt(&in.Extra)
	return s.Store.PutObject(ctx, in)
}

func (s subject) AppendObject(ctx context.Context, in PutInput, offset int64) (Object, error) {
	s.encrypt(&in.Extra)
	return s.Store.AppendObject(ctx, in, offset)
}

func (s subject) PatchObject(ctx context.Context, in PatchInput) (Object, error) {
	s.encrypt(&in.Extra)
	return s.Store.PatchObject(ctx, in)
}

func (s subject) CopyObject(ctx context.Context, in CopyInput) (Object, error) {
	s.encrypt(&in.Extra)
	return s.Store.CopyObject(ctx, in)
}

func (s subject) CreateUpload(ctx context.Context, in UploadInput) (string, error) {
	s.encrypt(&in.Extra)
	return s.Store.CreateUpload(ctx, in)
}

// withMaster is the description of an object that is encrypted with the server's key.
func withMaster() []byte { return sse.Info{Scheme: sse.S3}.Encode() }

// withDefaultKey is that of one that is encrypted with the default key of KMS.
func withDefaultKey() []byte {
	return sse.Info{Scheme: sse.KMS, Key: sse.DefaultKey, Context: "e30="}.Encode()
}

// testKeys are those of all stores of the tests.
var testKeys = &sse.Keys{}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pail-store-*")
	if err == nil {
		testKeys.Master, err = keyring.OpenMaster(filepath.Join(dir, "keys"), "", nil)
	}
	status := 1
	if err == nil {
		status = m.Run()
	}
	postgres.Stop()
	os.RemoveAll(dir)
	os.Exit(status)
}

// env is a store over memory.
type env struct {
	subject
	t     *testing.T
	db    meta.DB
	fs    *blobtest.MemFS
	clock atomic.Int64 // seconds
}

// onEachEngine runs a test on each engine. At the end the store must be consistent and without orphans.
func onEachEngine(t *testing.T, test func(t *testing.T, e *env)) {
	t.Run("memdb", func(t *testing.T) { test(t, newEnv(t, memdb.New())) })
	t.Run("encrypted", func(t *testing.T) {
		e := newEnv(t, memdb.New())
		e.encryption = withMaster
		test(t, e)
	})
	t.Run("pebbledb", func(t *testing.T) { test(t, newEnv(t, openPebble(t, pebbletest.NewDisk(nil)))) })
	t.Run("pgdb", func(t *testing.T) { test(t, newEnv(t, openPostgres(t, postgres.Address(t)))) })
}

var postgres pgtest.Shared

func openPostgres(t *testing.T, address string) meta.DB {
	t.Helper()
	db, err := pgdb.Open(ctx, address, pgdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openPebble(t *testing.T, d *pebbletest.Disk) meta.DB {
	t.Helper()
	db, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// newEnv opens a store with the buckets "b" and "c". The sweep of the start is over then: it would remove the blobs whose
// rows a test takes away for a moment.
func newEnv(t *testing.T, db meta.DB) *env {
	t.Helper()
	e := &env{t: t, db: db, fs: blobtest.NewMemFS()}
	e.clock.Store(1_800_000_000)
	e.Store = openStore(t, db, e.fs, func() time.Time { return time.Unix(e.clock.Load(), 123456789) })
	e.background.Wait()
	for _, name := range []string{"b", "c"} {
		if err := e.CreateBucket(ctx, Bucket{Name: name, Owner: "me", Region: "us-east-1"}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if !t.Failed() {
			e.check()
		}
	})
	return e
}

func openStore(t *testing.T, db meta.DB, fs *blobtest.MemFS, now func() time.Time) *Store {
	t.Helper()
	blobs, err := blob.Open("/data", blob.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{DB: db, Blobs: blobs, Keys: testKeys, InlineLimit: testInline, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s.minPart = 5000
	s.patch = patchLimits{cell: 4000, pieces: 5, spend: 6000}
	t.Cleanup(func() { s.Close() })
	return s
}

// check fails the test unless all is consistent and nothing is left over.
func (e *env) check() {
	e.t.Helper()
	r, err := e.Check(ctx, CheckOptions{Bytes: true})
	if err != nil {
		e.t.Errorf("Check: %v", err)
	}
	for _, p := range r.Problems {
		e.t.Errorf("Check: %v", p)
	}
	if r.Orphans > 0 {
		e.t.Errorf("%d orphans are left", r.Orphans)
	}
}

// data makes n bytes that depend on the seed.
func data(n int, seed byte) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), seed}).Read(p)
	return p
}

func md5hex(p []byte) string {
	sum := md5.Sum(p)
	return hex.EncodeToString(sum[:])
}

func (e *env) put(key string, p []byte) Object {
	e.t.Helper()
	o, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(p), Size: int64(len(p)), Owner: "me"})
	if err != nil {
		e.t.Fatalf("PutObject(%q): %v", key, err)
	}
	return o
}

// get reads the object whole; a missing one is nil.
func (e *env) get(key string) []byte {
	e.t.Helper()
	p, err := read(e.Store, "b", key)
	if err != nil && !errors.Is(err, ErrNoSuchKey) {
		e.t.Errorf("GetObject(%q): %v", key, err)
	}
	return p
}

func read(s *Store, bucket, key string) ([]byte, error) {
	r, err := s.GetObject(ctx, bucket, key, ReadInput{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	if _, err := r.CopyRange(&out, 0, r.Object.Size); err != nil {
		return nil, err
	}
	return append([]byte{}, out.Bytes()...), nil
}

func (e *env) has(key string, want []byte) {
	e.t.Helper()
	if got := e.get(key); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		e.t.Errorf("%q holds %d bytes, not the %d it should", key, len(got), len(want))
	}
}

func (e *env) delete(key string) {
	e.t.Helper()
	if _, err := e.DeleteObject(ctx, "b", key, DeleteInput{}); err != nil {
		e.t.Errorf("DeleteObject(%q): %v", key, err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// keys lists all keys of the bucket, separated by blanks.
func (e *env) keys(bucket string) string {
	e.t.Helper()
	page, err := e.ListObjects(ctx, bucket, ListQuery{Max: 1000})
	if err != nil {
		e.t.Error(err)
	}
	var list []string
	for _, o := range page.Objects {
		list = append(list, o.Key)
	}
	return strings.Join(list, " ")
}

// unsized hides all but Read.
type unsized struct{ io.Reader }
