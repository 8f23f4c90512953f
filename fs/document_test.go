package fs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented are the packages whose tests SEMANTICS.md names, by the name that it uses.
var documented = map[string]string{
	"fs": ".", "fstest": "fstest", "volume": "volume", "tree": "tree", "stage": "stage", "readahead": "readahead", "upload": "upload",
	"attr": "attr", "keymap": "keymap", "leftovers": "leftovers", "blockcache": "blockcache", "journal": "journal", "retry": "../s3client/retry", "awss3": "../s3client/awss3",
	"lease": "lease", "daemon": "../cmd/internal/daemon", "opt": "../cmd/internal/opt", "pail": "../cmd/pail", "integration": "../integration", "readlease": "../integration/readlease", "mounts": "../integration/mounts",
}

var testName = regexp.MustCompile("`([a-z0-9]+)\\.(Test[A-Za-z0-9]+)`")

// sources returns the Go files of a folder in one text.
func sources(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestDocumentNamesRealTests holds SEMANTICS.md to its tests: each claim names one, and each that is named exists.
func TestDocumentNamesRealTests(t *testing.T) {
	text, err := os.ReadFile("SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]string{}
	for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
		dir, ok := documented[m[1]]
		if !ok {
			t.Errorf("SEMANTICS.md names the package %s, which is none", m[1])
			continue
		}
		if _, ok := read[dir]; !ok {
			read[dir] = sources(t, dir)
		}
		if !strings.Contains(read[dir], "func "+m[2]+"(") {
			t.Errorf("SEMANTICS.md names %s.%s, which is no test", m[1], m[2])
		}
	}
	_, claims, _ := strings.Cut(string(text), "\n## Objects")
	for _, claim := range strings.Split(claims, "\n- ")[1:] {
		claim, _, _ = strings.Cut(claim, "\n\n")
		if !testName.MatchString(claim) {
			t.Errorf("this claim names no test: %.80s", claim)
		}
	}
}
