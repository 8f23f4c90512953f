package keymap_test

import (
	"errors"
	"strings"
	"testing"

	"pail/fs/keymap"
)

var long300 = strings.Repeat("0123456789", 30)

// chained is the path of the element long300.
var chained = long300[:200] + "~pail-cont/" + long300[200:] + "~pail-end"

func TestPathAndKeyGoBothWays(t *testing.T) {
	for _, c := range []struct{ prefix, path, file string }{
		{"", "a", "a"},
		{"", "a/b c/d.txt", "a/b c/d.txt"},
		{"p/q/", "a", "p/q/a"},
		{"p/q", "a/b", "p/q/a/b"},
		{"", "é/日本", "é/日本"},
		{"", "\xff.txt", "\ue0ff.txt"},                  // as s3fs's use_wtf8
		{"", "\ue041", "\ue0ee\ue081\ue081"},            // a private rune that is really in the name
		{"", "caf\xe9/\xc3", "caf\ue0e9/\ue0c3"},        // Latin-1; half a sequence
		{"", "\xed\xa0\x80", "\ue0ed\ue0a0\ue080"},      // a surrogate
		{"", "a\x01\r\n\x7f", "a\x01\r\n\x7f"},          // control characters pass
		{"", "x_$folder$", "x_\ue024folder$"},           // a real name with the suffix of a marker
		{"", "_$folder$", "_\ue024folder$"},             //
		{"", "%2E~pail-raw/x", "./x"},                   //
		{"", "a/%2E.~pail-raw", "a/.."},                 //
		{"", "a/~pail-raw/b", "a//b"},                   //
		{"", "~pail-raw/b", "/b"},                       //
		{"p/", "~pail-raw/b", "p//b"},                   //
		{"", "a%00b~pail-raw", "a\x00b"},                //
		{"", "x~pail-raw~pail-raw", "x~pail-raw"},       // real names that look like aliases
		{"", "x~pail-file~pail-raw", "x~pail-file"},     //
		{"", "%252E~pail-raw~pail-raw", "%2E~pail-raw"}, //
		{"", "\ue041~pail-raw", "\ue041"},               // the form of a byte that needs none
		{"", "\xff~pail-raw", "\xff"},                   // a key that is not UTF-8
		{"", "x~pail-other", "x~pail-other"},            //
		{"", "~pail-raw~", "~pail-raw~"},                //
		{"", chained, long300},                          //
		{"", chained + "/x", long300 + "/x"},            //
		{"", long300[:255], long300[:255]},              // the longest plain name
		{"", "%2E~pail-raw/%2E~pail-raw", "./."},        //
		{"", "a b+c%20&=?#\\:*", "a b+c%20&=?#\\:*"},    //
		{"", ".hidden/..x/...", ".hidden/..x/..."},      //
		{"", "dir_$folder$x/_$folder", "dir_$folder$x/_$folder"},
	} {
		m := keymap.New(c.prefix)
		if got := m.File(c.path); got != c.file {
			t.Errorf("File(%q) = %q, want %q", c.path, got, c.file)
		}
		if got := m.Dir(c.path); got != c.file+"/" {
			t.Errorf("Dir(%q) = %q, want %q", c.path, got, c.file+"/")
		}
		if got := m.Prefix(c.path); got != c.file+"/" {
			t.Errorf("Prefix(%q) = %q, want %q", c.path, got, c.file+"/")
		}
		for _, key := range []string{c.file, c.file + "/", c.file + keymap.FolderSuffix} {
			path, marker, ok := m.Path(key)
			if path != c.path || marker != (key != c.file) || !ok {
				t.Errorf("Path(%q) = %q, %v, %v; want %q", key, path, marker, ok, c.path)
			}
		}
		if err := errors.Join(m.CheckFile(c.path), m.CheckDir(c.path)); err != nil {
			t.Errorf("legal path refused: %v", err)
		}
	}
}

func TestRoot(t *testing.T) {
	for _, c := range []struct{ prefix, root, marker string }{{"", "", "/"}, {"p/", "p/", "p/"}, {"p", "p/", "p/"}} {
		m := keymap.New(c.prefix)
		if m.Root() != c.root || m.Dir("") != c.root || m.Prefix("") != c.root || m.RootMarker() != c.marker {
			t.Errorf("prefix %q: %q %q %q %q", c.prefix, m.Root(), m.Dir(""), m.Prefix(""), m.RootMarker())
		}
	}
	if path, marker, ok := keymap.New("p/").Path("p/"); path != "" || !marker || !ok {
		t.Errorf("the root's marker: %q %v %v", path, marker, ok)
	}
	for _, key := range []string{"", "p", "q/x"} {
		if path, _, ok := keymap.New("p/").Path(key); ok {
			t.Errorf("key %q outside of the prefix has path %q", key, path)
		}
	}
	if _, _, ok := keymap.New("").Path(""); ok {
		t.Error("the empty key has a path")
	}
	var zero keymap.Map
	if zero.File("a") != "a" {
		t.Error("the zero Map is not a whole bucket")
	}
}

