package volume

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// DirHandle is an open directory. It is safe for concurrent use.
//
// It walks the listing page by page, asking for the next page while one is consumed, and holds two of them at most.
// The names of files that are created here and not stored yet come first: they are read before the first request, so
// a file is in that list, in the listing, or in both; then it is left out of the latter. A name that is there all the
// time is thus shown once, whatever else comes and goes.
type DirHandle struct {
	n *Inode

	mu struct {
		sync.Mutex
		window  []dirItem // consecutive entries
		first   uint64    // position of window[0]
		next    uint64    // position of the entry that Next returns
		local   map[string]bool
		subdirs subdirs  // counted so far
		others  others   // the same
		listing *listing // nil before the first entry
		done    bool
		ahead   chan pageResult
		stop    context.CancelFunc // of the request ahead
	}
}

// OpenDir opens a directory for reading; the first request is made by Next.
func (v *Volume) OpenDir(_ context.Context, n *Inode) (*DirHandle, error) {
	if !n.isDir() {
		return nil, ErrNotDir
	}
	return &DirHandle{n: n}, nil
}

// Next returns the next entry; false at the end. The first entries are "." and "..".
func (d *DirHandle) Next(ctx context.Context) (DirEntry, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for i := d.mu.next - d.mu.first; i < uint64(len(d.mu.window)); i++ {
			d.mu.next++
			if e, ok := d.entry(&d.mu.window[i]); ok {
				e.Off = d.mu.next
				return e, true, nil
			}
		}
		if d.mu.done {
			return DirEntry{}, false, nil
		}
		if err := d.moreLocked(ctx); err != nil {
			return DirEntry{}, false, err
		}
	}
}

// Seek makes Next continue behind the entry that had this Off; 0 rewinds, and lists anew. An entry that was passed more
// than a page ago costs as many requests as getting there did.
func (d *DirHandle) Seek(ctx context.Context, off uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off == 0 || off < d.mu.first {
		d.resetLocked()
	}
	for off > d.mu.first+uint64(len(d.mu.window)) && !d.mu.done {
		d.mu.next = d.mu.first + uint64(len(d.mu.window))
		if err := d.moreLocked(ctx); err != nil {
			return err
		}
	}
	d.mu.next = min(off, d.mu.first+uint64(len(d.mu.window)))
	return nil
}

// Close ends the use of the handle.
func (d *DirHandle) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.resetLocked()
	d.mu.done = true
}

func (d *DirHandle) resetLocked() {
	if d.mu.stop != nil {
		d.mu.stop()
		<-d.mu.ahead // the request ahead ends before the handle does
	}
	d.mu.window, d.mu.first, d.mu.next = nil, 0, 0
	d.mu.listing, d.mu.done = nil, false
	d.mu.local, d.mu.ahead, d.mu.stop = nil, nil, nil
}

// entry turns an item into what a reader sees; false if it is known to be gone by now.
func (d *DirHandle) entry(it *dirItem) (DirEntry, bool) {
	e := DirEntry{Name: it.name, Ino: it.ino, Mode: it.fixed}
	if it.fixed != 0 && it.ino != 0 {
		return e, true
	}
	v := d.n.v
	if at, err := v.childPath(d.n, it.name); err == nil {
		if state, s := v.names.State(at); state == tree.Absent && it.stamp.Before(s) && it.fixed == 0 {
			return e, false
		}
	}
	e.Ino = v.table.InoOf(d.n.node, it.name)
	if ptr, ok := it.obj.pointer(); ok && v.child(place{d.n, it.name}) == nil {
		e.Ino = links.Number(ptr.ID())
	}
	if n := v.child(place{d.n, it.name}); n != nil && !n.replacedBy(it) {
		e.Mode = n.typ
	} else if it.fixed != 0 {
		return e, false // was created here, and is removed again
	} else {
		e.Mode = it.obj.mode()
	}
	return e, true
}

// replacedBy reports whether an entry of a listing shows something of another type than n, which has its name still: what
// another client has made there.
func (n *Inode) replacedBy(it *dirItem) bool {
	same := it.obj.dir == n.isDir() && (!it.obj.full || it.obj.mode() == n.typ)
	if it.fixed != 0 || same || n.v.isPointer(it.obj) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.busyLocked(it.stamp)
}

