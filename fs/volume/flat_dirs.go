package volume

import (
	"context"
	"sort"
	"strings"

	"pail/fs/tree"
)

// fillDirs completes what a listing told of directories, which is no more than their names, with their markers in a flat
// listing. It leaves those that it cannot tell of to others.
func (v *Volume) fillDirs(ctx context.Context, at string, items []dirItem) {
	var dirs []dirItem
	for _, it := range items {
		path := join(at, it.name)
		o, state, _ := v.names.Get(path)
		if state == tree.Present && o.dir && !v.complete(o) && (o.info.Key == "" || o.info.Key == v.keys.Dir(path)) {
			dirs = append(dirs, it)
		}
	}
	if len(dirs) < 2 || v.walks.isDeep(at) {
		return
	}
	v.beginFlat(at, join(at, dirs[0].name))
	known, first := 0, true // since a page was waited for; a page that tells of one directory is not worth it
	for _, it := range dirs {
		path := join(at, it.name)
		marker := v.keys.Dir(path)
		pages := v.heldFlat(path)
		if pages == nil && (first || known > 1) {
			pages = v.waitFlat(ctx, path)
			known, first = 0, false
		}
		if pages == nil {
			if known < 2 {
				v.walks.setDeep(at)
			}
			return
		}
		known++
		if o, ok := v.dirIn(pages, path, marker); ok {
			_, _, _ = v.learn(path, o, pages[0].stamp) // who asks for it looks into the cache
		}
	}
}

// dirIn returns the directory at a path, whose marker has a key, if the pages tell all of it, or that it has not changed.
func (v *Volume) dirIn(pages []flatPage, path, marker string) (object, bool) {
	for _, p := range pages {
		i := sort.Search(len(p.keys), func(i int) bool { return p.keys[i].Key >= marker })
		if i == len(p.keys) {
			continue
		}
		switch info := p.keys[i]; {
		case info.Key == marker:
			if known, _, _ := v.names.Get(path); known.dir && v.unchanged(path, known, info) {
				known.at = v.opt.Now()
				return known, true
			}
			o := v.newObject(info)
			return o, o.full && o.dir
		case strings.HasPrefix(info.Key, marker):
			return v.implicitDir(), true
		}
		break
	}
	return object{}, false
}

// isDeep reports whether the directories in one are too large to be read together.
func (w *walks) isDeep(dir string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.mu.dirs.Peek(dir)
	return !ok || d.deep
}

func (w *walks) setDeep(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, ok := w.mu.dirs.Peek(dir); ok {
		d.deep = true
	}
}
