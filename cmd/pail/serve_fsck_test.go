package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/server"
)

// fsckIn runs pail serve --fsck on a directory.
func fsckIn(dir string, more ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = serve(append([]string{"--fsck", "--dir", dir}, more...), vars{}.get, &out, &errs)
	return status, out.String(), errs.String()
}

func TestFsckSaysCleanDamagedOrUnknown(t *testing.T) {
	dir := t.TempDir()
	metadata := filepath.Join(dir, "metadata")
	if status, _, stderr := fsckIn(dir); status != fsckFailed || !strings.Contains(stderr, "nothing of a pail server") {
		t.Errorf("an empty directory: %d, %s", status, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the check made %v, %v", left, err)
	}
	s, err := server.New(server.Options{DataDir: filepath.Join(dir, "data"), MetadataDir: metadata, Keys: server.KeyList{}})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := fsckIn(dir); status != fsckFailed || !strings.Contains(stderr, "in use") || !strings.Contains(stderr, "stop it") {
		t.Errorf("a directory in use: %d, %s", status, stderr)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := fsckIn(dir); status != fsckClean || !strings.HasSuffix(stdout, ": clean\n") || stderr != "" {
		t.Errorf("an empty store: %d, %s%s", status, stdout, stderr)
	}
	status, stdout, _ := fsckIn(dir, "--json")
	var report fsckReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != fsckClean || !report.Clean || report.Problems == nil {
		t.Errorf("as JSON: %d, %v\n%s", status, err, stdout)
	}
	for _, pattern := range []string{"MANIFEST-*", "*.log"} {
		breakFiles(t, filepath.Join(metadata, "epoch-*", pattern))
	}
	if status, stdout, stderr := fsckIn(dir); status != fsckDamaged {
		t.Errorf("a database that cannot be opened: %d, %s%s", status, stdout, stderr)
	}
}

// breakFiles overwrites the middle of the files.
func breakFiles(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[len(b)/3:], "this was not written by anybody")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
