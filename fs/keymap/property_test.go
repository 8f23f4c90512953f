package keymap_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pail/fs/keymap"
	"pail/s3client"
)

// pieces make names and elements that hit every rule.
var pieces = []string{
	"a", "b", "ab", ".", "..", "", "%", "%2E", "%00", "\x00", "\xff", "\xc3", "é", "\ue041", "\ue0e9", "\ue0ff", "\ued00",
	"~pail-raw", "~pail-file", "~pail-cont", "~pail-end", "~pail-", "_$folder$", "_\ue024folder$", "$", "\r", "\x01",
	strings.Repeat("x", 100), strings.Repeat("日", 40), strings.Repeat("\xfe", 90), strings.Repeat("%", 60),
	strings.Repeat("\x00", 70), "\xed\xa0\x80", "\xf0\x9f\x98\x80",
}

func element() *rapid.Generator[string] {
	composed := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "pieces"), "")
	})
	raw := rapid.Custom(func(t *rapid.T) string {
		return strings.ReplaceAll(string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")), "/", "")
	})
	return rapid.OneOf(composed, composed, raw)
}

// posixName is any name that a kernel lets through.
func posixName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := strings.ReplaceAll(element().Draw(t, "element"), "\x00", "")
		s = s[:min(len(s), keymap.MaxName)]
		if s == "" || s == "." || s == ".." {
			return "n" + s
		}
		return s
	})
}

func prefix() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"", "p/", "p/q/", "/", "p//"})
}

func reserved(name string) bool {
	for _, tag := range []string{"~pail-raw", "~pail-file", "~pail-cont", "~pail-end"} {
		if strings.HasSuffix(name, tag) {
			return true
		}
	}
	return false
}

func TestEveryKeyHasOnePathAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := keymap.New(prefix().Draw(t, "prefix"))
		key := m.Root() + strings.Join(rapid.SliceOfN(element(), 1, 4).Draw(t, "elements"), "/")
		if key == m.Root() {
			return
		}
		path, marker, ok := m.Path(key)
		if !ok {
			t.Fatalf("Path(%q) is not ok", key)
		}
		back := m.File(path)
		switch {
		case marker && strings.HasSuffix(key, "/"):
			back = m.Dir(path)
		case marker:
			back = m.FolderMarker(path)
		}
		if back != key {
			t.Fatalf("%q -> %q (marker %v) -> %q", key, path, marker, back)
		}
		for name := range strings.SplitSeq(path, "/") {
			if name == "" || name == "." || name == ".." || len(name) > keymap.MaxName || strings.Contains(name, "\x00") {
				t.Fatalf("%q -> %q has a name that no path can have", key, path)
			}
		}
	})
}

func TestEveryLegalPathHasOneKeyAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := keymap.New(prefix().Draw(t, "prefix"))
		names := rapid.SliceOfN(posixName(), 1, 4).Draw(t, "names")
		path := strings.Join(names, "/")
		plain := !slices.ContainsFunc(names, reserved)
		if len(m.File(path)) >= s3client.MaxKeyLength {
			return
		}
		if err := m.CheckDir(path); err == nil {
			if got, marker, ok := m.Path(m.Dir(path)); got != path || !marker || !ok {
				t.Fatalf("directory %q -> %q -> %q", path, m.Dir(path), got)
			}
		} else if plain {
			t.Fatal(err)
		}
		err := m.CheckFile(path)
		if _, alias := m.ClashAlias(path); err != nil || alias {
			if plain {
				t.Fatal(err, alias)
			}
			return
		}
		if got, marker, ok := m.Path(m.File(path)); got != path || marker || !ok {
			t.Fatalf("file %q -> %q -> %q %v %v", path, m.File(path), got, marker, ok)
		}
	})
}

