package pgtest

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Shared is one node for all tests of a package, started by the first that needs it. It syncs nothing to the disk. The
// package's TestMain calls Stop.
type Shared struct {
	once sync.Once
	node *Node
	dir  string
	err  error
	made atomic.Int64
}

// Address gives the address of an empty schema, which costs less than a database. Where PostgreSQL is not installed, it ends the test: failed in CI,
// skipped elsewhere.
func (s *Shared) Address(t testing.TB) string {
	t.Helper()
	Need(t)
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatal(s.err)
	}
	schema := fmt.Sprintf("test%d", s.made.Add(1))
	if err := s.node.SQL("create schema " + schema); err != nil {
		t.Fatal(err)
	}
	return Address("postgres", s.node) + "&search_path=" + schema
}

func (s *Shared) start() {
	if s.dir, s.err = os.MkdirTemp("", "pail-pg-*"); s.err == nil {
		s.node, s.err = New(s.dir, "fsync=off", "full_page_writes=off")
	}
}

// Stop ends the node and removes it.
func (s *Shared) Stop() {
	if s.node != nil {
		s.node.Stop()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// Need ends a test where PostgreSQL is not installed.
func Need(t testing.TB) {
	t.Helper()
	if Programs() != "" {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needed in CI: " + Hint)
	}
	t.Skip(Hint)
}

// Start starts a node that ends with the test, with the disk in earnest.
func Start(t testing.TB) *Node {
	t.Helper()
	Need(t)
	dir, err := os.MkdirTemp("", "pail-pg-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}
