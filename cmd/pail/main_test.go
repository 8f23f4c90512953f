package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// same reports whether two commands are one function.
func same(a, b command) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

func TestDispatch(t *testing.T) {
	for _, test := range []struct {
		line string
		want command
		rest string
	}{
		{"pail mount b /m -f", mountBucket, "b /m -f"},
		{"pail umount /m", umount, "/m"},
		{"pail status /m --json", status, "/m --json"},
		{"pail mount status /m", mountBucket, "status /m"},
		{"pail serve --dir d", serve, "--dir d"},
		{"pail version", printVersion, ""},
		{"pail --version", printVersion, ""},
		{"pail help mount", help, "mount"},
		{"pail", usage, ""},
		{"pail bucket:/prefix /m -o ro", mountBucket, "bucket:/prefix /m -o ro"},
		{"pail -o ro bucket /m", mountBucket, "-o ro bucket /m"},
		{"pail mount mount /m", mountBucket, "mount /m"},
		{"mount.pail b /m -o rw", mountHelper, "b /m -o rw"},
		{"mount.fuse.pail b /m -o rw", mountHelper, "b /m -o rw"},
		{"mount.fuse.s3fs b /m", mountHelper, "b /m"},
		{"mount.s3fs b /m", mountHelper, "b /m"},
		{"s3fs b /m -o rw,dev,suid", mountAsS3fs, "b /m -o rw,dev,suid"},
		{"s3fs mount /m", mountAsS3fs, "mount /m"}, // a bucket of that name
	} {
		words := strings.Fields(test.line)
		got, rest := dispatch(words[0], words[1:])
		if !same(got, test.want) || strings.Join(rest, " ") != test.rest {
			t.Errorf("%s: wrong command, or rest %q", test.line, rest)
		}
	}
}

// call runs a command line that ends by itself.
func call(t *testing.T, words ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = run(words, func(string) string { return "" }, &out, &errs)
	return exit, out.String(), errs.String()
}

func TestAnswersOfOneLine(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		words []string
		exit  int
		out   string // part of stdout
		err   string // part of the one line on stderr
	}{
		{[]string{"pail", "version"}, 0, "pail ", ""},
		{[]string{"/usr/bin/s3fs", "--version"}, 0, "Amazon Simple Storage Service File System V1.", ""},
		{[]string{"pail", "help"}, 0, "pail mount BUCKET", ""},
		{[]string{"pail", "help", "mount"}, 0, "passwd_file", ""},
		{[]string{"pail", "help", "umount"}, 0, "pail umount MOUNTPOINT", ""},
		{[]string{"pail", "help", "--man"}, 0, ".TH PAIL 1", ""},
		{[]string{"pail", "help", "--man"}, 0, "\\-\\-listen", ""},
		{[]string{"pail", "help", "--completion"}, 0, "complete -F _pail pail", ""},
		{[]string{"pail", "help", "--completion"}, 0, "--tls-self-signed", ""},
		{[]string{"pail", "help", "nothing"}, 1, "", "nothing"},
		{[]string{"pail", "help", "status"}, 0, "pail status [MOUNTPOINT]", ""},
		{[]string{"pail", "status", dir}, 1, "", dir + " is no mount"},
		{[]string{"pail", "status", "a", "b"}, 1, "", "one mountpoint"},
		{[]string{"pail", "status", "--yaml"}, 1, "", "one mountpoint"},
		{[]string{"pail", "umount"}, 1, "", "one mountpoint"},
		{[]string{"pail", "umount", "-x"}, 1, "", "one mountpoint"},
		{[]string{"pail", "umount", dir}, 1, "", dir + " is not mounted"},
		{[]string{"pail", "umount", "/proc"}, 1, "", "type proc, not pail's"},
		{[]string{"pail", "mount"}, 1, "", "bucket and mountpoint are missing"},
		{[]string{"pail", "mount", "bucket"}, 1, "", `"bucket"`},
		{[]string{"pail", "mount", "bucket", dir, "-o", "multipart_sise=1"}, 1, "", "multipart_size"},
		{[]string{"pail", "mount", "bucket:prefix", dir}, 1, "", "bucket:prefix"},
		{[]string{"mount.pail", "bucket", dir, "-o", "rw,nonsens"}, 1, "", "nonsens"},
		{[]string{"pail", "mount", "-f", "bucket", filepath.Join(dir, "none")}, 1, "", "mkdir"},
		{[]string{"pail", "mount", "--json", "bucket", dir}, 1, "", "--json"},
	} {
		exit, out, errs := call(t, test.words...)
		if exit != test.exit || !strings.Contains(out, test.out) || !strings.Contains(errs, test.err) {
			t.Errorf("%v: exit %d\n%s%s", test.words, exit, out, errs)
		}
		if test.err != "" && (strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "pail: ")) {
			t.Errorf("%v: not one line: %s", test.words, errs)
		}
	}
}

func TestNoArgumentsShowTheCommands(t *testing.T) {
	exit, _, errs := call(t, "pail")
	if exit != 1 || !strings.Contains(errs, "pail umount") {
		t.Errorf("exit %d: %s", exit, errs)
	}
}

func TestPreflightBeforeTheFirstRequest(t *testing.T) {
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("key:secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options string
		say     []string
	}{
		"open passwd file":    {"passwd_file=" + open, []string{open, "chmod 600"}},
		"missing passwd file": {"passwd_file=" + dir + "/none", []string{dir + "/none"}},
		"missing CA":          {"public_bucket=1,ca_bundle=" + dir + "/ca", []string{dir + "/ca"}},
		"log file":            {"public_bucket=1,logfile=" + dir + "/none/log", []string{dir + "/none/log"}},
	} {
		t.Run(name, func(t *testing.T) {
			exit, out, errs := call(t, "pail", "mount", "-f", "bucket", mnt, "-o", "use_path_request_style,url=https://127.0.0.1:1,"+test.options)
			if exit != 1 || out != "" || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit %d: %s%s", exit, out, errs)
			}
			for _, part := range test.say {
				if !strings.Contains(errs, part) {
					t.Errorf("does not say %q: %s", part, errs)
				}
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\nb\r\nc"); got != "a; b; c" {
		t.Errorf("%q", got)
	}
}
