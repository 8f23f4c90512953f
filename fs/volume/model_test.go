package volume_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/fs/attr"
	"pail/fs/journal/journaltest"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// refNode is a file or directory of the reference.
type refNode struct {
	dir    bool
	marker bool // of a directory: it stays when it is empty
	data   []byte
	mode   uint32
	mtime  time.Time // zero: not known
	xattr  string
	open   int
}

// refHandle is an open file of both sides.
type refHandle struct {
	h     *volume.Handle
	n     *refNode
	flags volume.OpenFlags
}

// machine runs the same operations on a volume and on a map, with another client between.
type machine struct {
	*mount
	rt      *rapid.T
	nodes   map[string]*refNode
	handles []refHandle
	change  setup
	journal bool
	leases  *leaseService // nil: there are none
	theirs  bool          // another client has changed something that may not be seen yet
	broken  atomic.Int64  // syncs of the journal's disk that fail
}

var paths = []string{"a", "b", "c", "a/a", "a/b", "b/a", "b/b", "a/a/a", "a/b/c", "b/a/b"}

func (m *machine) path() string { return rapid.SampledFrom(paths).Draw(m.rt, "path") }

func parentOf(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}

// at returns a node; the root is always there.
func (m *machine) at(p string) *refNode {
	if p == "" {
		return &refNode{dir: true, marker: true}
	}
	return m.nodes[p]
}

// below returns the paths below p.
func (m *machine) below(p string) []string {
	var list []string
	for q := range m.nodes {
		if strings.HasPrefix(q, p+"/") {
			list = append(list, q)
		}
	}
	slices.Sort(list)
	return list
}

// place looks the directory of a path up; false if it is not there on both sides.
func (m *machine) place(p string) (*volume.Inode, string, bool) {
	dir, _, err := m.walk(parentOf(p))
	ref := m.at(parentOf(p))
	if ref == nil || !ref.dir {
		if err == nil && dir.Mode() == attr.Dir {
			m.t.Fatalf("directory of %q is there, want none", p)
		}
		return nil, "", false
	}
	m.ok(err)
	return dir, path.Base(p), true
}

// expect checks the outcome of an operation.
func (m *machine) expect(what string, err, want error) bool {
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		m.t.Fatalf("%s: %v, want %v", what, err, want)
	}
	return want == nil
}

// left says that this mount has taken a path from its directory, which stays from then on; unless the service has never
// heard of the path, and so need not have heard of the directory.
func (m *machine) left(p string, pending bool) {
	dir := m.nodes[parentOf(p)]
	if dir != nil && (!pending || slices.Contains(m.mem.Keys(), parentOf(p)+"/")) {
		dir.marker = true
	}
}

func (m *machine) mkdir(*rapid.T) {
	p := m.path()
	dir, name, ok := m.place(p)
	if !ok {
		return
	}
	var want error
	if m.at(p) != nil {
		want = volume.ErrExist
	}
	mode := rapid.Uint32Range(0, 0o777).Draw(m.rt, "mode")
	if _, _, err := m.Mkdir(ctx, dir, name, mode, who); m.expect("mkdir "+p, err, want) {
		m.nodes[p] = &refNode{dir: true, marker: true, mode: mode}
	}
}

func (m *machine) rmdir(*rapid.T) {
	p := m.path()
	dir, name, ok := m.place(p)
	if !ok {
		return
	}
	var want error
	switch n := m.at(p); {
	case n == nil:
		want = volume.ErrNotExist
	case !n.dir:
		want = volume.ErrNotDir
	case len(m.below(p)) > 0:
		want = volume.ErrNotEmpty
	}
	if m.expect("rmdir "+p, m.Rmdir(ctx, dir, name), want) {
		delete(m.nodes, p)
		m.left(p, false)
	}
}

func (m *machine) unlink(*rapid.T) {
	p := m.path()
	dir, name, ok := m.place(p)
	if !ok {
		return
	}
	var want error
	switch n := m.at(p); {
	case n == nil:
		want = volume.ErrNotExist
	case n.dir:
		want = volume.ErrIsDir
	}
	pending := m.pending(p)
	if m.expect("unlink "+p, m.Unlink(ctx, dir, name), want) {
		delete(m.nodes, p)
		m.left(p, pending)
	}
}

