package fstest_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"pail/fs/fstest"
)

// TestRandomCalls makes random calls, the same with every set of options. PAIL_FSTEST_SEED and PAIL_FSTEST_WALKS choose
// others, and more of them.
func TestRandomCalls(t *testing.T) {
	seed, walks, length := env(t, "PAIL_FSTEST_SEED", 1), env(t, "PAIL_FSTEST_WALKS", 1), 250
	s := newServer(t)
	for i := range walks {
		for _, kind := range walked() {
			t.Run(fmt.Sprintf("%d/%s", seed+i, kind), func(t *testing.T) {
				s.walk(t, kind, fstest.Walk(uint64(seed+i), length, kind != plain))
			})
		}
	}
}

func walked() []string {
	if elsewhere() {
		return []string{plain}
	}
	return []string{able, plain, direct, later, leased}
}

// walk runs a script, and shrinks it if it fails.
func (s *server) walk(t *testing.T, kind string, calls []fstest.Call) {
	t.Helper()
	var failed error
	compared := 0
	t.Run("walk", func(t *testing.T) { compared, failed = s.try(t, kind, calls) })
	if failed == nil {
		t.Logf("%d comparisons agree", compared)
		return
	}
	try := 0
	calls = fstest.Shrink(calls, 200, func(calls []fstest.Call) (fails bool) {
		try++
		t.Run(fmt.Sprint("shrink ", try), func(t *testing.T) {
			_, err := s.try(t, kind, calls)
			if fails = err != nil; fails {
				failed = err
			}
		})
		return fails
	})
	t.Fatalf("%d calls, of which the last differs:\n%v\n%v", len(calls), calls, failed)
}

func (s *server) try(t *testing.T, kind string, calls []fstest.Call) (compared int, failed error) {
	t.Helper()
	p := s.newPair(t, kind)
	err := p.Run(calls)
	if err == nil {
		err = s.remount(t, p, fstest.Remount{Renamed: true, Crashed: kind == later})
	}
	return p.Compared, err
}

func env(t *testing.T, name string, def int) int {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return def
	}
	n, err := strconv.Atoi(value)
	must(t, err)
	return n
}
