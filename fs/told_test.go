package fs

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// replaced is a filesystem without a kernel in which another client replaces the file "0": version v has v bytes.
type replaced struct {
	*testing.T
	r     *requests
	fs    *filesystem
	other *memclient.Client
}

func newReplaced(t *testing.T) *replaced {
	client := memclient.New(memclient.Options{Bucket: "bucket"})
	r, f := unmountedOver(t, client)
	return &replaced{t, r, f, client.Another()}
}

func (r *replaced) put(version int) {
	r.Helper()
	body := strings.NewReader(strings.Repeat("x", version))
	if _, err := r.other.Put(context.Background(), "0", body, s3client.PutOptions{}); err != nil {
		r.Fatal(err)
	}
}

// open is OPEN of a node by a thread.
func (r *replaced) open(node uint64, thread, flags uint32) (fuse.OpenOut, fuse.Status) {
	var in fuse.OpenIn
	in.NodeId, in.Pid, in.Flags = node, thread, flags
	var out fuse.OpenOut
	return out, r.r.Open(make(chan struct{}), &in, &out)
}

func (r *replaced) mustFail(node uint64, thread, flags uint32) {
	r.Helper()
	if _, status := r.open(node, thread, flags); status != fuse.Status(syscall.ESTALE) {
		r.Fatal(status)
	}
}

func (r *replaced) mustOpen(node uint64, thread, flags uint32) fuse.OpenOut {
	r.Helper()
	out, status := r.open(node, thread, flags)
	if !status.Ok() {
		r.Fatal(status)
	}
	return out
}

// size is what GETATTR says.
func (r *replaced) size(node uint64) int {
	var in fuse.GetAttrIn
	in.NodeId = node
	var out fuse.AttrOut
	if status := r.r.GetAttr(make(chan struct{}), &in, &out); !status.Ok() {
		r.Fatal(status)
	}
	return int(out.Size)
}

// told says of which size the file is told to be.
func told(n *node, st volume.Stat) int {
	var out fuse.Attr
	n.tell(&out, st)
	return int(out.Size)
}

// lookupBy is LOOKUP by a thread.
func (r *replaced) lookupBy(thread uint32) uint64 {
	r.Helper()
	in := fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}
	in.Pid = thread
	var out fuse.EntryOut
	if status := r.r.Lookup(make(chan struct{}), &in, "0", &out); !status.Ok() {
		r.Fatal(status)
	}
	return out.NodeId
}

func (r *replaced) lookup() (uint64, *node) {
	out := lookup(r.T, r.r, "0")
	for _, n := range r.fs.nodes.mu.byInode {
		if n.v.Ino() == out.Ino {
			return out.NodeId, n
		}
	}
	r.Fatal("no node")
	return 0, nil
}

// late returns what was found out of a version, and is not told yet.
func (r *replaced) late() (uint64, *node, volume.Stat) {
	r.Helper()
	r.put(10)
	id, n := r.lookup()
	st, err := r.fs.vol.Getattr(context.Background(), n.v)
	if err != nil {
		r.Fatal(err)
	}
	return id, n, st
}

// What was found out before a version was opened is not what the kernel is told after that.
func TestLateAnswerTellsOfWhatIsOpen(t *testing.T) {
	r := newReplaced(t)
	id, n, late := r.late()
	r.put(20)
	r.mustOpen(id, 1, syscall.O_RDONLY)
	if got := told(n, late); got != 20 {
		t.Errorf("%d bytes of the 20 that are open", got)
	}
}

// The kernel may take the older of two answers that were both under way.
func TestKernelMayHaveTakenTheOlderAnswer(t *testing.T) {
	r := newReplaced(t)
	id, n, late := r.late()
	late.Size = 20
	told(n, late)
	r.put(20)
	r.mustOpen(id, 1, syscall.O_RDONLY)
	if n.mu.told.any {
		t.Error("it is not asked to ask again")
	}
	told(n, late)
	r.mustOpen(id, 2, syscall.O_RDONLY)
	if !n.mu.told.any {
		t.Error("it is asked to ask again for what it can only know")
	}
}

// parted has thread 1 opened a version that thread 2 then finds replaced, which it writes to if it says so.
func (r *replaced) parted(flags uint32) (old uint64) {
	r.put(10)
	old, _ = r.lookup()
	r.mustOpen(old, 1, syscall.O_RDONLY)
	r.put(20)
	r.mustFail(old, 2, flags)
	return old
}