// pending reports whether a file has not been stored: then removing it needs nothing of the service.
func (m *machine) pending(p string) bool { return !slices.Contains(m.mem.Keys(), p) }

func (m *machine) create(*rapid.T) {
	p := m.path()
	dir, name, ok := m.place(p)
	if !ok || len(m.handles) >= 4 {
		return
	}
	flags := volume.OpenFlags{
		Read: true, Write: true,
		Append: rapid.Bool().Draw(m.rt, "append"), Truncate: rapid.Bool().Draw(m.rt, "truncate"), Excl: rapid.Bool().Draw(m.rt, "excl"),
	}
	_, _, _ = m.Lookup(ctx, dir, name) // as the kernel does
	n := m.at(p)
	var want error
	switch {
	case n != nil && flags.Excl:
		want = volume.ErrExist
	case n != nil && n.dir:
		want = volume.ErrIsDir
	}
	_, h, _, err := m.Create(ctx, dir, name, 0o640, flags, who)
	if !m.expect("create "+p, err, want) {
		return
	}
	if n == nil {
		n = &refNode{mode: 0o640}
		m.nodes[p] = n
	} else if flags.Truncate {
		n.data, n.mtime = nil, time.Time{}
	}
	m.opened(h, n, flags)
}

func (m *machine) opened(h *volume.Handle, n *refNode, flags volume.OpenFlags) {
	n.open++
	m.handles = append(m.handles, refHandle{h, n, flags})
}

func (m *machine) openFile(*rapid.T) {
	p := m.path()
	n := m.at(p)
	if n == nil || n.dir || len(m.handles) >= 4 {
		return
	}
	flags := volume.OpenFlags{Read: true, Write: rapid.Bool().Draw(m.rt, "write")}
	if flags.Write {
		flags.Append, flags.Truncate = rapid.Bool().Draw(m.rt, "append"), rapid.Bool().Draw(m.rt, "truncate")
	}
	inode, _, err := m.walk(p)
	m.ok(err)
	h, err := m.Open(ctx, inode, flags)
	m.ok(err)
	if flags.Truncate {
		n.data, n.mtime = nil, time.Time{}
	}
	m.opened(h, n, flags)
}

func (m *machine) handle() (refHandle, int) {
	if len(m.handles) == 0 {
		m.rt.Skip()
	}
	i := rapid.IntRange(0, len(m.handles)-1).Draw(m.rt, "handle")
	return m.handles[i], i
}

func (m *machine) write(*rapid.T) {
	h, _ := m.handle()
	if !h.flags.Write {
		return
	}
	off := rapid.IntRange(0, 40).Draw(m.rt, "offset")
	data := []byte(rapid.StringMatching(`[a-z]{1,20}`).Draw(m.rt, "data"))
	if n, err := h.h.WriteAt(ctx, data, int64(off)); n != len(data) || err != nil {
		m.t.Fatalf("write: %d, %v", n, err)
	}
	if h.flags.Append {
		off = len(h.n.data)
	}
	resize(h.n, max(len(h.n.data), off+len(data)))
	copy(h.n.data[off:], data)
	h.n.mtime = time.Time{}
}

func resize(n *refNode, size int) {
	data := make([]byte, size)
	copy(data, n.data)
	n.data, n.mtime = data, time.Time{}
}

func (m *machine) read(*rapid.T) {
	h, _ := m.handle()
	m.compare(h)
}

func (m *machine) compare(h refHandle) {
	s, err := content(h.h)
	if err != nil || s != string(h.n.data) {
		m.t.Fatalf("open file reads %q, %v, want %q", s, err, h.n.data)
	}
}

func (m *machine) truncate(*rapid.T) {
	size := rapid.IntRange(0, 40).Draw(m.rt, "size")
	if len(m.handles) > 0 && rapid.Bool().Draw(m.rt, "by handle") {
		h, _ := m.handle()
		if h.flags.Write {
			m.ok(h.h.Truncate(ctx, int64(size)))
			resize(h.n, size)
		}
		return
	}
	p := m.path()
	n := m.at(p)
	if n == nil || n.dir {
		return
	}
	inode, _, err := m.walk(p)
	m.ok(err)
	set := uint64(size)
	_, err = m.Setattr(ctx, inode, volume.SetAttr{Size: &set}, nil)
	m.ok(err)
	resize(n, size)
}