// moreLocked appends entries to the window and drops those before it that were passed.
func (d *DirHandle) moreLocked(ctx context.Context) error {
	at, err := d.n.path()
	if err != nil { // removed: nothing is in it
		d.mu.done = true
		return nil
	}
	if d.mu.listing == nil {
		d.beginLocked(at)
		return nil
	}
	if d.sureLocked(at) {
		return nil
	}
	got := d.receiveLocked(ctx)
	if moved, err := d.movedLocked(ctx); moved || err != nil {
		return err
	}
	if got.err != nil {
		return got.err
	}
	keep := d.mu.window // the page that was just passed stays for a short way back
	if d.mu.next-d.mu.first < uint64(len(keep)) {
		keep = keep[:d.mu.next-d.mu.first]
	}
	const back = s3client.MaxListKeys
	if drop := len(keep) - back; drop > 0 {
		keep = keep[drop:]
		d.mu.first += uint64(drop)
	}
	first := d.mu.listing.begun == d.mu.listing.stamp
	items, more := d.mu.listing.take(got)
	d.n.v.walks.listed(at, items, first)
	d.putLocked(keep, items)
	if d.mu.done = !more; more {
		d.requestLocked(ctx)
	} else {
		d.countedLocked()
	}
	return nil
}

// sureLocked puts out what is in the directory where that needs no request, before anything was asked for.
func (d *DirHandle) sureLocked(at string) bool {
	l := d.mu.listing
	if d.mu.ahead != nil || l.begun != l.stamp || l.moved != nil || l.at != at || d.n.v.isMoving(d.n) {
		return false
	}
	items, ok := d.n.v.sureChildren(at)
	if !ok {
		return false
	}
	d.n.v.walks.listed(at, items, true)
	d.putLocked(d.mu.window, items)
	d.mu.done = true
	d.countedLocked()
	return true
}

// putLocked puts out entries behind those that stay.
func (d *DirHandle) putLocked(keep, items []dirItem) {
	d.mu.window = append(make([]dirItem, 0, len(keep)+len(items)), keep...)
	for _, it := range items {
		if d.mu.local[it.name] || d.n.v.hidden(d.n, it.name) {
			continue
		}
		if d.mu.others.stored++; it.obj.dir {
			d.mu.subdirs.n++
		}
		d.mu.window = append(d.mu.window, it)
	}
}

// countedLocked hands over what the whole listing has shown.
func (d *DirHandle) countedLocked() {
	d.n.countedSubdirs(d.mu.subdirs)
	d.n.countedOthers(d.mu.others)
}

// movedLocked reports whether the directory has been renamed since the listing began, which then goes on under the new name.
// What is asked about a directory while it is renamed tells nothing.
func (d *DirHandle) movedLocked(ctx context.Context) (bool, error) {
	v, was := d.n.v, d.mu.listing.at
	if v.isMoving(d.n) {
		unlock, err := v.paths.share(ctx, was)
		if err != nil {
			return false, err
		}
		unlock()
	}
	at, err := d.n.path()
	if err != nil || at == was {
		return false, nil // removed: the next call sees that
	}
	if d.mu.stop != nil {
		d.mu.stop()
		<-d.mu.ahead
		d.mu.ahead, d.mu.stop = nil, nil
	}
	d.mu.listing = d.mu.listing.movedTo(at)
	d.mu.subdirs.changes, d.mu.others.gone = -1, -1 // counted in part twice
	return true, nil
}

// beginLocked puts out what needs no request, and prepares the listing.
func (d *DirHandle) beginLocked(at string) {
	v := d.n.v
	parent := d.n.Ino()
	if p, _ := v.table.Parent(d.n.node); p != nil {
		parent = p.Ino()
	}
	d.mu.window = []dirItem{
		{name: ".", fixed: attr.Dir, ino: d.n.Ino()},
		{name: "..", fixed: attr.Dir, ino: parent},
	}
	d.mu.local = map[string]bool{}
	d.mu.subdirs, d.mu.others = d.n.begun()
	for name, n := range v.pendingIn(d.n) {
		d.mu.local[name] = true
		d.mu.window = append(d.mu.window, dirItem{name: name, fixed: n.typ, held: n})
		if n.isDir() {
			d.mu.subdirs.n++
		}
	}
	if p, name := v.table.Parent(d.n.node); p != nil {
		if up, err := p.Value().path(); err == nil && v.walks.entered(up, name) {
			v.beginFlat(up, at)
		}
	}
	d.mu.listing = v.beginListing(at)
}

// requestLocked asks for the next page in the background.
func (d *DirHandle) requestLocked(ctx context.Context) {
	v, l := d.n.v, d.mu.listing
	at, q := l.at, l.query()
	work, stop := context.WithTimeout(context.WithoutCancel(ctx), v.opt.MetaTimeout)
	ahead := make(chan pageResult, 1)
	d.mu.ahead, d.mu.stop = ahead, stop
	go func() {
		if q.Token == "" {
			if got, ok := v.flatListing(work, at); ok {
				ahead <- got
				return
			}
		}
		ahead <- v.page(work, q)
	}()
}

