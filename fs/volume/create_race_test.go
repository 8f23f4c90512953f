package volume

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
	"pail/s3client/memclient"
)

// firstHead is a client that calls a function with the first HEAD of a key.
type firstHead struct {
	s3client.Client
	key  string
	once sync.Once
	do   func()
}

func (c *firstHead) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	if key == c.key {
		c.once.Do(c.do)
	}
	return c.Client.Head(ctx, key)
}

// TestCreatedFileHasItsName has the answer to a lookup, that there is nothing under a name, come at the very moment at which
// a file is made there. A file that lost its name to it would be stored under that name all the same, also if another one is
// made there meanwhile.
func TestCreatedFileHasItsName(t *testing.T) {
	ctx := context.Background()
	var v *Volume
	looked := make(chan *Inode, 1)
	client := &firstHead{Client: memclient.New(memclient.Options{})}
	client.do = func() { // after Create has found nothing under the name
		n := v.inode(place{v.Root(), "a"}, attr.Regular) // by a lookup that was asked when there was something
		n.mu.Lock()
		looked <- n
	}
	area, err := stage.New(stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	v, err = New(Options{
		Client: client, Keys: keymap.New(""), Stage: area,
		Readahead: readahead.NewPool(readahead.Options{Client: client}),
	})
	if err != nil {
		t.Fatal(err)
	}
	client.key = v.markerKey("") // whose attributes a new file inherits
	type made struct {
		n   *Inode
		h   *Handle
		err error
	}
	done := make(chan made, 1)
	go func() {
		n, h, _, err := v.Create(ctx, v.Root(), "a", 0o644, OpenFlags{Write: true}, Caller{})
		done <- made{n, h, err}
	}()
	awaitLock("volume.(*Volume).Create(")
	found := <-looked
	v.table.RemoveAt(found.node, "a") // as detach does, with found.mu
	found.mu.Unlock()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	if v.child(place{v.Root(), "a"}) != got.n {
		t.Error("the file has no name")
	}
	got.h.Release()
	if err := v.Close(ctx); err != nil {
		t.Error(err)
	}
}

// awaitLock waits until a goroutine in a function waits for a mutex.
func awaitLock(in string) {
	locks := func(state string) bool { return strings.HasPrefix(state, "sync.Mutex.Lock") }
	for Goroutines(locks, in) == 0 {
		runtime.Gosched()
	}
}
