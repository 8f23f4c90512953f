package account

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const two = `{"accounts":[
 {"name":"alice","email":"Alice@example.org","shortid":"111122223333","canonicalID":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
  "quota":4096,"keys":[{"access":"A1","secret":"s1"},{"access":"A2","secret":"s2"}],"users":[{"name":"clerk","keys":[{"access":"A3","secret":"s3"}]}]},
 {"name":"bob","keys":[{"access":"B1","secret":"s4"}]}]}`

func TestAccounts(t *testing.T) {
	s, err := Parse(strings.NewReader(two))
	if err != nil {
		t.Fatal(err)
	}
	for access, want := range map[string]string{"A1": "arn:aws:iam::111122223333:root", "A3": "arn:aws:iam::111122223333:user/clerk"} {
		c, ok := s.Lookup(access)
		if !ok || c.ARN != want || c.Account != "alice" || c.AccountID != "111122223333" || len(c.CanonicalID) != 64 {
			t.Errorf("%s: %+v", access, c)
		}
	}
	bob, _ := s.Lookup("B1")
	again, _ := Parse(strings.NewReader(two))
	if other, _ := again.Lookup("B1"); bob != other || len(bob.AccountID) != 12 || len(bob.CanonicalID) != 64 {
		t.Errorf("derived ids: %v", bob)
	}
	if _, ok := s.Lookup("X"); ok {
		t.Error("a key that nobody has")
	}
	for _, id := range []string{"111122223333", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"} {
		if a, ok := s.ByID(id); !ok || a.Name != "alice" || a.Quota != 4096 {
			t.Errorf("%s: %v", id, a)
		}
	}
	if !s.HasUser("arn:aws:iam::111122223333:user/clerk") || s.HasUser("arn:aws:iam::111122223333:user/x") || s.HasUser("clerk") {
		t.Error("users by ARN")
	}
	if a, ok := s.ByEmail("alice@EXAMPLE.org"); !ok || a.Name != "alice" {
		t.Error("by email")
	}
	if _, ok := s.ByEmail(""); ok {
		t.Error("an account without email is found by it")
	}
}

func TestBadAccountsAreNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "invalid JSON"},
		{"{}", "no accounts"},
		{`{"accounts":[{"name":"a","key":[]}]}`, `unknown field "key"`},
		{`{"accounts":[{"name":1}]}`, "must not be a JSON number"},
		{`{"accounts":[{}]}`, "account 1 has no name"},
		{`{"accounts":[{"name":"a","shortid":"1"}]}`, `account "a": shortid`},
		{`{"accounts":[{"name":"a","canonicalID":"1"}]}`, "canonicalID"},
		{`{"accounts":[{"name":"a","email":"x"}]}`, "email"},
		{`{"accounts":[{"name":"a"},{"name":"a"}]}`, "twice"},
		{`{"accounts":[{"name":"a","quota":-1}]}`, `account "a": quota`},
		{`{"accounts":[{"name":"a","quota":"1G"}]}`, "must not be a JSON string"},
		{`{"accounts":[{"name":"a","shortid":"111122223333"},{"name":"b","shortid":"111122223333"}]}`, "another account has its shortid"},
		{`{"accounts":[{"name":"a","email":"x@y"},{"name":"b","email":"X@y"}]}`, "another account has its email"},
		{`{"accounts":[{"name":"a","keys":[{"access":"A"}]}]}`, "both access and secret"},
		{`{"accounts":[{"name":"a","keys":[{"access":"A","secret":"topsecret"}],"users":[{"name":"u","keys":[{"access":"A","secret":"topsecret"}]}]}]}`, `user "u": access key A is there twice`},
		{`{"accounts":[{"name":"a","users":[{"name":"u v"}]}]}`, "no name of a user"},
		{`{"accounts":[{"name":"a","arn":"arn:aws:iam::1:root"}]}`, "arn"},
		{two + two, "something follows"},
	} {
		_, err := Parse(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

// look makes the file's next use look for changes.
func (f *File) look() { f.file.Refresh() }

func TestChangesAreFollowedAndBadOnesAreNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	write := func(text string, mode fs.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(path, nil); err == nil {
		t.Error("a missing file is taken")
	}
	write(two, 0o644)
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("an open file: %v", err)
	}
	write(two, 0o600)
	var log bytes.Buffer
	f, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	known := func(access string) bool { f.look(); _, ok := f.Lookup(access); return ok }
	write("nonsense", 0o600)
	first, second := known("A1"), known("A1")
	if !first || !second || strings.Count(log.String(), "the old version stays valid") != 1 {
		t.Errorf("a bad version: %s", log.String())
	}
	write(strings.ReplaceAll(two, `"A1"`, `"A9"`), 0o644)
	if !known("A1") {
		t.Error("a version that others may read is taken")
	}
	write(strings.ReplaceAll(two, `"A1"`, `"A9"`), 0o600)
	if known("A1") || !known("A9") {
		t.Error("a good version is not taken")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !known("A9") {
		t.Error("a file that goes away takes its accounts along")
	}
	if a, ok := f.ByID("111122223333"); !ok || a.Name != "alice" {
		t.Error("by id")
	}
}

// FuzzParse: what is taken has accounts, and every credential belongs to one of them.
func FuzzParse(f *testing.F) {
	f.Add(two)
	f.Add(`{"accounts":[{"name":"a"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for access, c := range s.credentials {
			if a, ok := s.ByID(c.CanonicalID); !ok || a.ID != c.AccountID || c.AccessKey != access || c.SecretKey == "" {
				t.Fatalf("%v", c)
			}
		}
	})
}