// receiveLocked waits for the page that was asked for, or asks for it. An error is forgotten by the next call.
func (d *DirHandle) receiveLocked(ctx context.Context) (got pageResult) {
	if d.mu.ahead == nil {
		d.requestLocked(ctx)
	}
	select {
	case got = <-d.mu.ahead:
		d.mu.stop()
		d.mu.ahead, d.mu.stop = nil, nil
	case <-ctx.Done():
		got.err = context.Cause(ctx)
	}
	return got
}

// Lookup is Volume.Lookup for an entry that Next has just returned, where it needs no request: a file of which the listing
// did not tell the attributes, and nobody else has asked for them, is ErrNotTold. So is what a slow reader comes to when the
// listing is older than the TTL. Whether the reader wants them shows when he looks it up. Of directories, which are stepped
// into, the entries that follow are asked for at the same time.
func (d *DirHandle) Lookup(ctx context.Context, name string) (*Inode, Stat, error) {
	v := d.n.v
	at, err := v.childPath(d.n, name)
	if err != nil {
		return nil, Stat{}, err
	}
	if n := v.child(place{d.n, name}); n != nil && n.unsaved() {
		return v.lookup(ctx, d.n, name)
	}
	it := d.item(name)
	aged := it != nil && v.names.Age(it.stamp) >= max(v.opt.TTL, time.Second)
	now, state, s := v.names.Get(at)
	file := state == tree.Present && !now.dir || it != nil && !it.obj.dir
	told := state == tree.Present && v.complete(now) || it != nil && !aged && v.complete(it.obj)
	if (file || aged) && !told {
		return nil, Stat{}, ErrNotTold
	}
	if it == nil || aged || it.stamp.Before(s) || v.isPointer(it.obj) { // something has happened since
		return v.lookup(ctx, d.n, name)
	}
	if !v.complete(it.obj) {
		if !told {
			d.fillFrom(ctx, name)
		}
		return v.lookup(ctx, d.n, name)
	}
	return d.found(ctx, at, name, it)
}

// found returns the inode of an entry that is told.
func (d *DirHandle) found(ctx context.Context, at, name string, it *dirItem) (*Inode, Stat, error) {
	v := d.n.v
	o, s := it.obj, it.stamp
	if !v.names.Put(at, o, s) { // something has happened that the cache has no room to remember
		return v.lookup(ctx, d.n, name)
	}
	arriving := v.isArriving(at)
	if now, _ := v.childPath(d.n, name); arriving || now != at || v.isPointer(o) {
		return v.lookup(ctx, d.n, name)
	}
	n := v.found(place{d.n, name}, at, o, s)
	if n == nil {
		return v.lookup(ctx, d.n, name)
	}
	return n, v.stat(n, o), nil
}

// item returns the entry of a name near the position, or nil.
func (d *DirHandle) item(name string) *dirItem {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := int(d.mu.next-d.mu.first) - 1; i >= 0 && i >= int(d.mu.next-d.mu.first)-4; i-- {
		if it := &d.mu.window[i]; it.name == name && it.fixed == 0 {
			found := *it
			return &found
		}
	}
	return nil
}

// fillFrom completes the attributes of a directory and of those that follow, several at once. Failures show when an entry
// is looked up.
func (d *DirHandle) fillFrom(ctx context.Context, name string) {
	v := d.n.v
	at, err := d.n.path()
	if err != nil {
		return
	}
	items := d.following(name, 2*v.opt.Heads)
	v.fillDirs(ctx, at, items)
	var work errgroup.Group
	work.SetLimit(v.opt.Heads)
	for _, it := range items {
		path := join(at, it.name)
		if o, state, _ := v.names.Get(path); state == tree.Present && o.dir && !v.complete(o) {
			work.Go(func() error {
				_, _, err := v.fill(ctx, path, o)
				return err
			})
		}
	}
	_ = work.Wait() // see above
}

// following returns an entry and up to n that come after it.
func (d *DirHandle) following(name string, n int) []dirItem {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := max(int(d.mu.next-d.mu.first)-4, 0); i < len(d.mu.window); i++ {
		if d.mu.window[i].name == name {
			return append([]dirItem(nil), d.mu.window[i:min(i+n, len(d.mu.window))]...)
		}
	}
	return nil
}
