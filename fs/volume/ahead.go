package volume

import (
	"context"
	"time"

	"pail/fs/readahead"
	"pail/fs/tree"
)

// aheadFor is how old the service's answer may be that an open of a file in a walk is served with, counted from the
// request. It bounds what such an open may have missed of other clients' changes.
const aheadFor = 500 * time.Millisecond

// aheadFile is a file that is expected to be opened. It holds its inode, so that what is done to the file here meanwhile is
// seen by the answer's stamp.
type aheadFile struct {
	n     *Inode
	at    time.Time
	done  chan struct{} // closed when the rest is set
	timer *time.Timer   // drops it

	o     object
	stamp tree.Stamp
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
		v.beginAhead(dir, join(at, next), next)
	}
}

// beginAhead asks for one file, if it is small and all is known of it.
func (v *Volume) beginAhead(dir *Inode, path, name string) {
	o, state, _ := v.names.Get(path)
	if state != tree.Present || !v.complete(o) || o.info.Size == 0 || o.info.Size > firstWhole || o.view {
		return
	}
	n, _, err := v.Lookup(v.walks.ctx, dir, name) // from the cache
	if err != nil || n.isOpen() {
		return
	}
	w := v.walks
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.files[path] != nil {
		return
	}
	f := &aheadFile{n: n, at: v.opt.Now(), stamp: v.names.Begin(), done: make(chan struct{})}
	began := w.start(func() {
		defer close(f.done)
		info, src, err := v.opt.Readahead.First(w.ctx, v.keys.File(path), firstWhole, o.info.Size)
		f.o, f.src, f.err = v.newObject(info), src, err
		f.o.sys = true
	})
	if began {
		f.timer = time.AfterFunc(aheadFor, func() { v.dropAhead(path, f) })
		w.mu.files[path] = f
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
