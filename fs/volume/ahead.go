package volume

import (
	"context"
	"errors"
	"time"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/readahead"
	"pail/fs/tree"
)

// aheadFor is how old the service's answer may be that an open of a file in a walk is served with, counted from the
// request. It bounds what such an open may have missed of other clients' changes.
const aheadFor = 500 * time.Millisecond

// aheadFile is a file that is expected to be opened. It holds its inode, so that what is done to the file here meanwhile is
// seen by the answer's stamp; of a file whose attributes were not known, the lookup that waits for the answer makes it.
type aheadFile struct {
	n     *Inode // nil until it is made; guarded by walks.mu
	at    time.Time
	done  chan struct{} // closed when the rest is set
	timer *time.Timer   // drops it

	o     object
	stamp tree.Stamp
	bound tree.Stamp // when n was found to be what the answer says; zero if that is as old as stamp
	src   readahead.Source
	err   error
}

func (f *aheadFile) close() error {
	if f.src == nil {
		return nil
	}
	return f.src.Close()
}

// fetchAhead notes that n is opened, and asks for the files that are expected next.
func (v *Volume) fetchAhead(n *Inode) {
	parent, name := v.table.Parent(n.node)
	if parent == nil || v.opt.TTL <= 0 {
		return
	}
	dir := parent.Value()
	at, err := dir.path()
	if err != nil {
		return
	}
	for _, next := range v.walks.opened(at, name, v.opt.Now(), 2*v.opt.Parallel) {
		v.beginAhead(dir, at, next.name)
	}
}

// lookAhead notes that a name is looked up, and asks for what is expected to be looked up next. The caller calls answered
// with the answer.
func (v *Volume) lookAhead(dir *Inode, name string) (answered func()) {
	at, err := dir.path()
	if err != nil || v.opt.TTL < aheadFor {
		return func() {}
	}
	names, read := v.walks.looked(at, name, v.opt.Now(), 2*v.opt.Heads, 2*v.opt.Parallel)
	for _, next := range names {
		path := join(at, next.name)
		if _, ok := v.untold(path); ok && (!read || !v.beginAhead(dir, at, next.name)) {
			v.headAhead(path)
		}
	}
	return func() { v.walks.answered(at, name, v.opt.Now()) }
}

// untold returns a file that is known to be there, but not with its attributes.
func (v *Volume) untold(path string) (o object, ok bool) {
	o, state, _ := v.names.Get(path)
	return o, state == tree.Present && !o.dir && !v.complete(o)
}

// headAhead asks for the attributes of one file, if they are neither known nor on their way.
func (v *Volume) headAhead(path string) {
	w := v.walks
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.heads[path] != nil || w.mu.files[path] != nil {
		return
	}
	// Under the lock that those which were on their way are forgotten under: they are in the cache then.
	o, ok := v.untold(path)
	if !ok {
		return
	}
	came := make(chan struct{})
	began := w.start(func() {
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.mu.heads, path)
			close(came)
		}()
		ctx, cancel := context.WithTimeout(w.ctx, v.opt.MetaTimeout)
		defer cancel()
		_, _, _ = v.fill(ctx, path, o) // who asks for it looks into the cache, and finds out for himself why it is not there
	})
	if began {
		w.mu.heads[path] = came
	}
}

// awaitAhead waits for the attributes of a file, if they are on their way.
func (v *Volume) awaitAhead(ctx context.Context, path string) bool {
	w := v.walks
	w.mu.Lock()
	came := w.mu.heads[path]
	if f := w.mu.files[path]; f != nil {
		came = f.done
	}
	w.mu.Unlock()
	if came == nil {
		return false
	}
	select {
	case <-came:
		return true
	case <-ctx.Done():
		return false
	}
}

