package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta/pebbledb"
	"pail/server/internal/store"
)

// openStandby opens a server on directories that another one owns.
func openStandby(t *testing.T, dir string, patience time.Duration) *Server {
	t.Helper()
	s, err := New(Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys, Standby: true, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// makeBucket makes a bucket through the store that the server has now.
func makeBucket(s *Server, name string) error {
	return s.current.Load().store.CreateBucket(context.Background(), store.Bucket{Name: name, Owner: "me"})
}

func buckets(t *testing.T, s *Server) (names string) {
	t.Helper()
	list, _, err := s.current.Load().store.ListBuckets(context.Background(), store.ListBucketsQuery{Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		names += b.Name + " "
	}
	return names
}

func TestStandbyTakesOver(t *testing.T) {
	dir := t.TempDir()
	a := open(t, filepath.Join(dir, "d"), filepath.Join(dir, "m"))
	if err := makeBucket(a, "one"); err != nil {
		t.Fatal(err)
	}
	b := openStandby(t, dir, 0)
	if b.Epoch() != 0 || a.Epoch() != 1 {
		t.Errorf("epochs %d and %d", a.Epoch(), b.Epoch())
	}
	for _, method := range []string{"GET", "HEAD"} {
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, httptest.NewRequest(method, "/bucket/key", nil))
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "<Code>ServiceUnavailable</Code>") != (method == "GET") {
			t.Errorf("a standby answers %s %d %v %s", method, w.Code, w.Header(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	b.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
	var ready struct {
		Ready, Owner bool
		Checks       map[string]string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &ready); err != nil || w.Code != 503 || ready.Ready || ready.Owner || !strings.Contains(ready.Checks["ownership"], "epoch 1") {
		t.Errorf("/ready of a standby: %d %s %v", w.Code, w.Body, err)
	}
	gone := time.Now()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	<-b.Owned()
	t.Logf("taken over after %v", time.Since(gone))
	if b.Epoch() != 2 || buckets(t, b) != "one " {
		t.Errorf("epoch %d with %s", b.Epoch(), buckets(t, b))
	}
	w = httptest.NewRecorder()
	b.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"pail_owner 1", "pail_epoch 2", "pail_takeovers_total 1"} {
		if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
			t.Errorf("no %s in /metrics", line)
		}
	}
}

// TestRetriesOfTakeover: a standby that could have taken over, and failed, tries again soon, and ever more seldom; one that
// waits for an owner again begins anew.
func TestRetriesOfTakeover(t *testing.T) {
	failed := errors.New("input/output error")
	var pauses []time.Duration
	last := time.Duration(0)
	for _, err := range []error{failed, failed, failed, failed, failed, failed, failed, failed, fmt.Errorf("wait: %w", ErrInUse), failed} {
		last = nextRetry(last, err)
		pauses = append(pauses, last/time.Millisecond)
	}
	if want := []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000, 0, 100}; !slices.Equal(pauses, want) {
		t.Errorf("pauses of %d ms, want %d", pauses, want)
	}
}

// TestSupersededServerTellsNothing takes a server's directories from under it, as from a process that was stopped for too
// long: each of its answers is 503 from then on, what it writes is not in the new owner's database, and it ends as a
// standby that takes over in its turn.
func TestSupersededServerTellsNothing(t *testing.T) {
	dir := t.TempDir()
	a := openStandby(t, dir, 0)
	if err := makeBucket(a, "before"); err != nil {
		t.Fatal(err)
	}
	old := a.current.Load()
	b := openStandby(t, dir, time.Nanosecond) // which takes a sign of life that it sees twice for none
	<-b.Owned()
	errs := []error{old.store.CreateBucket(context.Background(), store.Bucket{Name: "after", Owner: "me"})}
	_, _, err := old.store.ListBuckets(context.Background(), store.ListBucketsQuery{Max: 1})
	errs = append(errs, err)
	_, err = old.store.HeadBucket(context.Background(), "no-such-bucket")
	errs = append(errs, err)
	for i, err := range errs {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("outcome %d of a superseded server: %v", i, err)
		}
	}
	<-old.epoch.Lost()
	deadline := time.Now().Add(time.Minute)
	for a.Epoch() != 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("it answers %d", w.Code)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for a.Epoch() == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := a.Epoch(); n != 3 || buckets(t, a) != "before " {
		t.Errorf("epoch %d with %s", n, buckets(t, a))
	}
}

// TestOldLayoutMoves opens directories as versions left them that knew no epochs.
func TestOldLayoutMoves(t *testing.T) {
	dir := t.TempDir()
	data, metadata := filepath.Join(dir, "d"), filepath.Join(dir, "m")
	makeOldLayout(t, data, metadata)
	lock, err := pebbledb.Lock(filepath.Join(metadata, dbDir)) // an old server that runs
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{DataDir: data, MetadataDir: metadata, Keys: testKeys}); !errors.Is(err, ErrInUse) {
		t.Fatalf("beside an old server: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(context.Background(), Options{DataDir: data, MetadataDir: metadata}, nil); err != nil {
		t.Fatal(err)
	}
	if missing(filepath.Join(metadata, dbDir)) {
		t.Error("a check moved the database")
	}
	for range 2 {
		s := open(t, data, metadata)
		if got := buckets(t, s); got != "old " {
			t.Errorf("buckets %q", got)
		}
		if !missing(filepath.Join(metadata, dbDir)) {
			t.Error("the old database is still there")
		}
		for _, d := range []string{data, metadata} {
			if b, err := os.ReadFile(filepath.Join(d, pairFile)); err != nil || !strings.HasPrefix(string(b), pairHead) || len(b) != len(pairHead)+33 {
				t.Errorf("%s: %q, %v", d, b, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func makeOldLayout(t *testing.T, data, metadata string) {
	t.Helper()
	db, err := pebbledb.Open(filepath.Join(metadata, dbDir), pebbledb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(data, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Options{DB: db, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	err = s.CreateBucket(context.Background(), store.Bucket{Name: "old", Owner: "me"})
	if err := errors.Join(err, s.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	id := []byte(pairOld + strings.Repeat("0f", 16) + "\n")
	for _, d := range []string{data, metadata} {
		if err := os.WriteFile(filepath.Join(d, pairFile), id, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServersThatStartAtOnce finds one owner, one pair of directories and one set of made files.
func TestServersThatStartAtOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "m"), 0o700); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		s   *Server
		err error
	}
	outcomes := make(chan outcome)
	for range 4 {
		go func() {
			_, err := Credentials(filepath.Join(dir, "m", "credentials"))
			if err == nil {
				_, _, err = SelfSigned(filepath.Join(dir, "m", "tls"), []string{"s3.pail.test"}, nil)
			}
			var s *Server
			if err == nil {
				s, err = New(Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys, Standby: true})
			}
			outcomes <- outcome{s, err}
		}()
	}
	owners := 0
	for range 4 {
		o := <-outcomes
		if o.err != nil {
			t.Error(o.err)
			continue
		}
		t.Cleanup(func() { _ = o.s.Close() })
		if o.s.Epoch() > 0 {
			owners++
		}
	}
	if owners > 1 {
		t.Errorf("%d owners", owners)
	}
}
