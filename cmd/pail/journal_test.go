package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"pail/fs/journal"
)

func TestOrderOfURLsDoesNotMatter(t *testing.T) {
	for options, owner := range map[string]string{
		"url=http://a":                   "http://a/bucket/",
		"url=http://a,http://b":          "http://a,http://b/bucket/",
		"url=http://b,http://a":          "http://a,http://b/bucket/",
		"url=http://b,http://a,http://b": "http://a,http://b/bucket/",
	} {
		m := mountOf(t, "-o", options).options
		if got := journalOwner(m); got != owner {
			t.Errorf("%s: the journal belongs to %q, want %q", options, got, owner)
		}
		if urls, ok := ownerURLs(m, owner); !ok || urls+"/bucket/" != owner {
			t.Errorf("%s: %q has the URLs %q, %v", options, owner, urls, ok)
		}
	}
}

// leave makes the journal of a mount, with a number of entries, and returns its directory.
func leave(t *testing.T, state, owner, name string, entries int) string {
	t.Helper()
	path := filepath.Join(state, "journal-"+name)
	dir, err := journal.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(dir, journal.Options{Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	for range entries {
		_, err := j.Put([]journal.Change{{ID: j.NewID(), Content: &journal.Content{}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestJournalUnderOtherURLs has journals beside that of a mount: some have files for its bucket.
func TestJournalUnderOtherURLs(t *testing.T) {
	state := t.TempDir()
	m := mountOf(t, "-o", "url=http://a,http://b").options
	own := leave(t, state, journalOwner(m), "own", 1)
	elsewhere := leave(t, t.TempDir(), "http://a/bucket/", "elsewhere", 3)
	_ = linkJournal(state, elsewhere, slog.New(slog.DiscardHandler))
	_ = linkJournal(state, filepath.Join(state, "gone"), slog.New(slog.DiscardHandler))
	first := leave(t, state, "http://a/bucket/", "first", 2)
	more := leave(t, state, "http://a,http://b,http://c/bucket/", "more", 1)
	leave(t, state, "http://c/bucket/", "sent", 0)
	leave(t, state, "http://a/bucket/prefix/", "prefix", 1)
	leave(t, state, "http://a/other/bucket/", "other", 1)
	used, err := journal.OpenDir(leave(t, state, "http://d/bucket/", "used", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	linkJournal(state, own, slog.New(slog.DiscardHandler))()
	var out bytes.Buffer
	for range 2 { // looking changes nothing
		out.Reset()
		warnOfOthers(m, state, own, slog.New(slog.NewTextHandler(&out, nil)))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("it says %q", lines)
	}
	for line, parts := range map[string][]string{
		lines[0]: {"files=3", "journal_dir=" + elsewhere, "url=http://a"},
		lines[1]: {"files=2", "journal_dir=" + first, "url=http://a"},
		lines[2]: {"files=1", "journal_dir=" + more, "url=http://a,http://b,http://c"},
	} {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				t.Errorf("%q does not say %s", line, part)
			}
		}
	}
	if links, _ := filepath.Glob(filepath.Join(state, "journal-dir-*")); len(links) != 1 {
		t.Errorf("links are %q", links)
	}
}
