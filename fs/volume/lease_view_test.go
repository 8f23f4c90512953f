package volume_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/fs/attr"
	"pail/fs/journal/journaltest"
	"pail/fs/tree"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// TestViewUnderALease compares what a mount with a lease for reads shows, once it believes nothing but what the lease assures,
// with what there is: after random changes, by it and by others, before the grant and since, also of files that directories
// hide and by inodes that the kernel has from long ago.
func TestViewUnderALease(t *testing.T) { rapid.Check(t, testView) }

func testView(t *rapid.T) {
	c := newClock()
	s := newLeaseService(c)
	s.reads = true
	change := []setup{ttl(time.Second), s.leases}
	if rapid.Bool().Draw(t, "without times") {
		change = append(change, withoutTimes)
	}
	if rapid.Bool().Draw(t, "with a journal") {
		change = append(change, journaled(t, journaltest.New()))
	}
	w := &viewer{mount: mountOn(t, newBucket(memclient.Full(), c), c, change...), s: s, held: map[string]*volume.Inode{}}
	w.mkdir("d")
	if rapid.IntRange(0, 4).Draw(t, "crowd") == 0 { // so that nothing is learned with the lease
		for i := range s3client.MaxListKeys {
			w.foreign(fmt.Sprintf("d/s/t/t/%d", i), "")
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"lease":   func(*rapid.T) { w.grant() },
		"foreign": w.others,
		"advance": func(t *rapid.T) { c.advance(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond) },
		"look":    w.look,
		"list":    func(t *rapid.T) { _, _ = w.listed(w.pick(t)) },
		"write":   w.write,
		"rename":  w.move,
		"remove":  w.remove,
		"make":    w.make,
		"chmod":   w.chmod,
		"check":   func(t *rapid.T) { w.check(t) },
	})
	w.grant()
	w.check(t)
}

// viewer is a mount whose kernel has looked up what it holds.
type viewer struct {
	*mount
	s     *leaseService
	held  map[string]*volume.Inode
	count int
	left  bool // it was made to give a lease back
}

func (w *viewer) pick(t *rapid.T) string {
	dir := rapid.SampledFrom([]string{"d/", "d/", "d/s/", "d/t/", "d/s/t/"}).Draw(t, "dir")
	return dir + rapid.SampledFrom([]string{"a", "b", "s", "t"}).Draw(t, "name")
}

func (w *viewer) value() string {
	w.count++
	return fmt.Sprint("value ", w.count)
}

// inode returns what is at a path, or was when it was looked up long ago.
func (w *viewer) inode(t *rapid.T, path string) (*volume.Inode, error) {
	if n := w.held[path]; n != nil && rapid.Bool().Draw(t, "held") {
		return n, nil
	}
	n, _, err := w.walk(path)
	if err == nil {
		w.held[path] = n
	}
	return n, err
}

func (w *viewer) place(t *rapid.T) (dir *volume.Inode, name string, ok bool) {
	path := w.pick(t)
	dir, err := w.inode(t, tree.Dir(path))
	return dir, path[len(tree.Dir(path))+1:], err == nil
}

// grant has the mount get a lease, if it can.
func (w *viewer) grant() {
	if w.left {
		w.clock.advance(time.Minute)
		w.left = false
	}
	for i := range 3 {
		dir, _, err := w.walk("d")
		if err != nil {
			return
		}
		name := fmt.Sprint("lease", i)
		if _, h, _, err := w.Create(ctx, dir, name, 0o640, exclusive, who); err == nil {
			_ = h.Flush(ctx)
			h.Release()
		} else {
			_ = w.Unlink(ctx, dir, name)
		}
	}
}

func (w *viewer) others(t *rapid.T) {
	key := w.pick(t)
	if rapid.IntRange(0, 3).Draw(t, "marker") == 0 {
		key += "/"
	}
	w.s.mu.Lock()
	w.left = w.left || len(w.s.granted) > 0
	w.s.mu.Unlock()
	w.s.make(key)
	w.clock.advance(time.Millisecond) // times tell versions apart
	if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
		w.foreignDelete(key)
	} else if key[len(key)-1] == '/' {
		w.foreign(key, "")
	} else {
		w.foreign(key, w.value())
	}
}

