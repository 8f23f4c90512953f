package volume

import (
	"context"
	"slices"

	"pail/fs/keymap"
	"pail/fs/tree"
	"pail/s3client"
)

// listing reads a directory page by page, and tells the cache of names what it brings. It is for one goroutine.
type listing struct {
	v     *Volume
	at    string
	names *keymap.Lister
	moved []*keymap.Lister // of its former names, if it was renamed meanwhile
	token string
	begun tree.Stamp // when the first page was asked for
	stamp tree.Stamp // when the page before the last was asked for

	presence bool // that a name is not listed tells nothing
}

// dirItem is an entry with what the listing told of it.
type dirItem struct {
	name  string
	obj   object
	stamp tree.Stamp
	fixed uint32 // type of "." and "..", and of files that are not stored
	ino   uint64
	held  *Inode // of a file that was not stored: it stays in the table, also when it is stored meanwhile
}

type pageResult struct {
	page  s3client.ListPage
	stamp tree.Stamp
	err   error
}

// beginListing prepares the listing of the directory at a path.
func (v *Volume) beginListing(at string) *listing {
	s := v.names.BeginListing(at)
	return &listing{v: v, at: at, names: v.keys.List(at), begun: s, stamp: s}
}

// movedTo goes on with a directory that was renamed: from the beginning, without what was put out.
func (l *listing) movedTo(at string) *listing {
	again := l.v.beginListing(at)
	again.moved = append(l.moved, l.names)
	return again
}

// query is what the next page is asked for with.
func (l *listing) query() s3client.ListQuery {
	return s3client.ListQuery{
		Prefix: l.v.keys.Prefix(l.at), Delimiter: "/", Token: l.token, WithMeta: l.v.caps.ListMetadata,
	}
}

// page asks for a page.
func (v *Volume) page(ctx context.Context, q s3client.ListQuery) pageResult {
	s := v.names.Begin()
	page, err := v.client.List(ctx, q)
	if err == nil {
		err = v.hideRootMarker(ctx, &page)
	}
	return pageResult{page, s, err}
}

// hideRootMarker takes the root's own marker out of a listing, where it looks like a directory without a name. There may
// be one all the same.
func (v *Volume) hideRootMarker(ctx context.Context, page *s3client.ListPage) error {
	i := slices.Index(page.Prefixes, v.keys.RootMarker())
	if i < 0 {
		return nil
	}
	below, err := v.client.List(ctx, s3client.ListQuery{Prefix: v.keys.RootMarker(), MaxKeys: 2})
	if err == nil && len(below.Objects) < 2 {
		page.Prefixes = slices.Delete(slices.Clone(page.Prefixes), i, i+1)
		if page.Markers != nil {
			page.Markers = slices.Delete(slices.Clone(page.Markers), i, i+1)
		}
	}
	return err
}

// take turns the next page into entries and tells the cache. more is false after the last page.
func (l *listing) take(got pageResult) (items []dirItem, more bool) {
	// An entry may have been held back from the page before.
	stamp := l.stamp
	l.stamp = got.stamp
	if stamp == l.begun {
		stamp = got.stamp
	}
	names := l.names.Page(got.page)
	items = make([]dirItem, 0, len(names))
	for i := range names {
		path := join(l.at, names[i].Name)
		o := l.v.listed(path, &names[i])
		l.v.names.Put(path, o, stamp)
		if !slices.ContainsFunc(l.moved, func(old *keymap.Lister) bool { return old.Passed(names[i], l.names) }) {
			items = append(items, dirItem{name: names[i].Name, obj: o, stamp: stamp})
		}
	}
	l.token = got.page.NextToken
	if l.token == "" && !l.presence {
		asOf := l.begun
		if got.stamp.Before(asOf) { // it was asked for ahead
			asOf = got.stamp
		}
		l.v.names.EndListing(l.at, l.begun, asOf)
	}
	return items, l.token != ""
}

// listed returns what a listing tells of a name, completed with what is known from before of the same version.
func (v *Volume) listed(path string, name *keymap.Name) object {
	known, _, _ := v.names.Get(path)
	if name.Synthetic {
		return v.implicitDir()
	}
	if name.Info == nil { // a directory
		if name.Bare {
			return v.implicitDir()
		}
		if known.full && known.dir && !v.outlives(path) {
			return known
		}
		return object{dir: true}
	}
	if known.dir == name.Dir && v.unchanged(path, known, *name.Info) {
		known.info.LastModified = name.Info.LastModified
		if name.Dir { // no other listing tells of its attributes
			known.at = v.opt.Now()
		}
		return known
	}
	o := v.newObject(*name.Info)
	switch _, view := v.keys.MarkerContent(path); {
	case name.Dir:
		o.dir = true
	case view:
		return v.asView(o)
	case name.Unsure && name.Info.Meta["mode"] == "":
		o.full = false
	}
	return o
}

// recent reports whether attributes were read within the TTL.
func (v *Volume) recent(o object) bool { return v.opt.Now().Sub(o.at) < v.opt.TTL }