func TestPathsWithoutKeyAreRefused(t *testing.T) {
	m := keymap.New("")
	for _, c := range []struct {
		path      string
		file, dir error
	}{
		{"a/../b", keymap.ErrName, keymap.ErrName},
		{".", keymap.ErrName, keymap.ErrName},
		{"a//b", keymap.ErrName, keymap.ErrName},
		{"", keymap.ErrName, keymap.ErrName},
		{"a\x00", keymap.ErrName, keymap.ErrName},
		{long300, keymap.ErrName, keymap.ErrName},
		{"x~pail-raw", keymap.ErrReserved, keymap.ErrReserved},
		{"a/~pail-raw", keymap.ErrReserved, nil}, // the file would be the marker a/; the directory is a//
		{"a_$folder$~pail-raw", keymap.ErrReserved, nil},
		{"~pail-raw", keymap.ErrReserved, nil},
		{"x~pail-end", keymap.ErrReserved, keymap.ErrReserved},
		{"x~pail-cont", keymap.ErrReserved, keymap.ErrReserved},
		{"x~pail-cont/y", keymap.ErrReserved, keymap.ErrReserved},
		{"x~pail-cont/y~pail-end", keymap.ErrReserved, keymap.ErrReserved},
		{long300[:200] + "~pail-cont", keymap.ErrReserved, keymap.ErrReserved},
		{long300[:200] + "~pail-cont/y", keymap.ErrReserved, keymap.ErrReserved},
		{"x~pail-file", nil, keymap.ErrReserved},
		{"x~pail-file/y", keymap.ErrReserved, keymap.ErrReserved},
		{"~pail-file", keymap.ErrReserved, keymap.ErrReserved},
		{"%41~pail-raw", keymap.ErrReserved, keymap.ErrReserved},
		{strings.Repeat("a/", 512) + "b", keymap.ErrTooLong, keymap.ErrTooLong},
		{strings.Repeat("a/", 511) + "bb", nil, keymap.ErrTooLong},
		{strings.Repeat(strings.Repeat("\xff", 200)+"/", 2), keymap.ErrName, keymap.ErrName},
		{strings.Repeat("\xff", 255) + "/" + strings.Repeat("\xff", 255), keymap.ErrTooLong, keymap.ErrTooLong},
	} {
		if err := m.CheckFile(c.path); !errors.Is(err, c.file) {
			t.Errorf("CheckFile(%q) = %v, want %v", c.path, err, c.file)
		}
		if err := m.CheckDir(c.path); !errors.Is(err, c.dir) {
			t.Errorf("CheckDir(%q) = %v, want %v", c.path, err, c.dir)
		}
		var pathErr *keymap.PathError
		if err := m.CheckFile(c.path); err != nil && (!errors.As(err, &pathErr) || pathErr.Path != c.path) {
			t.Errorf("%v is not a PathError of %q", err, c.path)
		}
	}
}

func TestIllegalPathsHaveKeysWhereNothingLives(t *testing.T) {
	m := keymap.New("")
	for _, path := range []string{"x~pail-raw", "x~pail-cont/y", long300[:200] + "~pail-cont/y", "~pail-raw"} {
		if got, _, _ := m.Path(m.File(path)); got == path || m.File(path) == "" {
			t.Errorf("File(%q) = %q is a key of its own", path, m.File(path))
		}
	}
}

func TestAliasesThatOnlyListingsGive(t *testing.T) {
	m := keymap.New("")
	if dir, ok := m.ClashAlias("d/a~pail-file"); dir != "d/a" || !ok || m.File("d/a~pail-file") != "d/a" {
		t.Errorf("ClashAlias: %q %v, key %q", dir, ok, m.File("d/a~pail-file"))
	}
	if dir, ok := m.ClashAlias("%2E~pail-raw~pail-file"); dir != "%2E~pail-raw" || !ok {
		t.Errorf("ClashAlias of an alias: %q %v", dir, ok)
	}
	for _, path := range []string{"a", "x~pail-raw~pail-raw", "x~pail-raw~pail-file", ""} {
		if dir, ok := m.ClashAlias(path); ok {
			t.Errorf("ClashAlias(%q) = %q", path, dir)
		}
	}
	for path, want := range map[string]string{"a/~pail-raw": "a", "a_$folder$~pail-raw": "a"} {
		if dir, ok := m.MarkerContent(path); dir != want || !ok {
			t.Errorf("MarkerContent(%q) = %q %v", path, dir, ok)
		}
	}
	for _, path := range []string{"a", "a~pail-file", "%2E~pail-raw", ""} {
		if dir, ok := m.MarkerContent(path); ok {
			t.Errorf("MarkerContent(%q) = %q", path, dir)
		}
	}
	if m.File("a/~pail-raw") != "a/" || m.File("a_$folder$~pail-raw") != "a_$folder$" {
		t.Error("content of a marker has another key")
	}
	if m.FolderMarker("d/a") != "d/a_$folder$" || m.FolderMarker("") != "" || m.FolderMarker("~pail-raw") != "" {
		t.Error("FolderMarker")
	}
}

func TestSyntheticDirectories(t *testing.T) {
	m := keymap.New("p/")
	dir := "d/" + long300[:200] + "~pail-cont"
	if !m.Synthetic(dir) || m.Prefix(dir) != "p/d/"+long300[:200] || m.Dir(dir) != "p/"+dir+"/" {
		t.Errorf("Synthetic %v Prefix %q Dir %q", m.Synthetic(dir), m.Prefix(dir), m.Dir(dir))
	}
	for _, path := range []string{"", "d", "x~pail-cont", chained, long300[:199] + "x~pail-cont/y"} {
		if m.Synthetic(path) {
			t.Errorf("Synthetic(%q)", path)
		}
	}
}
