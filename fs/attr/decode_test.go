package attr_test

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/fs/attr"
	"pail/s3client"
)

var (
	defaults = attr.Defaults{UID: 1000, GID: 1001, FileMode: 0o644, DirMode: 0o755}
	modified = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

func decode(key, contentType string, size int64, meta s3client.Meta) attr.Attr {
	return attr.Decode(s3client.ObjectInfo{
		Key: key, Size: size, LastModified: modified, Meta: meta, System: s3client.System{ContentType: contentType},
	}, defaults)
}

func TestModeIsReadInEveryKnownForm(t *testing.T) {
	for _, c := range []struct {
		what, key, contentType string
		size                   int64
		meta                   s3client.Meta
		want                   uint32
	}{
		{"nothing", "a", "", 1, nil, 0o100644},
		{"nothing, marker", "a/", "", 0, nil, 0o040755},
		{"nothing, old marker", "a_$folder$", "", 0, nil, 0o040755},
		{"a file with the old marker's name", "a_$folder$", "", 1, nil, 0o100644},
		{"s3fs's old directory", "a", "application/x-directory", 0, nil, 0o040755},
		{"Nextcloud's directory", "a", "httpd/unix-directory; charset=UTF-8", 0, nil, 0o040755},
		{"s3fs file", "a", "text/plain", 1, s3client.Meta{"mode": "33188"}, 0o100644},
		{"s3fs file without permissions", "a", "", 1, s3client.Meta{"mode": "32768"}, 0o100000},
		{"s3fs directory", "a/", "", 0, s3client.Meta{"mode": "16877"}, 0o040755},
		{"s3fs directory, no slash", "a", "", 0, s3client.Meta{"mode": "16877"}, 0o040755},
		{"s3fs sticky directory", "a/", "", 0, s3client.Meta{"mode": "17407"}, 0o041777},
		{"s3fs symlink", "a", "", 1, s3client.Meta{"mode": "41471"}, 0o120777},
		{"fifo", "a", "", 0, s3client.Meta{"mode": "4516"}, 0o010644},
		{"socket", "a", "", 0, s3client.Meta{"mode": "49645"}, 0o140755},
		{"rclone file", "a", "", 1, s3client.Meta{"mode": "100644"}, 0o100644},
		{"rclone executable", "a", "", 1, s3client.Meta{"mode": "100755"}, 0o100755},
		{"rclone setuid", "a", "", 1, s3client.Meta{"mode": "104755"}, 0o104755},
		{"rclone directory", "a/", "", 0, s3client.Meta{"mode": "40755"}, 0o040755},
		{"rclone sticky directory", "a/", "", 0, s3client.Meta{"mode": "41777"}, 0o041777},
		{"rclone setgid directory", "a", "", 0, s3client.Meta{"mode": "42755"}, 0o042755},
		{"rclone symlink", "a", "", 1, s3client.Meta{"mode": "120777"}, 0o120777},
		{"rclone socket", "a", "", 0, s3client.Meta{"mode": "140755"}, 0o140755},
		{"octal with zero", "a", "", 1, s3client.Meta{"mode": "0100600"}, 0o100600},
		{"octal permissions", "a", "", 1, s3client.Meta{"mode": "0600"}, 0o100600},
		{"octal directory with zero", "a", "", 1, s3client.Meta{"mode": "041777"}, 0o041777},
		{"hexadecimal", "a", "", 1, s3client.Meta{"mode": "0x81a4"}, 0o100644},
		{"permissions only", "a", "", 1, s3client.Meta{"mode": "420"}, 0o100644},
		{"permissions only, directory type", "a", "application/x-directory", 0, s3client.Meta{"mode": "493"}, 0o040755},
		{"no permissions at all", "a", "", 1, s3client.Meta{"mode": "0"}, 0o100400},
		{"no permissions at all, directory", "a/", "", 0, s3client.Meta{"mode": "0"}, 0o040500},
		{"marker that says it is a file", "a/", "", 0, s3client.Meta{"mode": "33188"}, 0o040644},
		{"s3sync", "a", "", 1, s3client.Meta{"permissions": "33184"}, 0o100640},
		{"AWS", "a", "", 1, s3client.Meta{"file-permissions": "0100664"}, 0o100664},
		{"AWS directory", "a/", "", 0, s3client.Meta{"file-permissions": "0040750"}, 0o040750},
		{"AWS, no type", "a", "", 1, s3client.Meta{"file-permissions": "0664"}, 0o100664},
		{"Google", "a", "", 1, s3client.Meta{"goog-reserved-posix-mode": "640"}, 0o100640},
		{"mode wins", "a", "", 1, s3client.Meta{"mode": "33188", "file-permissions": "0100600"}, 0o100644},
		{"unreadable mode, next name", "a", "", 1, s3client.Meta{"mode": "?", "file-permissions": "0100600"}, 0o100600},
		{"garbage", "a", "", 1, s3client.Meta{"mode": "rw-r--r--"}, 0o100644},
		{"negative", "a", "", 1, s3client.Meta{"mode": "-33188"}, 0o100644},
		{"overflow", "a", "", 1, s3client.Meta{"mode": "99999999999999999999"}, 0o100644},
		{"no such type", "a", "", 1, s3client.Meta{"mode": "36864"}, 0o100644},
		{"underscores", "a", "", 1, s3client.Meta{"mode": "33_188"}, 0o100644},
		{"geesefs symlink", "a", "", 0, s3client.Meta{"--symlink-target": "b%2Fc"}, 0o120777},
	} {
		if got := decode(c.key, c.contentType, c.size, c.meta).Mode; got != c.want {
			t.Errorf("%s: mode %#o, want %#o", c.what, got, c.want)
		}
	}
}

func TestOwnersAndDevices(t *testing.T) {
	for _, c := range []struct {
		meta     s3client.Meta
		uid, gid uint32
	}{
		{nil, 1000, 1001},
		{s3client.Meta{"uid": "0", "gid": "4294967294"}, 0, 4294967294},
		{s3client.Meta{"uid": "0x10", "gid": "010"}, 16, 8},
		{s3client.Meta{"owner": "7", "group": "8"}, 7, 8},
		{s3client.Meta{"file-owner": "6666", "file-group": "6667"}, 6666, 6667},
		{s3client.Meta{"goog-reserved-posix-uid": "5", "goog-reserved-posix-gid": "6"}, 5, 6},
		{s3client.Meta{"uid": "-1", "gid": "4294967295"}, 1000, 1001},
		{s3client.Meta{"uid": "root", "gid": "99999999999999999999"}, 1000, 1001},
		{s3client.Meta{"uid": "x", "file-owner": "3", "gid": ""}, 3, 1001},
	} {
		if a := decode("a", "", 1, c.meta); a.UID != c.uid || a.GID != c.gid {
			t.Errorf("%v: owner %d:%d, want %d:%d", c.meta, a.UID, a.GID, c.uid, c.gid)
		}
	}
	for _, c := range []struct {
		mode, rdev string
		want       uint64
	}{
		{"8624", "259", 259},  // 020660, pail
		{"20660", "103", 259}, // 020660, rclone
		{"33188", "259", 0},   // not a device
		{"8624", "x", 0},
	} {
		if got := decode("a", "", 0, s3client.Meta{"mode": c.mode, "rdev": c.rdev}).Rdev; got != c.want {
			t.Errorf("mode %s rdev %s: %d, want %d", c.mode, c.rdev, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	at := func(sec, nsec int64) time.Time { return time.Unix(sec, nsec) }
	for _, c := range []struct {
		meta                s3client.Meta
		mtime, atime, ctime time.Time
	}{
		{nil, modified, modified, modified},
		{s3client.Meta{"mtime": "1700000000", "atime": "1", "ctime": "2"}, at(1700000000, 0), at(1, 0), at(2, 0)},
		{s3client.Meta{"mtime": "1700000000.000000005"}, at(1700000000, 5), at(1700000000, 5), modified},
		{s3client.Meta{"mtime": "1700000000.5"}, at(1700000000, 5e8), at(1700000000, 5e8), modified}, // rclone
		{s3client.Meta{"mtime": "1700000000.1234567891"}, at(1700000000, 123456789), at(1700000000, 123456789), modified},
		{s3client.Meta{"mtime": "0"}, at(0, 0), at(0, 0), modified},
		{s3client.Meta{"mtime": "-2.500000000"}, at(-2, 5e8), at(-2, 5e8), modified},
		{s3client.Meta{"file-mtime": "1653421394000", "file-atime": "1653421394000000007ns"},
			at(1653421394, 0), at(1653421394, 7), modified},
		{s3client.Meta{"file-mtime": "1653421394001ms"}, at(1653421394, 1e6), at(1653421394, 1e6), modified},
		{s3client.Meta{"goog-reserved-file-mtime": "1700000001"}, at(1700000001, 0), at(1700000001, 0), modified},
		{s3client.Meta{"mtime": "yesterday", "atime": "1.x", "ctime": "99999999999999999999"}, modified, modified, modified},
		{s3client.Meta{"mtime": "", "atime": ".5", "ctime": "1e9"}, modified, modified, modified},
		{s3client.Meta{"mtime": "NaN", "file-mtime": "1653421394000"}, at(1653421394, 0), at(1653421394, 0), modified},
	} {
		a := decode("a", "", 1, c.meta)
		if !a.Mtime.Equal(c.mtime) || !a.Atime.Equal(c.atime) || !a.Ctime.Equal(c.ctime) {
			t.Errorf("%v: m %v a %v c %v", c.meta, a.Mtime, a.Atime, a.Ctime)
		}
	}
	if a := attr.Decode(s3client.ObjectInfo{Key: "a"}, defaults); a.Mtime.Unix() != 0 {
		t.Errorf("no Last-Modified: mtime %v", a.Mtime)
	}
}

func TestXattrsAreReadAsS3fsWritesThem(t *testing.T) {
	for _, c := range []struct {
		value string
		want  map[string]string // nil: none
	}{
		{"", nil},
		{"%7B%7D", map[string]string{}},
		{"%7B%22user.a%22%3A%22MQ%3D%3D%22%2C%22user.b%22%3A%22%22%7D", map[string]string{"user.a": "1", "user.b": ""}},
		{`{ "user.a" : "MQ" , "user.q\"\\\u0001\n" : "MTI=" }`, map[string]string{"user.a": "1", "user.q\"\\\x01\n": "12"}},
		{`{"user.bad":"***","user.a":"MQ=="}`, map[string]string{"user.a": "1"}},
		{`{"user.a":"MQ==","user.b":1}`, map[string]string{"user.a": "1"}},
		{`{"user.a":"MQ==`, map[string]string{}},
		{`{"user.a\`, map[string]string{}},
		{`{"user.a\u00`, map[string]string{}},
		{`{"":"MQ=="}`, map[string]string{}},
		{"%7", nil},
		{"[]", nil},
	} {
		got := decode("a", "", 1, s3client.Meta{"xattr": c.value}).Xattrs
		text := map[string]string{}
		for k, v := range got {
			text[k] = string(v)
		}
		if (got == nil) != (c.want == nil) || !maps.Equal(text, c.want) {
			t.Errorf("%q: %q, want %q", c.value, got, c.want)
		}
	}
}

func TestLinkTargetInMetadataOnlyForSymlinks(t *testing.T) {
	meta := s3client.Meta{"--symlink-target": "../x%20y"}
	if got := decode("a", "", 0, meta).LinkTarget; got != "../x y" {
		t.Errorf("target %q", got)
	}
	meta["mode"] = "33188"
	if a := decode("a", "", 0, meta); a.LinkTarget != "" || !attr.IsRegular(a.Mode) {
		t.Errorf("a file with mode %#o has target %q", a.Mode, a.LinkTarget)
	}
	for _, bad := range []string{"%zz", "a%00b"} {
		if a := decode("a", "", 0, s3client.Meta{"--symlink-target": bad}); attr.IsSymlink(a.Mode) {
			t.Errorf("target %q makes a symlink to %q", bad, a.LinkTarget)
		}
	}
}

func TestDecodeOfEncodeIsTheSame(t *testing.T) {
	types := []uint32{attr.Regular, attr.Dir, attr.FIFO, attr.Socket, attr.Char, attr.Block, attr.Symlink}
	times := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64().Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "nsec"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a := attr.Attr{
			Mode:  rapid.SampledFrom(types).Draw(t, "type") | rapid.Uint32Range(0, 0o7777).Draw(t, "perm"),
			UID:   rapid.Uint32Max(1<<32-2).Draw(t, "uid"),
			GID:   rapid.Uint32Max(1<<32-2).Draw(t, "gid"),
			Mtime: times.Draw(t, "mtime"), Atime: times.Draw(t, "atime"), Ctime: times.Draw(t, "ctime"),
		}
		if attr.IsSymlink(a.Mode) {
			a.Mode = attr.Symlink | 0o777
			a.LinkTarget = rapid.StringMatching(`[^\x00]*`).Draw(t, "target")
		}
		if attr.IsDevice(a.Mode) {
			a.Rdev = rapid.Uint64().Draw(t, "rdev")
		}
		if rapid.Bool().Draw(t, "xattrs") {
			a.Xattrs = map[string][]byte{}
			for _, name := range rapid.SliceOfN(rapid.SliceOfN(rapid.ByteMin(1), 1, 20), 0, 4).Draw(t, "names") {
				a.Xattrs[string(name)] = rapid.SliceOf(rapid.Byte()).Draw(t, "value")
			}
		}
		key := "k"
		if attr.IsDir(a.Mode) {
			key = rapid.SampledFrom([]string{"k", "k/"}).Draw(t, "key")
		}
		keep := s3client.Meta(rapid.MapOf(rapid.StringMatching("[a-z]{12}"), rapid.String()).Draw(t, "keep"))
		meta := attr.Encode(a, keep)
		got := attr.Decode(s3client.ObjectInfo{Key: key, Meta: meta, LastModified: modified}, defaults)
		same(t, got, a)
		for name, value := range keep {
			if meta[name] != value {
				t.Fatalf("%q = %q became %q", name, value, meta[name])
			}
		}
	})
}

func same(t *rapid.T, got, want attr.Attr) {
	if got.Mode != want.Mode || got.UID != want.UID || got.GID != want.GID || got.Rdev != want.Rdev ||
		!got.Mtime.Equal(want.Mtime) || !got.Atime.Equal(want.Atime) || !got.Ctime.Equal(want.Ctime) ||
		got.LinkTarget != want.LinkTarget || (got.Xattrs == nil) != (want.Xattrs == nil) ||
		!maps.EqualFunc(got.Xattrs, want.Xattrs, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("a", "text/plain", int64(1), "mode", "33188", "xattr", "%7B%22user.a%22%3A%22MQ%3D%3D%22%7D")
	f.Add("a/", "application/x-directory", int64(0), "mtime", "1.5", "atime", "-1")
	f.Add("a_$folder$", "", int64(-1), "file-mtime", "1ns", "--symlink-target", "%2F")
	f.Fuzz(func(t *testing.T, key, contentType string, size int64, n1, v1, n2, v2 string) {
		a := decode(key, contentType, size, s3client.Meta{n1: v1, n2: v2})
		switch a.Mode & attr.TypeMask {
		case attr.FIFO, attr.Char, attr.Dir, attr.Block, attr.Regular, attr.Symlink, attr.Socket:
		default:
			t.Fatalf("mode %#o has no type", a.Mode)
		}
		b := attr.Decode(s3client.ObjectInfo{Key: key, Size: size, Meta: attr.Encode(a, nil)}, defaults)
		if a.Mode != b.Mode || !a.Mtime.Equal(b.Mtime) || a.LinkTarget != b.LinkTarget || len(a.Xattrs) != len(b.Xattrs) {
			t.Fatalf("%+v became %+v", a, b)
		}
	})
}
