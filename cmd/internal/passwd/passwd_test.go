package passwd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLinesAreReadAsS3fsReadsThem(t *testing.T) {
	for _, c := range []struct {
		what, text string
		want       []Entry
	}{
		{"nothing", "", nil},
		{"comments and empty lines", "# x y\n\n   \n\t# z\n", nil},
		{"default", "AK:SK", []Entry{{"", "AK", "SK"}}},
		{"trimmed, carriage returns", "  AK:SK \r\n", []Entry{{"", "AK", "SK"}}},
		{"bucket", "b:AK:SK\n", []Entry{{"b", "AK", "SK"}}},
		{"first and last colon", "b:A:K:SK\n", []Entry{{"b", "A:K", "SK"}}},
		{"both", "b:AK:SK\nAK2:SK2\n", []Entry{{"b", "AK", "SK"}, {"", "AK2", "SK2"}}},
		{"secret with an equals sign", "AK:S=K/+==\n", []Entry{{"", "AK", "S=K/+=="}}},
		{"pair", "AWSAccessKeyId=AK\nAWSSecretKey=S:K=\n", []Entry{{"", "AK", "S:K="}}},
		{"pair wins", "b:x:y\nAWSSecretKey=SK\nAWSAccessKeyId=AK\nx:y\n", []Entry{{"", "AK", "SK"}}},
		{"pair twice: the first", "AWSAccessKeyId=AK\nAWSSecretKey=SK\nAWSSecretKey=other\n", []Entry{{"", "AK", "SK"}}},
		{"unknown names", "region=here\nAK:SK\n", []Entry{{"", "AK", "SK"}}},
		{"as in the test bench", "accessKey1:verySecretKey1\n", []Entry{{"", "accessKey1", "verySecretKey1"}}},
	} {
		got, err := Parse(strings.NewReader(c.text))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d entries %v, %v", c.what, len(got), got, err)
		}
	}
}

func TestBadLinesAreNamedWithoutTheirText(t *testing.T) {
	const secret = "hushhush"
	for text, want := range map[string]string{
		"ok:fine\nAK: " + secret:            "line 2: there is a space or tab",
		"AK:\t" + secret:                    "line 1: there is a space or tab",
		"[default]":                         "line 1: \"[\" begins a section",
		secret:                              "line 1: there is no colon",
		":" + secret:                        "line 1: the access key is empty",
		"AK:":                               "line 1: the secret key is empty",
		"b:AK:":                             "line 1: the secret key is empty",
		"b::" + secret:                      "line 1: the access key is empty",
		":AK:" + secret:                     "line 1: the bucket's name",
		"A:" + secret + "\n\nB:" + secret:   "line 3: line 1 has default credentials already",
		"b:A:" + secret + "\nb:B:" + secret: "line 2: line 1 has credentials for the same bucket",
		"AWSAccessKeyId=" + secret:          "line 1: there is no line AWSSecretKey=",
		"x:y\nAWSSecretKey=" + secret:       "line 2: there is no line AWSAccessKeyId=",
		"AWSSecretKey=":                     "line 1: AWSSecretKey has no value",
		"A:\x00" + secret:                   "line 1: there is a NUL byte",
		"A:B\n" + strings.Repeat(secret, 10000) + "\n": "line 2: the line is too long",
	} {
		entries, err := Parse(strings.NewReader(text))
		var line *LineError
		if !errors.As(err, &line) || !strings.Contains(err.Error(), want) || entries != nil {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in %v", err)
		}
	}
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		path string
		mode fs.FileMode
		want string // part of the error; "" for none
	}{
		{"/x", 0o600, ""},
		{"/x", 0o400, ""},
		{"/x", 0o640, "its group has permissions on it (mode 0640): chmod 600 /x"},
		{"/x", 0o604, "other users have permissions on it (mode 0604): chmod 600 /x"},
		{"/x", 0o601, "other users"},
		{"/x", 0o610, "its group"},
		{"/x", 0o700, "it is executable (mode 0700): chmod 600 /x"},
		{"/etc/passwd-s3fs", 0o640, ""},
		{"/etc/passwd-pail", 0o640, ""},
		{"/etc/passwd-pail", 0o600, ""},
		{"/etc/passwd-s3fs", 0o660, "its group may write it (mode 0660): chmod 640 /etc/passwd-s3fs"},
		{"/etc/passwd-s3fs", 0o644, "other users have permissions on it (mode 0644): chmod 640"},
		{"/etc/passwd-pail", 0o650, "it is executable"},
		{"/etc/../etc/passwd-pail", 0o640, "its group has permissions"},
		{"/x", fs.ModeDir | 0o700, "is a directory"},
		{"/x", fs.ModeNamedPipe | 0o600, "is not a regular file"},
	} {
		err := checkMode(c.path, c.mode)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %q", c.path, c.mode, err, c.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatItMust(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	write(t, path, "A:B\n")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	var perm *PermError
	if _, err := Open(path); !errors.As(err, &perm) || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("open file: %v", err)
	}
	if err := CheckPerms(path); !errors.As(err, &perm) {
		t.Errorf("CheckPerms: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, path, "x\n")
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path+", line 1") {
		t.Errorf("bad line: %v", err)
	}
	if _, err := Open(filepath.Dir(path)); !errors.As(err, &perm) {
		t.Errorf("directory: %v", err)
	}
}

func TestBucketLineBeatsDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, "A:B\nb:C:D\n")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := f.Lookup("b"); !ok || e.AccessKey != "C" {
		t.Errorf("bucket: %v %v", e, ok)
	}
	if e, ok := f.Lookup("other"); !ok || e.AccessKey != "A" {
		t.Errorf("default: %v %v", e, ok)
	}
	if f.Path() != path || len(f.Entries()) != 2 {
		t.Error("path or entries")
	}
	write(t, path, "b:C:D2\n")
	if e, ok := f.Lookup("other"); ok {
		t.Errorf("no default line, but %v", e)
	}
}

func TestChangesAreSeenAndBadOnesReportedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, "A:old\n")
	var reports []string
	f, err := OpenFile(path, Options{OnError: func(err error) { reports = append(reports, err.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what, secret string, count int) {
		t.Helper()
		for range 2 {
			if e, ok := f.Lookup("b"); !ok || e.SecretKey != secret {
				t.Errorf("%s: found %v, secret right: %v", what, ok, e.SecretKey == secret)
			}
		}
		if len(reports) != count {
			t.Errorf("%s: reports %q, want %d", what, reports, count)
		}
	}
	expect("unchanged", "old", 0)
	write(t, path, "A:newer\n")
	expect("written", "newer", 0)
	write(t, path, "garbage\n")
	expect("malformed", "newer", 1)
	write(t, path, "A:third\n")
	expect("repaired", "third", 1)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	expect("opened to all", "third", 2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("removed", "third", 3)
	write(t, path, "A:fourth\n")
	expect("back", "fourth", 3)
	// Replaced by rename, with the same size and modification time.
	stamp := time.Unix(1700000000, 0)
	if err := os.Chtimes(path, stamp, stamp); err != nil {
		t.Fatal(err)
	}
	expect("touched", "fourth", 3)
	write(t, path+".new", "A:fifths\n")
	if err := os.Chtimes(path+".new", stamp, stamp); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	expect("renamed over", "fifths", 3)
}

func TestEntriesPrintWithoutSecret(t *testing.T) {
	e := Entry{"b", "AK", "hushhush"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "entry", e)
	text := fmt.Sprintf("%v %+v %#v %s %v %s", e, e, e, e, []Entry{e}, log.String())
	if strings.Contains(text, "hushhush") || !strings.Contains(text, "AK") {
		t.Errorf("printed: %s", text)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "A:B", "b:A:B\n#\n", "AWSAccessKeyId=A\nAWSSecretKey=B", "[x]", "a b", "::", "=:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := Parse(strings.NewReader(text))
		if err != nil && entries != nil {
			t.Fatal("entries with an error")
		}
		buckets := map[string]bool{}
		for _, e := range entries {
			if e.AccessKey == "" || e.SecretKey == "" || buckets[e.Bucket] {
				t.Fatalf("bad entry %v", e)
			}
			buckets[e.Bucket] = true
		}
	})
}
