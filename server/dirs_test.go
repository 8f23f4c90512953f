package server

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/server/internal/store"
)

// makeObject keeps an object that is a blob, and gives the name of its file.
func makeObject(t *testing.T, data, metadata string) (file string) {
	t.Helper()
	s := open(t, data, metadata)
	if err := makeBucket(s, "b"); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 100<<10)
	in := store.PutInput{Bucket: "b", Key: "k", Owner: "me", Body: bytes.NewReader(body), Size: int64(len(body))}
	if _, err := s.current.Load().store.PutObject(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(data, blobsDir, "*", "*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return names[0]
}

// TestLostMetadataDeletesNoObject takes away what says which database was the last one, all databases, and the rows of
// the one that is there: neither a server nor a check takes that for a store with nothing in it, also when tried again.
func TestLostMetadataDeletesNoObject(t *testing.T) {
	for what, lose := range map[string]func(metadata string) error{
		"owners": func(m string) error { return os.Remove(filepath.Join(m, "owners")) },
		"owners and the epoch": func(m string) error {
			if err := os.Remove(filepath.Join(m, "owners")); err != nil {
				return err
			}
			return os.RemoveAll(filepath.Join(m, "epoch-1"))
		},
		"what is in the epoch": func(m string) error {
			if err := os.RemoveAll(filepath.Join(m, "epoch-1")); err != nil {
				return err
			}
			return os.Mkdir(filepath.Join(m, "epoch-1"), 0o700)
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			opt := Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys}
			file := makeObject(t, opt.DataDir, opt.MetadataDir)
			if err := lose(opt.MetadataDir); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := Check(context.Background(), opt, nil); err == nil || !strings.Contains(err.Error(), "put back the") {
					t.Errorf("check: %v", err)
				}
				s, err := New(opt)
				if err == nil {
					_ = s.Close() // which waits for the sweep of blobs, or ends it
				}
				if err == nil || !strings.Contains(err.Error(), opt.MetadataDir) || !strings.Contains(err.Error(), "put back the") {
					t.Errorf("start: %v", err)
				}
			}
			if missing(file) {
				t.Error("the object is gone")
			}
		})
	}
}

// TestEmptiedStoreOpensAgain has a blob that a crash left when all buckets were deleted: it is no other store's.
func TestEmptiedStoreOpensAgain(t *testing.T) {
	dir := t.TempDir()
	data, metadata := filepath.Join(dir, "d"), filepath.Join(dir, "m")
	file := makeObject(t, data, metadata)
	s := open(t, data, metadata)
	st := s.current.Load().store
	if _, err := st.DeleteObject(context.Background(), "b", "k", store.DeleteInput{}); err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteBucket(context.Background(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, data, metadata)
}
