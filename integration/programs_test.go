package integration

import (
	"os"
	"path/filepath"
	"testing"

	"pail/integration/harness"
)

// site is a place for programs to work in: a mount that can be taken away and made again.
type site struct {
	*harness.Mount
	t   *testing.T
	srv *harness.Server
	opt harness.MountOptions
	src string
}

// inAllModes runs a test on mounts side by side: where close() waits for the service, with a journal, and where what is known
// is asked for again, lease or not.
func inAllModes(t *testing.T, run func(t *testing.T, s *site)) {
	srv := harness.Service(t, harness.ServerOptions{HTTP: true})
	modes := closeModes(t)
	modes["asking"] = []string{"read_leases=0"}
	for mode, words := range modes {
		srv.Bucket(t, mode)
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := &site{t: t, srv: srv, opt: harness.MountOptions{Options: words}, src: mode}
			s.Mount = srv.Mount(t, s.src, s.opt)
			run(t, s)
		})
	}
}

// closeModes are the options of mounts whose close() waits for the service, and for the journal.
func closeModes(t *testing.T) map[string][]string {
	return map[string][]string{
		"default":   nil,
		"writeback": {"writeback", "journal_dir=" + filepath.Join(t.TempDir(), "journal")},
	}
}

// remount unmounts, which stores everything, and mounts again at the same place, where nothing but what is stored is then.
func (s *site) remount() {
	s.t.Helper()
	s.Unmount(s.t)
	s.opt.Dir = s.Dir
	s.Mount = s.srv.Mount(s.t, s.src, s.opt)
}

// mkdir makes a directory of the mount and returns its path.
func (s *site) mkdir(name string) string {
	s.t.Helper()
	if err := os.Mkdir(s.Path(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return s.Path(name)
}

// writeFiles writes the files of a map from name to text below dir.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