func (m *machine) flush(*rapid.T) {
	h, _ := m.handle()
	m.ok(h.h.Flush(ctx))
}

func (m *machine) closeFile(*rapid.T) {
	h, i := m.handle()
	m.compare(h)
	if rapid.Bool().Draw(m.rt, "flush") {
		m.ok(h.h.Flush(ctx))
	}
	h.h.Release()
	h.n.open--
	m.handles = slices.Delete(m.handles, i, i+1)
}

func (m *machine) rename(*rapid.T) {
	from, to := m.path(), m.path()
	fromDir, fromName, ok1 := m.place(from)
	toDir, toName, ok2 := m.place(to)
	if !ok1 || !ok2 {
		return
	}
	src, dst := m.at(from), m.at(to)
	var want error
	switch {
	case src == nil:
		want = volume.ErrNotExist
	case from == to:
	case strings.HasPrefix(to, from+"/"):
		want = volume.ErrInvalid
	case dst == nil:
	case dst.dir && !src.dir:
		want = volume.ErrIsDir
	case !dst.dir && src.dir:
		want = volume.ErrNotDir
	case dst.dir && len(m.below(to)) > 0:
		want = volume.ErrNotEmpty
	}
	pending := src != nil && !src.dir && m.pending(from)
	err := m.Rename(ctx, fromDir, fromName, toDir, toName, volume.RenameFlags{})
	if !m.expect(fmt.Sprintf("rename %s to %s", from, to), err, want) || from == to {
		return
	}
	m.renamed(from, to, pending)
}

// renamed says that a rename was acknowledged.
func (m *machine) renamed(from, to string, pending bool) {
	m.nodes[to] = m.nodes[from]
	delete(m.nodes, from)
	for _, p := range m.below(from) {
		m.nodes[to+p[len(from):]] = m.nodes[p]
		delete(m.nodes, p)
	}
	if parentOf(from) != parentOf(to) {
		m.left(from, pending)
	}
}

// failingRename has the journal's disk and the service fail during the rename of a file: then it changes nothing, unless it
// needs neither.
func (m *machine) failingRename(*rapid.T) {
	from, to := m.path(), m.path()
	fromDir, fromName, ok1 := m.place(from)
	toDir, toName, ok2 := m.place(to)
	src, dst := m.at(from), m.at(to)
	if !m.journal || !ok1 || !ok2 || src == nil || src.dir || dst != nil && dst.dir || from == to || strings.HasPrefix(to, from+"/") {
		return
	}
	pending := m.pending(from)
	m.broken.Store(rapid.Int64Range(1, 3).Draw(m.rt, "syncs"))
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpPut || op == s3client.OpCopy || op == s3client.OpRename || op == s3client.OpDelete {
			return errCut
		}
		return nil
	})
	err := m.Rename(ctx, fromDir, fromName, toDir, toName, volume.RenameFlags{})
	m.faults.set(nil)
	m.broken.Store(0)
	m.ok(m.log.Barrier()) // as the journal does by itself, after a second
	if err == nil {
		m.renamed(from, to, pending)
	}
}

func (m *machine) setattr(*rapid.T) {
	p := m.path()
	n := m.at(p)
	if n == nil {
		return
	}
	inode, _, err := m.walk(p)
	m.ok(err)
	var set volume.SetAttr
	if rapid.Bool().Draw(m.rt, "chmod") {
		mode := rapid.Uint32Range(0, 0o7777).Draw(m.rt, "mode") &^ 0o2000 // setgid is passed on
		set.Mode, n.mode = &mode, mode
	} else {
		mtime := time.Unix(rapid.Int64Range(1, 1<<33).Draw(m.rt, "mtime"), 5).UTC()
		set.Mtime = &mtime
		if n.mtime = mtime; n.dir {
			n.mtime = time.Time{} // changes with the entries
		}
	}
	_, err = m.Setattr(ctx, inode, set, nil)
	m.ok(err)
	n.marker = n.dir
}

