package volume

import (
	"context"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pail/fs/tree"
	"pail/s3client"
)

// Limits of flat listings.
const (
	flatTrees  = 4                        // that are read at once
	flatKeys   = 2 * s3client.MaxMetaKeys // of one that are held; a directory with more keys is listed by itself
	flatWaits  = 4                        // pages that a listing waits for
	flatBehind = 2 * s3client.MaxListKeys // keys behind the directory that is read, below which the next page is asked for
)

// flats are listings of all keys below a directory, for programs that walk through the tree there: a page of one tells of
// many small directories. A page serves listings for aheadFor from its request, but not of directories in which this mount has
// changed anything since.
type flats struct {
	jobs // requests

	mu struct {
		sync.Mutex
		trees *simplelru.LRU[string, *flat] // by prefix
	}
}

// flat is the flat listing of one prefix, as far as it is held. Guarded by flats.mu.
type flat struct {
	prefix string
	from   string // the pages have what comes behind this key
	pages  []flatPage
	busy   chan struct{} // closed when the page that is on its way has come
	failed bool
}

// flatPage has all keys behind the page before, up to upTo.
type flatPage struct {
	keys  []s3client.ObjectInfo
	upTo  string
	last  bool
	stamp tree.Stamp
	at    time.Time
}

func newFlats() *flats {
	f := &flats{}
	f.init()
	f.mu.trees, _ = simplelru.NewLRU[string, *flat](flatTrees, nil) // the only error is about a size below 1
	return f
}

// beginFlat begins a flat listing below the directory at a path with the directory first in it, unless there is one that
// has it.
func (v *Volume) beginFlat(at, first string) {
	if v.opt.TTL <= 0 || v.keys.Synthetic(at) || v.keys.Synthetic(first) {
		return
	}
	prefix, from := v.keys.Prefix(at), strings.TrimSuffix(v.keys.Prefix(first), "/")
	v.flats.mu.Lock()
	defer v.flats.mu.Unlock()
	if t := v.flats.coverLocked(v.keys.Prefix(first)); t != nil && !v.staleLocked(t) && !v.changedIn(t.pages, first) {
		return
	}
	t := &flat{prefix: prefix, from: from}
	v.flats.mu.trees.Add(prefix, t)
	v.readFlatLocked(t)
}

// coverLocked returns the flat listing whose tree has a prefix below its root; nil if there is none.
func (f *flats) coverLocked(prefix string) *flat {
	for _, t := range f.mu.trees.Values() {
		if len(prefix) > len(t.prefix) && strings.HasPrefix(prefix, t.prefix) && t.from < prefix {
			return t
		}
	}
	return nil
}

// staleLocked reports whether t is of no use any more, as its pages are too old to serve anything, and forgets it then.
func (v *Volume) staleLocked(t *flat) bool {
	now := v.opt.Now()
	for _, p := range t.pages {
		if now.Sub(p.at) >= min(aheadFor, v.opt.TTL) {
			t.failed = true
		}
	}
	if t.failed {
		v.flats.mu.trees.Remove(t.prefix)
	}
	return t.failed
}

// changedIn reports whether this mount may have changed anything in a directory, or below, since pages were asked for.
func (v *Volume) changedIn(pages []flatPage, dir string) bool {
	return len(pages) > 0 && v.names.ChangedSince(dir, pages[0].stamp)
}

