package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// listModel lists as S3 describes it, from all keys in order.
func listModel(keys []string, q ListQuery) (objects, prefixes []string, truncated bool, next string) {
	seen := map[string]bool{}
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, q.Prefix)
		if !ok || k <= q.After {
			continue
		}
		common := ""
		if q.Delimiter != "" {
			if i := strings.Index(rest, q.Delimiter); i >= 0 {
				common = q.Prefix + rest[:i+len(q.Delimiter)]
			}
		}
		if common != "" && (seen[common] || common == q.After) {
			continue
		}
		if len(objects)+len(prefixes) == q.Max {
			return objects, prefixes, q.Max > 0, next
		}
		if common != "" {
			seen[common] = true
			prefixes = append(prefixes, common)
			next = common
		} else {
			objects = append(objects, k)
			next = k
		}
	}
	return objects, prefixes, false, ""
}

func objectKeys(list []Object) (keys []string) {
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	return keys
}

func (e *env) checkList(keys []string, q ListQuery) ListResult {
	e.t.Helper()
	page, err := e.ListObjects(ctx, "b", q)
	if err != nil {
		e.t.Fatal(err)
	}
	objects, prefixes, truncated, next := listModel(keys, q)
	if !slices.Equal(objectKeys(page.Objects), objects) || !slices.Equal(page.Prefixes, prefixes) ||
		page.Truncated != truncated || page.Next != next {
		e.t.Errorf("%+v gives %q %q %v %q, want %q %q %v %q", q, objectKeys(page.Objects), page.Prefixes, page.Truncated,
			page.Next, objects, prefixes, truncated, next)
	}
	for i, p := range page.Prefixes {
		if !q.Markers {
			break
		}
		if m := page.Markers[i]; (m != nil) != slices.Contains(keys, p) || m != nil && m.Key != p {
			e.t.Errorf("%+v: marker of %q is %+v", q, p, m)
		}
	}
	return page
}

func TestListings(t *testing.T) {
	keys := []string{"\x00", "\x00\xff", "a", "a\x00b", "a-", "a/", "a//", "a//b", "a/b", "a/b/c", "a/c", "a0", "b", "b/x", "b/y",
		"c", "ä", "\xff", "\xff\xff/x"}
	onEachEngine(t, func(t *testing.T, e *env) {
		for _, k := range keys {
			e.put(k, nil)
		}
		if _, err := e.PutObject(ctx, PutInput{Bucket: "c", Key: "a/other"}); err != nil {
			t.Fatal(err)
		}
		affixes := []string{"", "a", "a/", "a//", "a/b", "b/", "b/x", "b/xx", "c", "zz", "\xff", "\xff\xff\xff", "\x00"}
		for _, prefix := range affixes {
			for _, delimiter := range []string{"", "/", "//", "b", "\xff"} {
				for _, after := range affixes {
					for _, limit := range []int{0, 1, 2, 5, 1000} {
						e.checkList(keys, ListQuery{Prefix: prefix, Delimiter: delimiter, After: after, Max: limit, Markers: true})
					}
				}
			}
		}
		_, err := e.ListObjects(ctx, "b", ListQuery{Max: -1})
		wantErr(t, err, ErrInvalidArgument)
	})
}

func TestPagesMakeUpTheListing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		rnd := rand.New(rand.NewPCG(7, 8))
		var keys []string
		for range 150 {
			k := ""
			for range 1 + rnd.IntN(6) {
				k += string("ab/"[rnd.IntN(3)])
			}
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
				e.put(k, nil)
			}
		}
		slices.Sort(keys)
		for _, delimiter := range []string{"", "/", "a"} {
			for _, prefix := range []string{"", "a", "a/", "/"} {
				all := e.checkList(keys, ListQuery{Prefix: prefix, Delimiter: delimiter, Max: 1000})
				for _, limit := range []int{1, 2, 3, 7} {
					var objects, prefixes []string
					q := ListQuery{Prefix: prefix, Delimiter: delimiter, Max: limit}
					for {
						page := e.checkList(keys, q)
						objects = append(objects, objectKeys(page.Objects)...)
						prefixes = append(prefixes, page.Prefixes...)
						if !page.Truncated {
							break
						}
						q.After = page.Next
					}
					if !slices.Equal(objects, objectKeys(all.Objects)) || !slices.Equal(prefixes, all.Prefixes) {
						t.Errorf("prefix %q, delimiter %q: pages of %d do not make up the listing", prefix, delimiter, limit)
					}
				}
			}
		}
	})
}

func TestListUploads(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		var ids, want []string
		for i, key := range []string{"a", "a\x00", "a/x", "a/x", "a/y", "b", "b", "b/z"} {
			e.clock.Add(1)
			ids = append(ids, e.upload(key, "", ""))
			want = append(want, fmt.Sprintf("%q %s", key, ids[i]))
		}
		for _, limit := range []int{1, 2, 3, 100} {
			var got []string
			q := UploadsQuery{Max: limit}
			for {
				page, err := e.ListUploads(ctx, "b", q)
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range page.Uploads {
					got = append(got, fmt.Sprintf("%q %s", u.Key, u.ID))
				}
				if !page.Truncated {
					break
				}
				q.KeyMarker, q.UploadIDMarker = page.NextKeyMarker, page.NextUploadIDMarker
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d: %q, want %q", limit, got, want)
			}
		}
		for _, c := range []struct {
			q    UploadsQuery
			want string
		}{
			{UploadsQuery{Delimiter: "/", Max: 100}, "a a\x00 b b | a/ b/"},
			{UploadsQuery{Delimiter: "/", Prefix: "a/", Max: 100}, "a/x a/x a/y |"},
			{UploadsQuery{Delimiter: "/", KeyMarker: "a/", Max: 100}, "b b | b/"},
			{UploadsQuery{Delimiter: "/", KeyMarker: "a/x", Max: 100}, "b b | a/ b/"},
			{UploadsQuery{KeyMarker: "a/x", Max: 100}, "a/y b b b/z |"},
			{UploadsQuery{KeyMarker: "a/x", UploadIDMarker: ids[2], Max: 100}, "a/x a/y b b b/z |"},
			{UploadsQuery{KeyMarker: "b", UploadIDMarker: "nonsense", Max: 100}, "b/z |"},
			{UploadsQuery{Prefix: "b", KeyMarker: "a", Max: 1}, "b |"},
			{UploadsQuery{Max: 0}, " |"},
		} {
			page, err := e.ListUploads(ctx, "b", c.q)
			var list []string
			for _, u := range page.Uploads {
				list = append(list, u.Key)
			}
			got := strings.Join(list, " ") + " |"
			if len(page.Prefixes) > 0 {
				got += " " + strings.Join(page.Prefixes, " ")
			}
			if err != nil || got != c.want {
				t.Errorf("%+v: %q, %v, want %q", c.q, got, err, c.want)
			}
		}
		if err := e.DeleteBucket(ctx, "b"); err != nil {
			t.Errorf("uploads in progress keep a bucket alive: %v", err)
		}
	})
}
