package fs

import (
	"context"
	"strings"
	"syscall"
	"testing"

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
func (r *replaced) open(node uint64, thread uint32) (fuse.OpenOut, fuse.Status) {
	var in fuse.OpenIn
	in.NodeId, in.Pid = node, thread
	var out fuse.OpenOut
	return out, r.r.Open(make(chan struct{}), &in, &out)
}

func (r *replaced) mustOpen(node uint64, thread uint32) fuse.OpenOut {
	r.Helper()
	out, status := r.open(node, thread)
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

// What was found out before a version was opened is not what the kernel is told after that.
func TestLateAnswerTellsOfWhatIsOpen(t *testing.T) {
	r := newReplaced(t)
	r.put(10)
	id, n := r.lookup()
	late, err := r.fs.vol.Getattr(context.Background(), n.v)
	if err != nil {
		t.Fatal(err)
	}
	r.put(20)
	r.mustOpen(id, 1)
	if got := told(n, late); got != 20 {
		t.Errorf("%d bytes of the 20 that are open", got)
	}
}

// The kernel may take the older of two answers that were both under way.
func TestKernelMayHaveTakenTheOlderAnswer(t *testing.T) {
	r := newReplaced(t)
	r.put(10)
	id, n := r.lookup()
	late, err := r.fs.vol.Getattr(context.Background(), n.v)
	if err != nil {
		t.Fatal(err)
	}
	late.Size = 20
	told(n, late)
	r.put(20)
	r.mustOpen(id, 1)
	if n.mu.told.any {
		t.Error("it is not asked to ask again")
	}
	told(n, late)
	r.mustOpen(id, 2)
	if !n.mu.told.any {
		t.Error("it is asked to ask again for what it can only know")
	}
}

// Of handles that have parted, those count that are read through the kernel's pages.
func TestKernelIsToldOfTheVersionThatItsPagesHave(t *testing.T) {
	r := newReplaced(t)
	r.put(10)
	old, _ := r.lookup()
	r.mustOpen(old, 1)
	r.put(20)
	if _, status := r.open(old, 2); status != fuse.Status(syscall.ESTALE) {
		t.Fatal(status)
	}
	id, _ := r.lookup()
	if id == old {
		t.Fatal("it has no node of its own")
	}
	r.mustOpen(id, 3)
	r.put(30)
	if out := r.mustOpen(id, 2); out.OpenFlags&fuse.FOPEN_DIRECT_IO == 0 {
		t.Fatal("two versions are read through one set of pages")
	}
	r.put(40)
	if _, status := r.open(id, 4); status != fuse.Status(syscall.ESTALE) {
		t.Fatal(status)
	}
	for range 30 { // whichever handle is looked at first
		if got := r.size(id); got != 20 {
			t.Fatalf("%d bytes of the 20 that are open", got)
		}
	}
}
