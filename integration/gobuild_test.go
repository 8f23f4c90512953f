package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
)

// TestProgramGoBuild compiles and links a module whose source, cache and temporary files are all on the mount. A second build
// finds everything in the cache, also after a remount.
func TestProgramGoBuild(t *testing.T) {
	inAllModes(t, func(t *testing.T, s *site) {
		s.mkdir("module")
		s.mkdir("tmp")
		writeFiles(t, s.Path("module"), map[string]string{
			"go.mod":       "module example.com/m\n\ngo 1.24\n",
			"a/a.go":       "package a\n\nconst Text = \"it works\"\n",
			"b/b.go":       "package b\n\nimport \"example.com/m/a\"\n\nfunc Say() { println(a.Text) }\n",
			"cmd/m/m.go":   "package main\n\nimport \"example.com/m/b\"\n\nfunc main() { b.Say() }\n",
			"cmd/m/doc.go": "// Command m says that it works.\npackage main\n",
		})
		build := func() (commands string) {
			t.Helper()
			c := harness.Command{Dir: s.Path("module"), Env: []string{
				"GOCACHE=" + s.Path("cache"), "GOTMPDIR=" + s.Path("tmp"), "GOFLAGS=", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0",
			}}
			_, commands, err := c.Try("go", "build", "-x", "-o", "m", "./cmd/m")
			if err != nil {
				t.Fatalf("go build: %v\n%s", err, commands)
			}
			if _, said, err := (harness.Command{}).Try(s.Path("module", "m")); said != "it works\n" || err != nil {
				t.Errorf("the program says %q, %v", said, err)
			}
			return commands
		}
		if commands := build(); !strings.Contains(commands, "/compile ") || !strings.Contains(commands, "/link ") {
			t.Errorf("the first build did not build:\n%s", commands)
		}
		for _, when := range []string{"the second build", "the build after a remount"} {
			if commands := build(); strings.Contains(commands, "/compile ") || strings.Contains(commands, "/link ") {
				t.Errorf("%s compiles or links again:\n%s", when, commands)
			}
			s.remount()
		}
		if left, _ := filepath.Glob(s.Path("tmp", "*")); len(left) > 0 {
			t.Errorf("go build left %v", left)
		}
	})
}