func (w *viewer) look(t *rapid.T) {
	n, err := w.inode(t, w.pick(t))
	if err != nil {
		return
	}
	if _, err := w.Getattr(ctx, n); err != nil {
		return
	}
	if h, err := w.Open(ctx, n, readOnly); err == nil {
		h.Release()
	}
}

func (w *viewer) write(t *rapid.T) {
	path := w.pick(t)
	flags := volume.OpenFlags{Write: true, Truncate: true, Excl: rapid.Bool().Draw(t, "exclusive")}
	n, err := w.inode(t, path)
	var h *volume.Handle
	switch {
	case err == nil && flags.Excl:
		return
	case err == nil:
		h, err = w.Open(ctx, n, flags)
	case errors.Is(err, volume.ErrNotExist):
		var dir *volume.Inode
		if dir, err = w.inode(t, tree.Dir(path)); err == nil {
			_, h, _, err = w.Create(ctx, dir, path[len(tree.Dir(path))+1:], 0o640, flags, who)
		}
	}
	if err != nil {
		return
	}
	defer h.Release()
	if _, err := h.WriteAt(ctx, []byte(w.value()), 0); err == nil {
		_ = h.Flush(ctx) // another may have been quicker
	}
}

func (w *viewer) move(t *rapid.T) {
	from, fromName, ok := w.place(t)
	to, toName, okToo := w.place(t)
	if ok && okToo {
		_ = w.Rename(ctx, from, fromName, to, toName, volume.RenameFlags{Exchange: rapid.IntRange(0, 4).Draw(t, "exchange") == 0})
	}
}

func (w *viewer) remove(t *rapid.T) {
	dir, name, ok := w.place(t)
	if !ok {
		return
	}
	if rapid.Bool().Draw(t, "directory") {
		_ = w.Rmdir(ctx, dir, name)
	} else {
		_ = w.Unlink(ctx, dir, name)
	}
}

func (w *viewer) make(t *rapid.T) {
	path := w.pick(t)
	dir, name, ok := w.place(t)
	if !ok {
		return
	}
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		_, _, _ = w.Mkdir(ctx, dir, name, 0o750, who)
	case 1:
		_, _, _ = w.Symlink(ctx, dir, name, w.value(), who)
	default:
		if n, err := w.inode(t, path); err == nil {
			_, _ = w.Link(ctx, n, dir, name)
		}
	}
}

func (w *viewer) chmod(t *rapid.T) {
	mode := uint32(rapid.SampledFrom([]int{0o700, 0o600, 0o755}).Draw(t, "mode"))
	if n, err := w.inode(t, w.pick(t)); err == nil {
		_, _ = w.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	}
}

func (w *viewer) listed(path string) (names []string, err error) {
	n, _, err := w.walk(path)
	if err != nil {
		return nil, err
	}
	d, err := w.OpenDir(ctx, n)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		e, more, err := d.Next(ctx)
		if err != nil || !more {
			slices.Sort(names)
			return names, err
		}
		names = append(names, e.Name)
	}
}

// view describes all that there is.
func (w *viewer) view() map[string]string {
	view := map[string]string{}
	for _, dir := range []string{"", "/s", "/t", "/s/t"} {
		for _, name := range []string{"", "/a", "/b", "/s", "/t"} {
			view["d"+dir+name] = w.describe("d" + dir + name)
		}
	}
	return view
}

func (w *viewer) describe(path string) string {
	n, st, err := w.walk(path)
	if err != nil {
		return "nothing"
	}
	switch st.Mode & attr.TypeMask {
	case attr.Dir:
		names, err := w.listed(path)
		return fmt.Sprintf("%o %.300q %v", st.Mode, names, err)
	case attr.Regular:
		h, err := w.Open(ctx, n, readOnly)
		if err != nil {
			return fmt.Sprint("opened: ", err)
		}
		defer h.Release()
		data, err := content(h)
		return fmt.Sprintf("%o %d %d %q %v", st.Mode, st.Nlink, st.Size, data, err)
	}
	return fmt.Sprintf("%o %d %q", st.Mode, st.Nlink, st.LinkTarget)
}

func (w *viewer) check(t *rapid.T) {
	if err := w.Sync(ctx); err == nil {
		w.stored()
	}
	w.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	got := w.view()
	fresh := &viewer{mount: mountOn(t, w.mem, w.clock, ttl(0))}
	want := fresh.view()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%s is %s, want %s", path, got[path], want[path])
		}
	}
}
