package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestProgramGit clones a repository into the mount and works on it there, up to gc and a full repack. git finds nothing
// wrong, also after a remount.
func TestProgramGit(t *testing.T) {
	harness.NeedProgram(t, "/usr/bin/git", "git")
	source := t.TempDir()
	commits := harness.Scale(3, 60)
	origin := worktree{t, source}
	origin.git("init", "-q")
	for i := range commits {
		origin.commit(fmt.Sprintf("dir%d/file%d", i%3, i), string(load.RandomBytes(uint64(i), 20_000)))
	}
	inAllModes(t, func(t *testing.T, s *site) {
		harness.Command{}.Run(t, "/usr/bin/git", "clone", "-q", "--no-hardlinks", source, s.Path("clone"))
		w := worktree{t, s.Path("clone")}
		w.git("branch", "side")
		for i := range commits {
			w.commit(fmt.Sprint("main", i), strings.Repeat("main\n", i+1))
		}
		w.git("switch", "-q", "side")
		for i := range commits {
			w.commit(fmt.Sprint("side", i), strings.Repeat("side\n", i+1))
		}
		w.git("merge", "-q", "--no-edit", "-")
		w.git("gc", "-q")
		w.commit("after", "gc")
		w.git("repack", "-q", "-a", "-d", "-f")
		w.clean(3*commits + 2)
		s.remount()
		w = worktree{t, s.Path("clone")}
		w.clean(3*commits + 2)
		w.commit("later", "after the remount")
	})
}

// worktree is a directory where git works.
type worktree struct {
	t   *testing.T
	dir string
}

func (w worktree) git(args ...string) string {
	w.t.Helper()
	env := []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"}
	return harness.Command{Env: env, Dir: w.dir}.Run(w.t, "/usr/bin/git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
}

func (w worktree) commit(name, text string) {
	w.t.Helper()
	writeFiles(w.t, w.dir, map[string]string{name: text})
	w.git("add", name)
	w.git("commit", "-q", "-m", name)
}

// clean fails the test unless all commits and objects are there and whole, and the files as they were committed.
func (w worktree) clean(commits int) {
	w.t.Helper()
	if out := w.git("fsck", "--full", "--strict", "--no-dangling"); out != "" {
		w.t.Errorf("git fsck in %s: %s", filepath.Base(w.dir), out)
	}
	if out := w.git("status", "--porcelain"); out != "" {
		w.t.Errorf("git status: %s", out)
	}
	if got := strings.TrimSpace(w.git("rev-list", "--count", "HEAD")); got != fmt.Sprint(commits) {
		w.t.Errorf("%s commits, want %d", got, commits)
	}
}
