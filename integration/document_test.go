package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentNamesTests looks whether the tests are there that docs/HIGH_AVAILABILITY.md names for what it promises.
func TestDocumentNamesTests(t *testing.T) {
	text, err := os.ReadFile("../docs/HIGH_AVAILABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	found := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(source), -1) {
			found[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range named {
		if !found[match[1]] {
			t.Errorf("there is no %s", match[1])
		}
	}
	if len(named) < 10 {
		t.Errorf("%d tests are named", len(named))
	}
}
