package store

import (
	"errors"
	"strings"
	"testing"
)

func TestDeleteDirectory(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, c := range []struct {
			keys  string // one that ends in "=" has bytes, without that
			dir   string
			want  error
			after string
		}{
			{"a a/ a0 b", "a/", nil, "a a0 b"},
			{"a/ a/x", "a/", ErrDirectoryNotEmpty, "a/ a/x"},
			{"a/ a//", "a/", ErrDirectoryNotEmpty, "a/ a//"},
			{"a/x", "a/", ErrDirectoryNotEmpty, "a/x"},
			{"a/x/", "a/", ErrDirectoryNotEmpty, "a/x/"},
			{"a/= b", "a/", ErrDirectoryNotEmpty, "a/ b"},
			{"a a0 b", "a/", ErrNoSuchKey, "a a0 b"},
			{"", "a/", ErrNoSuchKey, ""},
			{"/ a", "/", nil, "a"},
			{"a", "a", ErrInvalidArgument, "a"},
			{"a", "", ErrInvalidArgument, "a"},
			{"a", strings.Repeat("x", MaxKeyLength) + "/", ErrKeyTooLong, "a"},
		} {
			for _, k := range strings.Fields(e.keys("b")) {
				e.delete(k)
			}
			for _, k := range strings.Fields(c.keys) {
				name, full := strings.CutSuffix(k, "=")
				e.put(name, data(map[bool]int{true: 10}[full], 1))
			}
			_, err := e.DeleteDirectory(ctx, "b", DeleteInput{Key: c.dir})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %s: %v, want %v", c.keys, c.dir, err, c.want)
			}
			if got := e.keys("b"); got != c.after {
				t.Errorf("%s: %s: left %s, want %s", c.keys, c.dir, got, c.after)
			}
			e.check()
		}
		_, err := e.DeleteDirectory(ctx, "none", DeleteInput{Key: "a/"})
		wantErr(t, err, ErrNoSuchBucket)
		e.put("a/", nil)
		_, err = e.DeleteDirectory(ctx, "b", DeleteInput{Key: "a/", Cond: Conditions{IfMatch: anything}})
		wantErr(t, err, ErrInvalidArgument)
	})
}

// What is deleted and what is still being uploaded is not in a directory's way.
func TestDeleteDirectoryOfDeletedObjects(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		e.put("a/", nil)
		e.put("a/x", data(10, 1))
		_, err := e.DeleteDirectory(ctx, "b", DeleteInput{Key: "a/"})
		wantErr(t, err, ErrDirectoryNotEmpty)
		e.delete("a/x")
		id := e.upload("a/u", "", "")
		res, err := e.DeleteDirectory(ctx, "b", DeleteInput{Key: "a/"})
		wantErr(t, err, nil)
		if !res.DeleteMarker || res.MarkerVersionID == "" {
			t.Errorf("%+v", res)
		}
		_, err = e.DeleteDirectory(ctx, "b", DeleteInput{Key: "a/"})
		wantErr(t, err, ErrNoSuchKey)
		if _, err = e.DeleteObject(ctx, "b", "a/", DeleteInput{VersionID: res.MarkerVersionID}); err != nil {
			t.Fatal(err)
		}
		e.complete("a/u", id, e.part("a/u", id, 1, data(10, 1)))
		_, err = e.DeleteDirectory(ctx, "b", DeleteInput{Key: "a/"})
		wantErr(t, err, ErrDirectoryNotEmpty)
	})
}
