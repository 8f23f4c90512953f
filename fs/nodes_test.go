package fs

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// unmounted returns the requests of a filesystem with the files 0 to n-1, without a kernel.
func unmounted(t *testing.T, n int) (*requests, *filesystem) {
	t.Helper()
	client := memclient.New(memclient.Options{Bucket: "bucket"})
	for i := range n {
		if _, err := client.Put(context.Background(), fmt.Sprint(i), strings.NewReader("x"), s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return unmountedOver(t, client)
}

func unmountedOver(t testing.TB, client s3client.Client) (*requests, *filesystem) {
	t.Helper()
	area, err := stage.New(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	pool := readahead.NewPool(readahead.Options{Client: client})
	t.Cleanup(func() { pool.Close(); area.Close() })
	vol, err := volume.New(volume.Options{Client: client, Caps: memclient.Full(), Keys: keymap.New(""), Stage: area, Readahead: pool, LazyUnlink: true})
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{}.withDefaults()
	f := newFilesystem(vol, opt)
	root := &node{fs: f, v: vol.Root()}
	return &requests{RawFileSystem: fusefs.NewNodeFS(root, opt.node(root)), fs: f, nodes: &f.nodes}, f
}

// known returns the number of nodes that the kernel may know.
func known(f *filesystem) int {
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	return len(f.nodes.mu.byInode)
}

func lookup(t *testing.T, r *requests, name string) fuse.EntryOut {
	var out fuse.EntryOut
	if status := r.Lookup(make(chan struct{}), &fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, name, &out); !status.Ok() {
		t.Errorf("lookup %s: %v", name, status)
	}
	return out
}

func TestTwoLookupsGiveOneNode(t *testing.T) {
	r, f := unmounted(t, 1)
	one, two := lookup(t, r, "0"), lookup(t, r, "0")
	if one.NodeId != two.NodeId || one.Ino != two.Ino {
		t.Errorf("nodes %d and %d, inodes %d and %d", one.NodeId, two.NodeId, one.Ino, two.Ino)
	}
	r.Forget(one.NodeId, 1)
	if known(f) != 1 {
		t.Error("dropped while the kernel knows it")
	}
	r.Forget(one.NodeId, 1)
	if known(f) != 0 {
		t.Error("kept after the kernel has forgotten it")
	}
}

// TestKernelIsAskedToForget walks over many files with a kernel that forgets, when it is asked, what nobody uses.
func TestKernelIsAskedToForget(t *testing.T) {
	const files, limit, used = 600, 64, 7
	r, f := unmounted(t, files)
	var ids sync.Map // node ids by inode number
	f.nodes.mu.pruner.limit = limit
	f.nodes.mu.pruner.ask = func(list []*fusefs.Inode) syscall.Errno {
		for _, n := range list {
			if id, ok := ids.Load(n.StableAttr().Ino); ok {
				r.Forget(id.(uint64), 1)
			}
		}
		return 0
	}
	for i := range files {
		out := lookup(t, r, fmt.Sprint(i))
		if i >= used {
			ids.Store(out.Ino, out.NodeId)
		}
		for asking(f) {
			runtime.Gosched()
		}
		if n := known(f); n > limit+limit/8+used {
			t.Fatalf("%d nodes are known after %d files", n, i+1)
		}
	}
}

// TestKernelThatCannotForget is one of before Linux 6.18, which is asked once.
func TestKernelThatCannotForget(t *testing.T) {
	const files = 100
	r, f := unmounted(t, files)
	var asked atomic.Int32
	f.nodes.mu.pruner.limit = 16
	f.nodes.mu.pruner.ask = func([]*fusefs.Inode) syscall.Errno { asked.Add(1); return syscall.ENOSYS }
	for i := range files {
		lookup(t, r, fmt.Sprint(i))
		for asking(f) {
			runtime.Gosched()
		}
	}
	if asked.Load() != 1 || known(f) != files {
		t.Errorf("asked %d times, %d nodes are known", asked.Load(), known(f))
	}
}

func asking(f *filesystem) bool {
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	return f.nodes.mu.pruner.asking
}

func TestNodesSurviveForgetsAndLookupsAtOnce(t *testing.T) {
	const files, workers, rounds = 3, 8, 300
	r, f := unmounted(t, files)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				out := lookup(t, r, fmt.Sprint((w+i)%files))
				// While it is held, everybody gets the same.
				if again := lookup(t, r, fmt.Sprint((w+i)%files)); again.NodeId != out.NodeId || again.Ino != out.Ino {
					t.Errorf("node %d became %d, inode %d became %d", out.NodeId, again.NodeId, out.Ino, again.Ino)
				}
				r.Forget(out.NodeId, 2)
			}
		}()
	}
	wg.Wait()
	if n := known(f); n != 0 {
		t.Errorf("%d nodes are left", n)
	}
	if n := len(f.nodes.mu.held); n != 0 {
		t.Errorf("%d requests still hold nodes", n)
	}
}