// readFlatLocked asks for the next page, and makes room for it.
func (v *Volume) readFlatLocked(t *flat) {
	f := v.flats
	if t.busy != nil || t.failed {
		return
	}
	after := t.from
	if n := len(t.pages); n > 0 {
		if t.pages[n-1].last {
			return
		}
		after = t.pages[n-1].upTo
	}
	q := s3client.ListQuery{Prefix: t.prefix, StartAfter: after, WithMeta: v.caps.ListMetadata}
	q.MaxKeys = q.Most()
	for held := t.behindLocked(""); held > flatKeys-q.MaxKeys; held = t.behindLocked("") {
		t.from, t.pages = t.pages[0].upTo, t.pages[1:]
	}
	got := flatPage{stamp: v.names.Begin(), at: v.opt.Now()}
	busy := make(chan struct{})
	began := f.start(func() {
		ctx, cancel := context.WithTimeout(f.ctx, v.opt.MetaTimeout)
		defer cancel()
		page, err := v.client.List(ctx, q)
		got.keys, got.last = page.Objects, page.NextToken == ""
		if n := len(page.Objects); n > 0 {
			got.upTo = page.Objects[n-1].Key
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		close(busy)
		t.busy = nil
		if t.failed = t.failed || err != nil; !t.failed {
			t.pages = append(t.pages, got)
		}
	})
	if began {
		t.busy = busy
	}
}

// waitFlat returns the pages of a flat listing that have all keys of a directory and below, waiting for those on their way.
// nil is no such listing, or one that is not worth waiting for: the walk is elsewhere, or in a large directory.
func (v *Volume) waitFlat(ctx context.Context, dir string) []flatPage {
	f, prefix := v.flats, v.keys.Prefix(dir)
	f.mu.Lock()
	defer f.mu.Unlock()
	for waits := 0; ; waits++ {
		t := f.coverLocked(prefix)
		if t == nil || v.staleLocked(t) {
			return nil
		}
		if pages := t.pagesLocked(prefix); pages != nil {
			if v.changedIn(pages, dir) {
				return nil
			}
			if t.behindLocked(prefix) < flatBehind {
				v.readFlatLocked(t)
			}
			return pages
		}
		v.readFlatLocked(t)
		busy, near := t.busy, len(t.pages) == 0 || t.pages[len(t.pages)-1].upTo >= prefix
		if busy == nil || waits == flatWaits || waits > 1 && !near {
			f.mu.trees.Remove(t.prefix)
			return nil
		}
		f.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// heldFlat returns the pages that have all keys of a directory and below, if they are here.
func (v *Volume) heldFlat(dir string) []flatPage {
	v.flats.mu.Lock()
	defer v.flats.mu.Unlock()
	prefix := v.keys.Prefix(dir)
	t := v.flats.coverLocked(prefix)
	if t == nil || v.staleLocked(t) {
		return nil
	}
	pages := t.pagesLocked(prefix)
	if v.changedIn(pages, dir) {
		return nil
	}
	return pages
}

// pagesLocked returns the pages that have all keys with a prefix, nil if they have not come.
func (t *flat) pagesLocked(prefix string) []flatPage {
	first := sort.Search(len(t.pages), func(i int) bool { return t.pages[i].last || t.pages[i].upTo >= prefix })
	for i, p := range t.pages[first:] {
		if p.last || p.upTo > prefix && !strings.HasPrefix(p.upTo, prefix) {
			return t.pages[first : first+i+1]
		}
	}
	return nil
}

// behindLocked returns the number of keys that are held behind a prefix, about.
func (t *flat) behindLocked(prefix string) (n int) {
	for _, p := range t.pages {
		if p.upTo > prefix {
			n += len(p.keys)
		}
	}
	return n
}

// flatListing is the listing of the directory at a path, out of a flat listing that has it.
func (v *Volume) flatListing(ctx context.Context, at string) (pageResult, bool) {
	if v.keys.Synthetic(at) || at == "" {
		return pageResult{}, false
	}
	prefix := v.keys.Prefix(at)
	pages := v.waitFlat(ctx, at)
	if pages == nil {
		return pageResult{}, false
	}
	got := pageResult{stamp: pages[0].stamp}
	for _, p := range pages {
		addBelow(&got.page, p.keys, prefix)
	}
	return got, true
}

// addBelow adds to a page what a listing with the delimiter "/" shows of keys, which are in order.
func addBelow(page *s3client.ListPage, keys []s3client.ObjectInfo, prefix string) {
	i := sort.Search(len(keys), func(i int) bool { return keys[i].Key >= prefix })
	for ; i < len(keys) && strings.HasPrefix(keys[i].Key, prefix); i++ {
		end := strings.IndexByte(keys[i].Key[len(prefix):], '/')
		if end < 0 {
			page.Objects = append(page.Objects, keys[i])
			continue
		}
		group := keys[i].Key[:len(prefix)+end+1]
		if n := len(page.Prefixes); n == 0 || page.Prefixes[n-1] != group {
			page.Prefixes = append(page.Prefixes, group)
			var marker s3client.ObjectInfo
			if keys[i].Key == group {
				marker = keys[i]
			}
			page.Markers = append(page.Markers, marker)
		}
	}
}
