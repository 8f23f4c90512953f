package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/server/internal/meta/pebbledb"
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

// TestDatabasePutBackIsKept finds a database as earlier versions kept it beside an epoch that was not made of it.
func TestDatabasePutBackIsKept(t *testing.T) {
	dir := t.TempDir()
	opt := Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys}
	makeObject(t, opt.DataDir, opt.MetadataDir)
	old := filepath.Join(opt.MetadataDir, dbDir)
	db, err := pebbledb.Open(old, pebbledb.Options{})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, checked := Check(context.Background(), opt, nil)
		s, err := New(opt)
		if err == nil {
			_ = s.Close()
		}
		for _, err := range []error{checked, err} {
			if err == nil || !strings.Contains(err.Error(), old+" ") || !strings.Contains(err.Error(), "epoch-1") {
				t.Errorf("it must name both: %v", err)
			}
		}
		if names, _ := filepath.Glob(filepath.Join(old, "MANIFEST-*")); len(names) != 1 {
			t.Error("the database is gone")
		}
	}
	if err := os.RemoveAll(old); err != nil {
		t.Fatal(err)
	}
	if s := open(t, opt.DataDir, opt.MetadataDir); buckets(t, s) != "b " {
		t.Error("the epoch is gone")
	}
}

// TestUpgradeServesLast lets locking old versions out fail: the database that they know is still the one to start from.
func TestUpgradeServesLast(t *testing.T) {
	dir := t.TempDir()
	opt := Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys}
	makeOldLayout(t, opt.DataDir, opt.MetadataDir)
	s := newServer(opt)
	first, err := s.take()
	if err != nil {
		t.Fatal(err)
	}
	id := filepath.Join(opt.DataDir, pairFile)
	if err := errors.Join(os.Rename(id, id+".kept"), os.Mkdir(id, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := first.serve(s); err == nil {
		t.Error("it serves")
	}
	if err := errors.Join(first.close(), os.Remove(id), os.Rename(id+".kept", id)); err != nil {
		t.Fatal(err)
	}
	second, err := newServer(opt).take()
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if old := filepath.Join(opt.MetadataDir, dbDir); second.epoch.Base() != old {
		t.Errorf("it starts from %s", second.epoch.Base())
	}
}

// TestClonesAreTriedInOneDirectory has a database that cannot be cloned: the directory whose name is durable stays.
func TestClonesAreTriedInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	opt := Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys}
	makeObject(t, opt.DataDir, opt.MetadataDir)
	s := newServer(opt)
	tenure := &tenure{}
	var err error
	if tenure.epoch, err = s.dir.Take(func(bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	defer tenure.close()
	held, err := os.Open(tenure.epoch.Dir()) // so that no other is given its inode
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	before, err := held.Stat()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(tenure.epoch.Base(), "MANIFEST-*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	tenure.epoch.FormerLives = true
	if err := tenure.openDB(s.opt); err == nil {
		t.Fatal("it opens")
	}
	if after, err := os.Stat(tenure.epoch.Dir()); err != nil || !os.SameFile(before, after) {
		t.Errorf("the directory was made again: %v", err)
	}
}

// TestCrashedUpgradeIsFinished ends a first start between its mark and the removal of the old database.
func TestCrashedUpgradeIsFinished(t *testing.T) {
	dir := t.TempDir()
	opt := Options{DataDir: filepath.Join(dir, "d"), MetadataDir: filepath.Join(dir, "m"), Keys: testKeys}
	makeOldLayout(t, opt.DataDir, opt.MetadataDir)
	s := newServer(opt)
	crashed, err := s.take()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(crashed.lockOutOldVersions(s.opt), crashed.epoch.Serve(), crashed.close()); err != nil {
		t.Fatal(err)
	}
	next := open(t, opt.DataDir, opt.MetadataDir)
	if next.Epoch() != 2 || buckets(t, next) != "old " {
		t.Errorf("epoch %d with %s", next.Epoch(), buckets(t, next))
	}
	for _, name := range []string{dbDir, movedDir} {
		if !missing(filepath.Join(opt.MetadataDir, name)) {
			t.Errorf("%s is still there", name)
		}
	}
}