func (m *machine) setxattr(*rapid.T) {
	p := m.path()
	n := m.at(p)
	if n == nil {
		return
	}
	inode, _, err := m.walk(p)
	m.ok(err)
	value := rapid.StringMatching(`[a-z]{1,5}`).Draw(m.rt, "value")
	m.ok(m.Setxattr(ctx, inode, "user.x", []byte(value), 0))
	n.xattr, n.marker = value, n.dir
}

// foreignPut is another client that stores an object where no open file is in the way.
func (m *machine) foreignPut(*rapid.T) {
	p := m.path()
	if n := m.at(p); n != nil && (n.dir || n.open > 0) {
		return
	}
	for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
		if n := m.at(dir); n != nil && !n.dir {
			return
		}
	}
	data := rapid.StringMatching(`[A-Z]{0,20}`).Draw(m.rt, "data")
	m.drained()
	if m.leases != nil {
		m.leases.make(p)
	}
	m.foreign(p, data)
	m.theirs = true
	m.nodes[p] = &refNode{data: []byte(data), mode: 0o644}
	for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
		if m.nodes[dir] == nil {
			m.nodes[dir] = &refNode{dir: true, mode: 0o755}
		}
	}
}

// foreignDelete is another client that removes an object that nobody has open. Directories that were only there for it
// go too.
func (m *machine) foreignDelete(*rapid.T) {
	p := m.path()
	n := m.at(p)
	if n == nil || n.dir || n.open > 0 {
		return
	}
	for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
		for _, q := range m.below(dir) {
			if m.nodes[q].open > 0 {
				return
			}
		}
	}
	m.drained()
	m.mount.foreignDelete(p)
	m.theirs = true
	delete(m.nodes, p)
	for dir := parentOf(p); dir != "" && !m.nodes[dir].marker && len(m.below(dir)) == 0; dir = parentOf(dir) {
		delete(m.nodes, dir)
	}
}

// remount closes everything and mounts the bucket again. With a journal, the mount may die instead of being unmounted.
func (m *machine) remount(*rapid.T) {
	m.closeAll()
	if m.journal && rapid.Bool().Draw(m.rt, "crash") {
		m.mount = m.crash(m.change)
		m.HoldNothing()
		return
	}
	m.ok(m.Close(ctx))
	disk := m.disk
	if m.journal {
		disk = breakable(disk.Kill(), &m.broken)
		m.mount = mountOn(m.rt, m.mem, m.clock, m.change, journaled(m.rt, disk))
		m.HoldNothing()
	} else {
		m.mount = mountOn(m.rt, m.mem, m.clock, m.change)
	}
	m.disk = disk
}

// drained stores everything, as another client sees only what is stored.
func (m *machine) drained() {
	if m.journal {
		m.ok(m.Sync(ctx))
		m.clock.advance(time.Minute) // versions of the same bytes are told apart by the second
	}
}

func (m *machine) closeAll() {
	for _, h := range m.handles {
		m.compare(h)
		h.h.Release()
		h.n.open--
	}
	m.handles = nil
}

// check compares the whole namespace, and now and then all bytes.
func (m *machine) check(*rapid.T) {
	if m.leases == nil || m.theirs {
		m.clock.advance(time.Minute)
	} else { // files that are made one after the other are worth a lease
		m.clock.advance(10 * time.Millisecond)
	}
	m.theirs = false
	seen := map[string]bool{}
	m.checkDir("", m.Root(), seen)
	for p := range m.nodes {
		if !seen[p] {
			m.t.Fatalf("%q is missing; there are %q", p, slices.Sorted(maps.Keys(seen)))
		}
	}
}

func (m *machine) checkDir(at string, n *volume.Inode, seen map[string]bool) {
	d, err := m.OpenDir(ctx, n)
	m.ok(err)
	defer d.Close()
	for {
		e, more, err := d.Next(ctx)
		m.ok(err)
		if !more {
			return
		}
		if e.Name == "." || e.Name == ".." {
			continue
		}
		p := path.Join(at, e.Name)
		if seen[p] {
			m.t.Fatalf("%q is listed twice", p)
		}
		seen[p] = true
		child, st, err := m.look(n, d, e.Name)
		m.ok(err)
		m.checkNode(p, child, st)
		if st.Mode&attr.TypeMask == attr.Dir {
			m.checkDir(p, child, seen)
		}
	}
}

