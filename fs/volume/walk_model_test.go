package volume_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pail/s3client/memclient"
)

// walker goes through a tree again and again, and changes it on the way.
type walker struct {
	*mount
	rt   *rapid.T
	tree map[string]int // the sizes of files, -1 of directories
}

func (w *walker) below(dir string) (names []string) {
	for path := range w.tree {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names
}

// path draws one that is there, of a directory or of a file; "" if there is none.
func (w *walker) path(dirs bool) string {
	var list []string
	for path, size := range w.tree {
		if path != "t" && (size < 0) == dirs {
			list = append(list, path)
		}
	}
	if slices.Sort(list); len(list) == 0 {
		return ""
	}
	return rapid.SampledFrom(list).Draw(w.rt, "path")
}

func (w *walker) change() {
	dirs := slices.Sorted(maps.Keys(w.tree))
	dirs = slices.DeleteFunc(dirs, func(path string) bool { return w.tree[path] >= 0 })
	dir := rapid.SampledFrom(dirs).Draw(w.rt, "dir")
	fresh := dir + "/" + rapid.StringMatching(`[a-c][0-4]`).Draw(w.rt, "name")
	_, taken := w.tree[fresh]
	switch op := rapid.IntRange(0, 6).Draw(w.rt, "op"); op {
	case 0, 1:
		if !taken {
			w.tree[fresh] = rapid.IntRange(0, 9).Draw(w.rt, "size")
			w.put(fresh, strings.Repeat("x", w.tree[fresh]))
		}
	case 2:
		if !taken {
			w.mkdir(fresh)
			w.tree[fresh] = -1
		}
	case 3:
		if file := w.path(false); file != "" {
			w.ok(w.unlink(file))
			delete(w.tree, file)
		}
	case 4:
		if file := w.path(false); file != "" && !taken {
			w.ok(w.rename(file, fresh))
			w.tree[fresh] = w.tree[file]
			delete(w.tree, file)
		}
	case 5:
		from := w.path(true)
		if from == "" || taken || strings.HasPrefix(fresh, from+"/") {
			return
		}
		w.ok(w.rename(from, fresh))
		for path, size := range maps.Clone(w.tree) {
			if rest, ok := strings.CutPrefix(path+"/", from+"/"); ok {
				delete(w.tree, path)
				w.tree[strings.TrimSuffix(fresh+"/"+rest, "/")] = size
			}
		}
	case 6:
		if dir := w.path(true); dir != "" && len(w.below(dir)) == 0 {
			w.ok(w.rmdir(dir))
			delete(w.tree, dir)
		}
	}
}

func (w *walker) walkAll(dir string) {
	names := w.list(dir)
	if want := w.below(dir); !slices.Equal(names, want) {
		w.rt.Fatalf("entries of %q: %q, want %q", dir, names, want)
	}
	for _, name := range names {
		path := dir + "/" + name
		if rapid.IntRange(0, 5).Draw(w.rt, "change") == 0 {
			w.change()
		}
		size, there := w.tree[path]
		switch {
		case !there:
		case size < 0:
			w.walkAll(path)
		default:
			if st := w.stat(path); int(st.Size) != size {
				w.rt.Fatalf("%q has %d bytes, want %d", path, st.Size, size)
			}
		}
	}
}

// However a mount changes a tree while it goes through it, each listing is right.
func TestWalksAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &walker{mount: newMount(rt, memclient.Full(), lazyUnlink), rt: rt, tree: map[string]int{"t": -1}}
		w.foreign("t/", "")
		for d := range 5 {
			dir := fmt.Sprintf("t/a%d", d)
			w.tree[dir] = -1
			w.foreign(dir+"/", "")
			for f := range 3 {
				file := fmt.Sprintf("%s/b%d", dir, f)
				w.tree[file] = 1
				w.foreign(file, "x")
			}
		}
		for range 3 {
			w.walkAll("t")
		}
		for range 10 {
			w.change()
		}
		w.walkAll("t")
	})
}
