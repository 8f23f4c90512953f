package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/server/pgtest"
)

// shared gives the options of a server on a database.
func shared(address, dir string) Options {
	return Options{Database: address, DataDir: filepath.Join(dir, "data"), MetadataDir: filepath.Join(dir, "data", "config"), Keys: testKeys}
}

func openWith(t *testing.T, opt Options) *Server {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// readiness asks /ready.
func readiness(t *testing.T, s *Server) (status int, checks map[string]string, answer map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	s.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	checks = map[string]string{}
	for k, v := range answer["checks"].(map[string]any) {
		checks[k], _ = v.(string)
	}
	return w.Code, checks, answer
}

// TestNoServerStartsDuringACheck: where a database is checked, a server does not begin to serve, or stands by until the check
// has ended.
func TestNoServerStartsDuringACheck(t *testing.T) {
	opt := shared(pgtest.Address("postgres", pgtest.Start(t)), t.TempDir())
	if err := openWith(t, opt).Close(); err != nil {
		t.Fatal(err)
	}
	var standby *Server
	err := newServer(opt).checkDatabase(context.Background(), func(context.Context, *tenure) error {
		if _, err := New(opt); !errors.Is(err, ErrInUse) {
			t.Errorf("start during a check: %v", err)
		}
		opt.Standby = true
		if standby = openWith(t, opt); standby.Serving() {
			t.Error("a standby serves during a check")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-standby.Owned()
}

// TestFirstUseOfDifferentMasterKeys: of two servers with different files of master keys, which begin to encrypt at the same
// moment, one does not; when an operator has taken the other's key out of the record, and all servers are started again, it does.
func TestFirstUseOfDifferentMasterKeys(t *testing.T) {
	address, dir := pgtest.Address("postgres", pgtest.Start(t)), t.TempDir()
	var servers [2]*Server
	var names [2]string
	var errs [2]error
	var group sync.WaitGroup
	with := func(i int) Options {
		opt := shared(address, dir)
		opt.MasterKeyFile = filepath.Join(dir, fmt.Sprint("keys", i))
		return opt
	}
	for i := range servers {
		servers[i] = openWith(t, with(i))
	}
	encrypt := func(s *Server) (name string, err error) {
		name, _, err = s.current.Load().keys.Master.Current()
		return name, err
	}
	for i, s := range servers {
		group.Go(func() { names[i], errs[i] = encrypt(s) })
	}
	group.Wait()
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	if loser := errs[1-winner]; errs[winner] != nil || loser == nil || !strings.Contains(loser.Error(), names[winner]) {
		t.Fatalf("two first uses: %v, %v", errs[winner], loser)
	}
	if _, err := encrypt(servers[winner]); err != nil {
		t.Error(err)
	}
	for _, s := range servers {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	record := filepath.Join(dir, "data", "config", masterKeyRecord)
	if _, err := New(with(1 - winner)); err == nil || !strings.Contains(err.Error(), record) {
		t.Fatalf("start with the other keys: %v", err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if _, err := encrypt(openWith(t, with(1-winner))); err != nil {
		t.Error(err)
	}
}

// TestServersShareADatabase also ends the database under a server, and begins it again.
func TestServersShareADatabase(t *testing.T) {
	node := pgtest.Start(t)
	address, dir := pgtest.Address("postgres", node), t.TempDir()
	a := openWith(t, shared(address, dir))
	b := openWith(t, shared(address, dir))
	if err := makeBucket(a, "one"); err != nil {
		t.Fatal(err)
	}
	if got := buckets(t, b); got != "one " {
		t.Errorf("the other server has %q", got)
	}
	if status, checks, answer := readiness(t, b); status != http.StatusOK || checks["metadata"] != "ok" || checks["data"] != "ok" || answer["replicas"] != 2. {
		t.Errorf("ready: %d %v", status, answer)
	}
	if _, err := Check(context.Background(), shared(address, dir), nil); !errors.Is(err, ErrInUse) {
		t.Errorf("check beside servers: %v", err)
	}
	t.Run("OtherDirectoriesAreRefused", func(t *testing.T) { refuseOthers(t, address, dir) })

	node.Stop()
	if status, checks, _ := readiness(t, a); status != http.StatusServiceUnavailable || !strings.Contains(checks["metadata"], "cannot be reached") {
		t.Errorf("ready without the database: %d %v", status, checks)
	}
	opt := shared(address, dir)
	if _, err := New(opt); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("start without the database: %v", err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; { // it may be slow at first
		status, checks, _ := readiness(t, a)
		if status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("ready with the database again: %d %v", status, checks)
		}
	}
	if err := makeBucket(b, "two"); err != nil || buckets(t, a) != "one two " {
		t.Errorf("afterwards: %v, %s", err, buckets(t, a))
	}
}

// refuseOthers: a database over the data of another one, or a server with a metadata directory, would take all bytes for
// what a crash has left.
func refuseOthers(t *testing.T, address, dir string) {
	own := t.TempDir()
	pebble := Options{DataDir: filepath.Join(own, "data"), MetadataDir: filepath.Join(own, "metadata"), Keys: testKeys}
	if err := openWith(t, pebble).Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"SharedDataAndMetadataDirectory": {Options{DataDir: filepath.Join(dir, "data"), MetadataDir: filepath.Join(own, "new"), Keys: testKeys}, "--metadata postgres://"},
		"DataOfAMetadataDirectory":       {shared(address, own), "belongs to a metadata directory"},
		"NewData":                        {shared(address, t.TempDir()), "does not belong to the PostgreSQL database"},
	} {
		if s, err := New(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				_ = s.Close()
			}
		}
	}
	if _, err := os.Stat(filepath.Join(own, "data", "blobs")); err != nil {
		t.Error(err)
	}
}

// TestServerWaitsForItsDatabase starts a server before its database.
func TestServerWaitsForItsDatabase(t *testing.T) {
	node := pgtest.Start(t)
	node.Stop()
	opt := shared(pgtest.Address("postgres", node), t.TempDir())
	opt.Standby = true
	s := openWith(t, opt)
	if status, checks, _ := readiness(t, s); s.Serving() || status != http.StatusServiceUnavailable || !strings.Contains(checks["metadata"], "cannot be reached") {
		t.Errorf("ready before the database: %d %v", status, checks)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Owned():
	case <-time.After(time.Minute):
		t.Fatal("it does not serve")
	}
}
