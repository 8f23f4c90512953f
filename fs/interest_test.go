package fs

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/s3client"
	"pail/s3client/memclient"
)

// walker is a thread that lists directories, as the kernel passes that on.
type walker struct {
	t *testing.T
	r *requests
	fuse.InHeader
}

// walkers returns what makes threads that walk in a bucket with directories of three files and a directory.
func walkers(t *testing.T, dirs int) func(thread uint32) *walker {
	client := memclient.New(memclient.Options{Capabilities: memclient.Full()})
	for d := range dirs {
		for _, name := range []string{"a", "b", "c", "sub/x", "sub/y"} {
			key := fmt.Sprintf("%d/%s", d, name)
			if _, err := client.Put(context.Background(), key, strings.NewReader("x"), s3client.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return walkersIn(t, client)
}

// walkersIn is walkers for the bucket of a client.
func walkersIn(t *testing.T, client s3client.Client) func(thread uint32) *walker {
	r, _ := unmountedOver(t, client)
	return func(thread uint32) *walker {
		w := &walker{t: t, r: r}
		w.NodeId, w.Pid = fuse.FUSE_ROOT_ID, thread
		return w
	}
}

// in returns the walker in the directory at names below the one where it is. The kernel has looked these up by itself.
func (w *walker) in(names ...string) *walker {
	w.t.Helper()
	there := *w
	for _, name := range names {
		there.NodeId = there.lookup(name)
	}
	return &there
}

func (w *walker) lookup(name string) uint64 {
	w.t.Helper()
	var out fuse.EntryOut
	if status := w.r.Lookup(make(chan struct{}), &w.InHeader, name, &out); !status.Ok() {
		w.t.Fatalf("lookup %s: %v", name, status)
	}
	return out.NodeId
}

// list lists the directory and returns the entries that came without attributes, one letter each.
func (w *walker) list() (bare string) {
	w.t.Helper()
	w.read(w.t, make([]byte, 4096), func(name string, node uint64) {
		if node == 0 && name != "." && name != ".." {
			bare += name[:1]
		}
	})
	return bare
}

// read reads the directory, as READDIRPLUS, and calls entry for each entry; node is 0 where it came without attributes.
func (w *walker) read(t testing.TB, buf []byte, entry func(name string, node uint64)) {
	t.Helper()
	var opened fuse.OpenOut
	if status := w.r.OpenDir(make(chan struct{}), &fuse.OpenIn{InHeader: w.InHeader}, &opened); !status.Ok() {
		t.Fatal(status)
	}
	defer w.r.ReleaseDir(&fuse.ReleaseIn{InHeader: w.InHeader, Fh: opened.Fh})
	for off := uint64(0); ; {
		clear(buf)
		in := &fuse.ReadIn{InHeader: w.InHeader, Fh: opened.Fh, Offset: off, Size: uint32(len(buf))}
		if status := w.r.ReadDirPlus(make(chan struct{}), in, fuse.NewDirEntryList(buf, off)); !status.Ok() {
			t.Fatal(status)
		}
		before := off
		// struct fuse_direntplus of linux/fuse.h: the attributes, then number, offset, length of the name, type and the name.
		const head = int(unsafe.Sizeof(fuse.EntryOut{}))
		for at := 0; at+head+24 <= len(buf) && binary.NativeEndian.Uint32(buf[at+head+16:]) > 0; {
			off = binary.NativeEndian.Uint64(buf[at+head+8:])
			n := int(binary.NativeEndian.Uint32(buf[at+head+16:]))
			entry(string(buf[at+head+24:][:n]), binary.NativeEndian.Uint64(buf[at:]))
			at += head + (24+n+7)&^7
		}
		if off == before {
			return
		}
	}
}

// lists fails unless the walker gets all but these entries with attributes in the directory at names.
func (w *walker) lists(bare string, names ...string) {
	w.t.Helper()
	if got := w.in(names...).list(); got != bare {
		w.t.Errorf("in %q %q came without attributes, want %q", names, got, bare)
	}
}

func TestWhoWantsNoAttributesGetsNone(t *testing.T) {
	find := walkers(t, 6)(7)
	find.lists("", "0")
	find.lists("a", "1") // the probe
	for d := 2; d < 6; d++ {
		find.lists("abc", fmt.Sprint(d)) // but of the directory, which is going to be listed too
	}
}

func TestWhoWantsAttributesGetsThem(t *testing.T) {
	const dirs = 200
	du := walkers(t, dirs)(7)
	probes := 0
	for d := range dirs {
		there := du.in(fmt.Sprint(d))
		bare := there.list()
		probes += len(bare)
		for _, name := range bare {
			there.lookup(string(name))
		}
	}
	if probes < 2 || probes > 10 {
		t.Errorf("%d of %d directories had a probe", probes, dirs)
	}
}

func TestWhoWantsAttributesLaterGetsThem(t *testing.T) {
	w := walkers(t, 10)(7)
	w.lists("", "0")
	w.lists("a", "1")
	w.lists("abc", "2")
	w.in("2").lookup("b")
	w.lists("a", "3") // a probe again
	w.lists("a", "4") // and a second one, as the first conclusion was an error
	w.lists("abc", "5")
	w.in("5").lookup("c")
	for d := 6; d < 10; d++ {
		w.lists("a", fmt.Sprint(d))
	}
}

func TestWhoStepsDownComesBackToTheFiles(t *testing.T) {
	w := walkers(t, 3)(7)
	w.lists("", "0")
	w.lists("a", "1")
	w.lists("x", "1", "sub") // nothing is known of 1 by that
	w.lists("abc", "2")      // but of its directory
}

// TestFilesThatAnotherThreadLooksUpLater: one thread lists ahead of those that work on what it has found.
func TestFilesThatAnotherThreadLooksUpLater(t *testing.T) {
	const dirs = 200
	thread := walkers(t, dirs)
	lister, worker := thread(7), thread(8)
	bare := 0
	for d := range dirs {
		bare += len(lister.in(fmt.Sprint(d)).list())
		if d > 2 {
			for _, name := range []string{"a", "b", "c"} {
				worker.in(fmt.Sprint(d - 3)).lookup(name)
			}
		}
	}
	if bare > 3*dirs/2 { // a third are probes
		t.Errorf("%d of %d files came without attributes", bare, 3*dirs)
	}
}

// TestWhatIsReadAgainTellsNothing: the kernel asks again for entries that did not fit where it put them.
func TestWhatIsReadAgainTellsNothing(t *testing.T) {
	w := walkers(t, 4)(7)
	w.lists("", "0")
	there := w.in("1")
	var opened fuse.OpenOut
	if status := w.r.OpenDir(make(chan struct{}), &fuse.OpenIn{InHeader: there.InHeader}, &opened); !status.Ok() {
		t.Fatal(status)
	}
	for _, off := range []uint64{0, 2} { // behind "." and ".."
		in := &fuse.ReadIn{InHeader: there.InHeader, Fh: opened.Fh, Offset: off, Size: 4096}
		if status := w.r.ReadDirPlus(make(chan struct{}), in, fuse.NewDirEntryList(make([]byte, 4096), off)); !status.Ok() {
			t.Fatal(status)
		}
	}
	w.r.ReleaseDir(&fuse.ReleaseIn{InHeader: there.InHeader, Fh: opened.Fh})
	w.lists("a", "2") // a probe, as the one before was told at last
}

func TestListingAgainIsNotGoingOn(t *testing.T) {
	w := walkers(t, 3)(7)
	w.lists("", "0")
	for range 3 {
		w.lists("a", "1")
	}
	w.lists("abc", "2")
}

func TestOtherThreadsHaveTheirOwnInterest(t *testing.T) {
	thread := walkers(t, 6)
	find, other, unknown := thread(7), thread(8), thread(0)
	for d := range 3 {
		find.in(fmt.Sprint(d)).list()
	}
	find.lists("abc", "3")
	other.lists("", "3")
	other.lists("a", "4")
	other.in("4").lookup("a") // nobody else wants this
	find.lists("abc", "5")
	for d := range 6 {
		unknown.lists("", fmt.Sprint(d))
	}
}

// TestKnownFilesTellNothing: the kernel does not look up what it knows.
func TestKnownFilesTellNothing(t *testing.T) {
	w := walkers(t, 4)(7)
	w.lists("", "0")
	w.in("1").lookup("a")
	w.lists("b", "1")
	for _, name := range []string{"a", "b", "c"} {
		w.in("2").lookup(name)
	}
	w.in("1").lookup("b")
	w.lists("", "2") // no probe after one that was looked up
	w.lists("a", "3")
}

func TestInterestForgetsThreads(t *testing.T) {
	thread := walkers(t, 3)
	for n := range uint32(3 * maxReaders) {
		w := thread(n + 1)
		for d := range 3 {
			w.in(fmt.Sprint(d)).list()
		}
	}
	i := thread(0).r.fs.interest
	watched := 0
	for _, readers := range i.mu.watched {
		watched += len(readers)
	}
	if i.mu.readers.Len() != maxReaders || watched != maxReaders {
		t.Errorf("%d readers are remembered, %d are watched", i.mu.readers.Len(), watched)
	}
}

// gated is a client whose removals wait until gate is closed.
type gated struct {
	*memclient.Client
	gate chan struct{}
}

func (c gated) Delete(ctx context.Context, keys ...string) error {
	<-c.gate
	return c.Client.Delete(ctx, keys...)
}

func (c gated) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	<-c.gate
	return c.Client.DeleteVersions(ctx, list...)
}

// A thread that has listed a directory does not wait for the first file of it that it removes, unless it has listed another
// directory since.
func TestWhoHasListedADirectoryRemovesItsFiles(t *testing.T) {
	client := gated{memclient.New(memclient.Options{Capabilities: memclient.Full()}), make(chan struct{})}
	for _, key := range []string{"d/a", "d/b", "e/a"} {
		if _, err := client.Put(context.Background(), key, strings.NewReader("x"), s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	on := walkersIn(t, client)
	first, second := on(1).in("d"), on(2).in("d")
	second.list()
	on(2).in("e").list()
	first.list()
	remove := func(w *walker, name string) chan fuse.Status {
		done := make(chan fuse.Status, 1)
		go func() { done <- w.r.Unlink(make(chan struct{}), &w.InHeader, name) }()
		return done
	}
	if status := <-remove(first, "a"); !status.Ok() { // else it waits for good
		t.Fatal(status)
	}
	done := remove(second, "b")
	close(client.gate)
	if status := <-done; !status.Ok() {
		t.Error(status)
	}
	if slices.Contains(client.Keys(), "d/b") {
		t.Error("d/b is still there")
	}
}
