package integration

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// rule forbids imports. Packages and imports are matched by prefix of whole path elements.
type rule struct {
	packages []string // importers that the rule is about
	except   []string // importers among them that may
	imports  []string // what they must not import
	why      string
}

var importRules = []rule{
	{[]string{"pail"}, []string{"pail/fs"}, []string{"github.com/hanwen/go-fuse"}, "go-fuse stays in the adapter"},
	{[]string{"pail/fs/"}, nil, []string{"github.com/hanwen/go-fuse", "syscall"}, "the filesystem's core speaks neither FUSE nor errno"},
	{[]string{"pail"}, []string{"pail/s3client/awss3", "pail/integration"}, []string{"github.com/aws"}, "the SDK stays in awss3"},
	{[]string{"pail"}, []string{"pail/server/internal/meta/pebbledb"}, []string{"github.com/cockroachdb/pebble"}, "pebble is one engine of meta"},
	{[]string{"pail"}, []string{"pail/server/internal/meta/pgdb"}, []string{"github.com/jackc"}, "pgx is one engine of meta"},
	{[]string{"pail/server"}, nil, []string{"pail/fs", "pail/s3client", "pail/cmd"}, "the server knows nothing of the mount"},
	{[]string{"pail/fs", "pail/s3client"}, nil, []string{"pail/server", "pail/cmd"}, "the mount knows nothing of the server"},
	{[]string{"pail/server/internal/store", "pail/server/internal/meta", "pail/server/internal/blob"}, nil, []string{"pail/server/internal/s3api", "net/http"}, "storage knows nothing of HTTP"},
	{[]string{"pail/fs/tree", "pail/fs/links", "pail/fs/keymap", "pail/fs/attr", "pail/fs/stage", "pail/fs/journal"}, nil, []string{"net/http", "pail/s3client/awss3"}, "pure packages use no network"},
	{[]string{"pail/s3client"}, []string{"pail/s3client/"}, []string{"net/http", "github.com/"}, "the interface is free of protocol"},
	{[]string{"pail/fs"}, nil, []string{"pail/s3client/awss3"}, "implementations are injected by cmd"},
}

// TestImports holds the one-way imports: cmd -> fs -> fs/* -> s3client, cmd -> server -> server/internal/*.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "pail/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, r := range importRules {
			r.check(t, pkg.ImportPath, pkg.Imports)
		}
	}
	if seen < 20 {
		t.Errorf("only %d packages seen", seen)
	}
}

func (r rule) check(t *testing.T, pkg string, imports []string) {
	if !within(pkg, r.packages) || within(pkg, r.except) {
		return
	}
	for _, path := range imports {
		if within(path, r.imports) {
			t.Errorf("%s imports %s: %s", pkg, path, r.why)
		}
	}
}

// within says whether path is one of the roots or below it; a root that ends in "/" means only what is below.
func within(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/") {
			return true
		}
	}
	return false
}