// Of handles that have parted, those count that are read through the kernel's pages.
func TestKernelIsToldOfTheVersionThatItsPagesHave(t *testing.T) {
	r := newReplaced(t)
	old := r.parted(syscall.O_RDWR)
	id := r.lookupBy(2)
	if id == old {
		t.Fatal("it has no node of its own")
	}
	r.mustOpen(id, 3, syscall.O_RDONLY)
	r.put(30)
	if out := r.mustOpen(id, 2, syscall.O_RDWR); out.OpenFlags&fuse.FOPEN_DIRECT_IO == 0 {
		t.Fatal("two versions are read through one set of pages")
	}
	r.put(40)
	r.mustFail(id, 4, syscall.O_RDONLY)
	for range 30 { // whichever handle is looked at first
		if got := r.size(id); got != 20 {
			t.Fatalf("%d bytes of the 20 that are open", got)
		}
	}
}

// Who opens a file to read that is replaced all the time reads one version through pages of its own, of its own size.
func TestOpenThatIsRepeatedGoesOnWithItsVersion(t *testing.T) {
	for _, test := range []struct {
		name         string
		afterLookup  func(r *replaced, id uint64)
		elsewhere    bool // the name leads to another node for who comes later
		beforeLookup func(r *replaced, old uint64)
	}{
		{name: "unchanged"},
		{name: "replaced before the open", afterLookup: func(r *replaced, id uint64) {
			r.put(30)
			r.mustFail(id, 3, syscall.O_RDONLY)
		}, elsewhere: true},
		{name: "replaced before the lookup", beforeLookup: func(r *replaced, _ uint64) {
			r.put(30)
			r.mustOpen(r.lookupBy(3), 3, syscall.O_RDONLY)
		}, elsewhere: true},
		{name: "replaced before any lookup", beforeLookup: func(r *replaced, old uint64) {
			r.put(30)
			r.mustFail(old, 3, syscall.O_RDONLY)
		}, elsewhere: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // no time passes
				r := newReplaced(t)
				old := r.parted(syscall.O_RDONLY)
				if test.beforeLookup != nil {
					test.beforeLookup(r, old)
				}
				id := r.lookupBy(2)
				if again := r.lookupBy(2); again != id {
					t.Errorf("node %d, and %d", id, again)
				}
				if test.afterLookup != nil {
					test.afterLookup(r, id)
				}
				if out := r.mustOpen(id, 2, syscall.O_RDONLY); out.OpenFlags&fuse.FOPEN_DIRECT_IO != 0 {
					t.Error("it is read past the kernel's pages")
				}
				if got := r.size(id); got != 20 {
					t.Errorf("%d bytes of 20", got)
				}
				for _, n := range r.fs.nodes.mu.byInode {
					//lint:ignore SA1019 see dropLocked
					if n.Forgotten() {
						t.Error("a node that the kernel does not know is kept")
					}
				}
				if other := r.lookupBy(5); (other != id) != test.elsewhere {
					t.Errorf("node %d, and for others %d", id, other)
				}
			})
		})
	}
}

func held(n *node) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.mu.handles)
}

// What was opened for an open that never comes is closed; the open may still come.
func TestOpenThatIsNotRepeatedIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplaced(t)
		r.parted(syscall.O_RDONLY)
		id := r.lookupBy(2)
		_, n := r.lookup()
		if got := held(n); got != 1 {
			t.Errorf("%d handles", got)
		}
		time.Sleep(maxKeptOpen)
		synctest.Wait()
		if got := held(n); got != 0 {
			t.Errorf("%d handles after a while", got)
		}
		r.put(30)
		r.mustOpen(id, 2, syscall.O_RDONLY)
	})
}

// TestCloseOfAReaderIsNoRequest: the kernel sends no FLUSH for who has nothing to store.
func TestCloseOfAReaderIsNoRequest(t *testing.T) {
	r := newReplaced(t)
	r.put(1)
	node, _ := r.lookup()
	for flags, want := range map[uint32]bool{
		syscall.O_RDONLY: true, syscall.O_WRONLY: false, syscall.O_RDWR: false, syscall.O_RDONLY | syscall.O_TRUNC: false,
	} {
		out := r.mustOpen(node, 7, flags)
		if got := out.OpenFlags&fuse.FOPEN_NOFLUSH != 0; got != want {
			t.Errorf("opened with %#x, the kernel leaves FLUSH out: %v, want %v", flags, got, want)
		}
		r.r.Release(make(chan struct{}), &fuse.ReleaseIn{InHeader: fuse.InHeader{NodeId: node}, Fh: out.Fh})
	}
}
