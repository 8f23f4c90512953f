package attr_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/fs/attr"
	"pail/s3client"
)

func TestEncodeWritesS3fsBytes(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		what string
		a    attr.Attr
		keep s3client.Meta
		want s3client.Meta
	}{
		{"file", attr.Attr{Mode: 0o100644, UID: 1000, GID: 100, Mtime: at, Atime: at.Add(5), Ctime: at.Add(5e8)}, nil, s3client.Meta{
			"mode": "33188", "uid": "1000", "gid": "100", "mtime": "1700000000",
			"atime": "1700000000.000000005", "ctime": "1700000000.500000000"}},
		{"directory", attr.Attr{Mode: 0o040755, Mtime: at, Atime: at, Ctime: at}, nil, s3client.Meta{
			"mode": "16877", "uid": "0", "gid": "0", "mtime": "1700000000", "atime": "1700000000", "ctime": "1700000000"}},
		{"symlink, xattrs in byte order", attr.Attr{Mode: 0o120000, Mtime: at, Atime: at, Ctime: at,
			Xattrs: map[string][]byte{"user.b": []byte("\xff/ +"), "user.B c": nil, "user.a": []byte("1")}}, nil, s3client.Meta{
			"mode": "41471", "uid": "0", "gid": "0", "mtime": "1700000000", "atime": "1700000000", "ctime": "1700000000",
			"xattr": "%7B%22user.B%20c%22%3A%22%22%2C%22user.a%22%3A%22MQ%3D%3D%22%2C%22user.b%22%3A%22/y8gKw%3D%3D%22%7D"}},
		{"device; strangers' names survive, stale ones do not", attr.Attr{Mode: 0o020660, Rdev: 259, Mtime: at, Atime: at,
			Ctime: at, Xattrs: map[string][]byte{}},
			s3client.Meta{"s3cmd-attrs": "x", "mode": "1", "--symlink-target": "y"}, s3client.Meta{
				"mode": "8624", "uid": "0", "gid": "0", "mtime": "1700000000", "atime": "1700000000", "ctime": "1700000000",
				"rdev": "259", "s3cmd-attrs": "x", "xattr": "%7B%7D"}},
		{"AWS's and Google's names are refreshed", attr.Attr{Mode: 0o100600, UID: 1, GID: 2, Mtime: at.Add(7), Atime: at, Ctime: at},
			s3client.Meta{"file-permissions": "0100644", "file-mtime": "1", "goog-reserved-posix-mode": "644",
				"xattr": "%7B%7D", "rdev": "9"}, s3client.Meta{
				"mode": "33152", "uid": "1", "gid": "2", "mtime": "1700000000.000000007", "atime": "1700000000",
				"ctime": "1700000000", "file-permissions": "0100600", "file-mtime": "1700000000000000007ns",
				"goog-reserved-posix-mode": "600"}},
	} {
		before := maps.Clone(c.keep)
		if got := attr.Encode(c.a, c.keep); !maps.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.what, got, c.want)
		}
		if !maps.Equal(before, c.keep) {
			t.Errorf("%s: keep was changed to %v", c.what, c.keep)
		}
	}
}

func TestContentType(t *testing.T) {
	mime, err := attr.ParseMIME(strings.NewReader("# comment\ntext/html\thtml htm # more\nimage/jpeg JPG\nempty/type\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	const octets = "application/octet-stream"
	for _, c := range []struct {
		name string
		mode uint32
		want string
	}{
		{"a.html", attr.Regular, "text/html"},
		{"d.x/a.HTM", attr.Regular, "text/html"},
		{"a.jpg", attr.Regular, "image/jpeg"},
		{"a.html.bak", attr.Regular, "text/html"}, // the extension before the last
		{"a.b.html.bak", attr.Regular, "text/html"},
		{"a.html.b.bak", attr.Regular, octets},
		{"html.bak", attr.Regular, octets},
		{"x.html/bak", attr.Regular, octets},
		{"html", attr.Regular, octets},
		{"a.", attr.Regular, octets},
		{"", attr.Regular, octets},
		{"a.html", attr.Symlink, octets},
		{"a.html", attr.FIFO, octets},
		{"a.html", attr.Dir, "application/x-directory"},
	} {
		if got := attr.ContentType(c.name, c.mode|0o644, mime); got != c.want {
			t.Errorf("%q of mode %#o: %s, want %s", c.name, c.mode, got, c.want)
		}
	}
	if got := attr.ContentType("a.html", attr.Regular, nil); got != octets {
		t.Errorf("without a table: %s", got)
	}
	if got := attr.ContentType("a.html", attr.Regular, attr.DefaultMIME()); got != "text/html" {
		t.Errorf("with the built-in table: %s", got)
	}
}

func TestLoadMIME(t *testing.T) {
	path := filepath.Join(t.TempDir(), "types")
	if _, err := attr.LoadMIME(path); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("x/y z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := attr.LoadMIME(path); err != nil || attr.ContentType("a.z", attr.Regular, m) != "x/y" {
		t.Errorf("read file: %v", err)
	}
	if m, err := attr.LoadMIME(""); err != nil || m == nil {
		t.Errorf("the machine's file, or none: %v", err)
	}
}