// TestListingsNameEveryKeyOnce builds a bucket, walks it with pages of every size, and demands that the files found are
// exactly the keys that hold bytes, each under one path that leads back to it, with no name twice in a directory.
func TestListingsNameEveryKeyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := keymap.New(prefix().Draw(t, "prefix"))
		keys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return m.Root() + strings.Join(rapid.SliceOfN(element(), 1, 3).Draw(t, "elements"), "/")
		}), 0, 12).Draw(t, "keys")
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
		for _, k := range slices.Clone(keys) { // neighbours that clash
			if rapid.IntRange(0, 2).Draw(t, "clash") == 0 {
				keys = append(keys, k+"/", k+"/x", k+"_$folder$", k+"-", k+"~pail-file")
			}
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		found := map[string]string{}
		walk(t, m, keys, "", rapid.IntRange(1, 5).Draw(t, "page"), found)
		for _, k := range keys {
			if _, ok := found[k]; !ok {
				t.Fatalf("key %q is hidden; found %q", k, found)
			}
		}
		if len(found) != len(keys) {
			t.Fatalf("found %q among %q", found, keys)
		}
	})
}

func walk(t *rapid.T, m keymap.Map, keys []string, dir string, pageSize int, found map[string]string) {
	seen := map[string]bool{}
	for _, n := range list(m, keys, dir, pageSize) {
		if seen[n.Name] {
			t.Fatalf("%q has %q twice", dir, n.Name)
		}
		seen[n.Name] = true
		path := strings.TrimPrefix(dir+"/"+n.Name, "/")
		switch {
		case n.Synthetic != m.Synthetic(path):
			t.Fatalf("synthetic: %q", path)
		case n.Dir && !n.Synthetic && m.Dir(path) != n.Key:
			t.Fatalf("directory %q is %q, not %q", path, m.Dir(path), n.Key)
		case n.Dir:
			walk(t, m, keys, path, pageSize, found)
		case m.File(path) != n.Key:
			t.Fatalf("file %q is %q, not %q", path, m.File(path), n.Key)
		case found[n.Key] != "":
			t.Fatalf("key %q is both %q and %q", n.Key, found[n.Key], path)
		default:
			found[n.Key] = path
		}
	}
}

// list is S3's listing: objects of one byte.
func list(m keymap.Map, keys []string, dir string, pageSize int) []keymap.Name {
	prefix := m.Prefix(dir)
	var items []string
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			k = prefix + rest[:i+1]
			if slices.Contains(items, "P"+k) {
				continue
			}
			k = "P" + k
		} else {
			k = "O" + k
		}
		items = append(items, k)
	}
	l := m.List(dir)
	names := []keymap.Name{}
	for first := true; first || len(items) > 0; first = false {
		var p s3client.ListPage
		n := min(pageSize, len(items))
		for _, item := range items[:n] {
			if item[0] == 'P' {
				p.Prefixes = append(p.Prefixes, item[1:])
			} else {
				p.Objects = append(p.Objects, s3client.ObjectInfo{Key: item[1:], Size: 1})
			}
		}
		if items = items[n:]; len(items) > 0 {
			p.NextToken = "more"
		}
		names = append(names, l.Page(p)...)
	}
	return names
}

func FuzzPath(f *testing.F) {
	for _, key := range []string{"a", "a/", "a//b", "./..", "a_$folder$", "\xff", "\ue041", "x~pail-raw", long300, long300 + "/"} {
		f.Add("", key)
		f.Add("p/", "p/"+key)
	}
	f.Fuzz(func(t *testing.T, prefix, key string) {
		m := keymap.New(prefix)
		path, marker, ok := m.Path(key)
		if !ok || key == m.Root() {
			return
		}
		back := m.File(path)
		switch {
		case marker && strings.HasSuffix(key, "/"):
			back = m.Dir(path)
		case marker:
			back = m.FolderMarker(path)
		}
		if back != key {
			t.Fatalf("%q -> %q -> %q", key, path, back)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"", "a/b", "x~pail-raw", "x~pail-cont/y~pail-end", "a~pail-file", chained, "%2E~pail-raw"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		m := keymap.New("")
		if m.CheckDir(path) == nil {
			if got, _, _ := m.Path(m.Dir(path)); got != path {
				t.Fatalf("%q -> %q -> %q", path, m.Dir(path), got)
			}
		}
		m.Names(path, s3client.ListPage{Prefixes: []string{path + "/"}})
	})
}
