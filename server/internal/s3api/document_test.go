package s3api

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "renew the list of operations in API.md")

const document = "../../API.md"

// operationList is the table of API.md.
func operationList() string {
	var b strings.Builder
	b.WriteString("<!-- operations -->\n| operation | request | served |\n|---|---|---|\n")
	for _, o := range Operations() {
		path := map[string]string{"service": "/", "bucket": "/bucket", "object": "/bucket/key"}[o.Scope]
		if len(o.Query) > 0 {
			path += "?" + strings.Join(o.Query, "&")
		}
		if o.Header != "" {
			path += " with " + strings.ToLower(o.Header)
		}
		served := ""
		if o.Served {
			served = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s |\n", o.Name, o.Method, path, served)
	}
	return b.String()
}

func TestAPIDocument(t *testing.T) {
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	start, end := strings.Index(text, "<!-- operations -->"), strings.Index(text, "<!-- end of operations -->")
	if start < 0 || end < start {
		t.Fatal("API.md has no place for the list of operations")
	}
	if want := operationList(); text[start:end] != want {
		if !*rewrite {
			t.Error("the list of operations in API.md is not that of the table: renew it with -rewrite")
		} else if err := os.WriteFile(document, []byte(text[:start]+want+text[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDocumentNamesRealTests holds the document to its tests.
func TestDocumentNamesRealTests(t *testing.T) {
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, dir := range []string{".", "../..", "../../../cmd/pail", "../../../integration"} {
		found, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var source strings.Builder
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(src)
	}
	for _, m := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(b), -1) {
		if !strings.Contains(source.String(), "func "+m[1]+"(") {
			t.Errorf("API.md names %s, which is no test", m[1])
		}
	}
}
