package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type report struct{ Files int }

func TestRunAnswersItsUser(t *testing.T) {
	dir := t.TempDir()
	run, err := Begin(dir, "/mnt", "bucket")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	if err := run.Answer(func() any { files++; return report{files} }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(run.file.Name() + socketSuffix)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	list, err := All(dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d runs, %v", len(list), err)
	}
	w := list[0]
	defer w.Close()
	for want := 1; want <= 2; want++ {
		var got report
		if err := w.Ask(&got); err != nil || got.Files != want {
			t.Errorf("answer %+v, %v", got, err)
		}
	}
	status, err := w.Status()
	if err != nil || status.Name != "/mnt" || status.Source != "bucket" || status.PID != os.Getpid() || time.Since(status.Since) > time.Minute {
		t.Errorf("status %+v, %v", status, err)
	}
	if !w.Running() {
		t.Error("it does not run")
	}
	if err := run.End(errors.New("something")); err != nil {
		t.Fatal(err)
	}
	if w.Running() || w.Ask(&report{}) == nil {
		t.Error("it still runs")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestSocketsOfTheDeadAreCleared(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, hash("/mnt")+".1")
	for _, name := range []string{dead, dead + socketSuffix} {
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run, err := Begin(dir, "/mnt", "bucket")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.End(nil); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}