func (m *machine) checkNode(p string, n *volume.Inode, st volume.Stat) {
	want := m.nodes[p]
	if want == nil {
		m.t.Fatalf("%q is there, want it not to be", p)
	}
	mode := attr.Regular | want.mode
	if want.dir {
		mode = attr.Dir | want.mode
	}
	if st.Mode != mode || string(st.Xattrs["user.x"]) != want.xattr {
		m.t.Fatalf("%q has mode %o and xattr %q, want %o and %q", p, st.Mode, st.Xattrs["user.x"], mode, want.xattr)
	}
	if want.dir {
		return
	}
	if st.Size != uint64(len(want.data)) || !want.mtime.IsZero() && !st.Mtime.Equal(want.mtime) {
		m.t.Fatalf("%q has size %d and mtime %v, want %d and %v", p, st.Size, st.Mtime, len(want.data), want.mtime)
	}
	if want.open == 0 {
		h, err := m.Open(ctx, n, readOnly)
		m.ok(err)
		buf := make([]byte, 100)
		got, err := h.ReadAt(ctx, buf, 0)
		h.Release()
		if err != io.EOF || string(buf[:got]) != string(want.data) {
			m.t.Fatalf("%q holds %q, %v, want %q", p, buf[:got], err, want.data)
		}
	}
}

// TestModel holds the volume to a simple reference, on every kind of service, with every cache time and in both close
// modes: what the cache and the journal keep never changes what is seen.
func TestModel(t *testing.T) {
	services := map[string]s3client.Capabilities{
		"full": memclient.Full(), "plain": plain, "conditional": conditional,
		"rename": {RenameObject: true}, "listing": {ListMetadata: true, ConditionalPut: true},
	}
	names := slices.Sorted(maps.Keys(services))
	rapid.Check(t, func(t *rapid.T) {
		caps := services[rapid.SampledFrom(names).Draw(t, "service")]
		ttl := rapid.SampledFrom([]time.Duration{0, time.Second, 59 * time.Second}).Draw(t, "ttl")
		size := rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "cache")
		c := newClock()
		m := &machine{rt: t, nodes: map[string]*refNode{}}
		part := rapid.SampledFrom([]int64{0, 1, 7}).Draw(t, "part") // 0: all files are small
		disk, lazy := rapid.Bool().Draw(t, "on disk"), rapid.Bool().Draw(t, "lazy")
		m.change = func(o *volume.Options, u *upload.Options) {
			o.TTL, o.NegativeTTL, o.MaxEntries, o.LazyUnlink = ttl, ttl, size, lazy
			if m.leases != nil {
				m.leases.leases(o, u)
			}
			if disk {
				onDisk(t)(o, u)
			}
			if part > 0 {
				u.MinPartSize, u.PartSize, u.MultipartThreshold, u.MinPatched = 1, part, 2*part, 1
			}
		}
		if m.journal = rapid.Bool().Draw(t, "journal"); m.journal {
			disk := breakable(journaltest.New(), &m.broken)
			m.mount = mountOn(t, newBucket(caps, c), c, m.change, journaled(t, disk))
			m.disk = disk
			m.HoldNothing()
		} else {
			if rapid.Bool().Draw(t, "leases") {
				m.leases = newLeaseService(c)
			}
			m.mount = mountOn(t, newBucket(caps, c), c, m.change)
		}
		t.Repeat(map[string]func(*rapid.T){
			"mkdir": m.mkdir, "rmdir": m.rmdir, "unlink": m.unlink, "create": m.create, "create another": m.create, "create a third": m.create, "open": m.openFile,
			"write": m.write, "write again": m.write, "read": m.read, "truncate": m.truncate, "flush": m.flush,
			"close": m.closeFile, "rename": m.rename, "failing rename": m.failingRename, "setattr": m.setattr, "setxattr": m.setxattr,
			"foreign put": m.foreignPut, "foreign delete": m.foreignDelete, "remount": m.remount,
			"": m.check,
		})
		m.closeAll()
		m.check(t)
		for _, key := range m.mem.Keys() {
			if strings.Contains(key, "conflict") {
				t.Fatalf("a conflict where there was none: %q", key)
			}
		}
	})
}