// beginAhead asks for one file, if it is small, and reports whether it is on its way.
func (v *Volume) beginAhead(dir *Inode, at, name string) bool {
	path := join(at, name)
	o, state, _ := v.names.Get(path)
	if state != tree.Present || o.dir || o.info.Size == 0 || o.info.Size > firstWhole || o.view || v.isPointer(o) {
		return false
	}
	var n *Inode
	if v.complete(o) {
		var err error
		if n, _, err = v.lookup(v.walks.ctx, dir, name); err != nil || n.isOpen() || v.kept.get(n, o.info.ETag) != nil { // from the cache
			return false
		}
	}
	w := v.walks
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.files[path] != nil || w.mu.heads[path] != nil {
		return true
	}
	f := &aheadFile{n: n, at: v.opt.Now(), stamp: v.names.Begin(), done: make(chan struct{})}
	if !w.start(func() { v.fetchFile(path, o, f, n == nil) }) {
		return false
	}
	f.timer = time.AfterFunc(aheadFor, func() { v.dropAhead(path, f) })
	w.mu.files[path] = f
	return true
}

// fetchFile gets a file with its attributes. Where they are news, because a listing did not tell them, it tells the cache.
func (v *Volume) fetchFile(path string, listed object, f *aheadFile, news bool) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(v.walks.ctx, v.opt.MetaTimeout)
	defer cancel()
	info, src, err := v.opt.Readahead.First(ctx, v.keys.File(path), firstWhole, listed.info.Size)
	f.o, f.src, f.err = v.newObject(info), src, err
	f.o.sys = true
	switch {
	case !news:
	case err != nil:
		_, _, _ = v.fill(ctx, path, listed)
	default:
		if f.err = v.learnFile(ctx, path, f); f.err != nil {
			v.logClose(v.Root(), f.close())
			f.src = nil
		}
	}
}

// learnFile tells the cache of the attributes that came with a file. An error is something that is not opened.
func (v *Volume) learnFile(ctx context.Context, path string, f *aheadFile) error {
	if f.o.dir || links.Moved(f.o.info) {
		_, _, err := v.fetch(ctx, path)
		return errors.Join(ErrStale, err)
	}
	if _, _, err := v.learnPart(path, f.o, f.stamp); err != nil {
		return err
	}
	if typeOf(f.o) != attr.Regular || v.isPointer(f.o) {
		return ErrNotSupported
	}
	return nil
}

// bindAhead gives the inode that a lookup has found what was fetched for its open, if that is what the lookup was answered
// with, and nothing has happened to the name since.
func (v *Volume) bindAhead(path string, n *Inode) {
	now := v.names.Begin() // before the last look at the cache: later changes of the inode have later stamps
	w := v.walks
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.mu.files[path]
	if f == nil || f.n != nil {
		return
	}
	if state, s := v.names.State(path); state == tree.Present && s == f.stamp {
		f.n, f.bound = n, now
	}
}

// dropAhead gives a file up that was not opened.
func (v *Volume) dropAhead(path string, f *aheadFile) {
	w := v.walks
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.files[path] != f || !w.start(func() { <-f.done; v.logClose(f.n, f.close()) }) { // end drops it
		return
	}
	delete(w.mu.files, path)
	w.missed(tree.Dir(path))
}

// takeAhead returns what was fetched for this open, nil if nothing was or it is too old. The caller closes its source.
func (v *Volume) takeAhead(ctx context.Context, n *Inode, path string, flags OpenFlags) *aheadFile {
	if flags.Write || !flags.Read {
		return nil
	}
	w := v.walks
	w.mu.Lock()
	f := w.mu.files[path]
	if f != nil && f.n == n {
		delete(w.mu.files, path)
		f.timer.Stop()
		w.mu.hit = v.opt.Now()
	}
	w.mu.Unlock()
	if f == nil || f.n != n {
		return nil
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		go func() { <-f.done; v.logClose(n, f.close()) }()
		return nil
	}
	if f.err == nil && v.opt.Now().Sub(f.at) < min(aheadFor, v.opt.TTL) {
		return f
	}
	v.logClose(n, f.close())
	return nil
}
