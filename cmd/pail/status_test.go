package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pail/cmd/internal/daemon"
)

func TestStatusAsksTheMount(t *testing.T) {
	runs := t.TempDir()
	run, err := daemon.Begin(runs, "/nowhere/mnt", "bucket")
	if err != nil {
		t.Fatal(err)
	}
	report := mountReport{OpenFiles: 3, UnsentFiles: 2, UnsentBytes: 3 << 20, Recent: []recentLine{{time.Now(), "it went wrong"}}}
	if err := run.Answer(func() any { return report }); err != nil {
		t.Fatal(err)
	}
	if list, err := mountsIn(runs, "/elsewhere"); err != nil || len(list) != 0 {
		t.Errorf("elsewhere: %+v, %v", list, err)
	}
	list, err := mountsIn(runs, "")
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	// Nothing is mounted there, but the process runs: it is still sending.
	if s := list[0]; s.State != "ending" || s.Source != "bucket" || s.Report == nil || s.Report.UnsentFiles != 2 {
		t.Errorf("%+v", s)
	}
	var out bytes.Buffer
	if err := writeStatus(&out, true, list[0]); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"/nowhere/mnt", "2 of 3 open files, 3.0 MiB", "it went wrong"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("does not say %q:\n%s", part, &out)
		}
	}
	out.Reset()
	if err := writeStatusJSON(&out, true, list[0]); err != nil {
		t.Fatal(err)
	}
	var back mountStatus
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Report.UnsentBytes != 3<<20 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, &out)
	}
	if err := run.End(nil); err != nil {
		t.Fatal(err)
	}
	if list, err := mountsIn(runs, ""); err != nil || len(list) != 0 {
		t.Errorf("after its end: %+v, %v", list, err)
	}
}

func TestRecentLogKeepsTheLastWarnings(t *testing.T) {
	var recent recentLog
	var out bytes.Buffer
	log := slog.New(recentHandler{Handler: slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}), log: &recent}).With("instance", "x")
	log.Info("not worth it")
	for i := range 8 {
		log.Warn(fmt.Sprintf("warning %d", i), "error", errors.New("two\nlines"))
	}
	log.Error("an error")
	lines := recent.last()
	if len(lines) != recentLines || lines[0].Text != `warning 4 error="two\nlines"` || lines[4].Text != "an error" {
		t.Errorf("%+v", lines)
	}
	if got := out.String(); strings.Contains(got, "warning") || !strings.Contains(got, "an error") {
		t.Errorf("the log got %q", got)
	}
	slog.New(recentHandler{Handler: slog.NewTextHandler(io.Discard, nil), log: &recent}).Debug("x")
}
