package volume_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// A tree that is removed as rm -r does is listed as one that is only walked through is, and its files are removed together.
func TestRemovalOfATreeIsFewRequests(t *testing.T) {
	m := newMount(t, memclient.Full(), lazyUnlink)
	var dirs, files []string
	for d := range 20 {
		dirs = append(dirs, fmt.Sprintf("t/d%02d", d))
		m.foreign(dirs[d]+"/", "")
		for f := range 5 {
			m.foreign(fmt.Sprint(dirs[d], "/f", f), "x")
		}
	}
	for f := range 5 {
		files = append(files, fmt.Sprint("f", f))
	}
	m.foreign("t/", "")
	m.list("t")
	m.mem.ResetCounts()
	for _, dir := range dirs {
		m.names(dir, files...)
		n, _, err := m.walk(dir)
		m.ok(err)
		m.rm(n, files)
		m.ok(m.rmdir(dir))
	}
	m.ok(m.rmdir("t"))
	counts := m.mem.Counts()
	if counts[s3client.OpList] > 3 || counts[s3client.OpDeleteDir] != len(dirs)+1 || counts[s3client.OpHead] > 0 {
		t.Errorf("%v", counts)
	}
	if keys := m.mem.Keys(); len(keys) > 0 {
		t.Errorf("keys are %q", keys)
	}
}

// After a directory with files has gone, those of the next one are queued at once; one beside them is not.
func TestFilesOfTheNextDirectoryDoNotWait(t *testing.T) {
	gate := make(chan struct{})
	held := false
	c := &steps{wait: func(string) <-chan struct{} {
		if held {
			return gate
		}
		return nil
	}}
	m := newMount(t, memclient.Full(), lazyUnlink, stepped(c))
	for _, key := range []string{"t/a/1", "t/b/1", "t/b/c/1", "t/lock", "u/1"} {
		m.foreign(key, "x")
	}
	for _, dir := range []string{"t", "t/a", "t/b", "t/b/c", "u"} {
		m.foreign(dir+"/", "")
	}
	for _, dir := range []string{"", "t", "t/a", "t/b", "t/b/c", "u"} {
		m.list(dir)
	}
	m.ok(m.unlink("t/a/1"))
	m.ok(m.rmdir("t/a"))
	m.ok(m.unlink("t/lock"))
	m.ok(m.unlink("u/1"))
	if keys := m.mem.Keys(); slices.Contains(keys, "t/lock") || slices.Contains(keys, "u/1") {
		t.Errorf("keys are %q", keys)
	}
	held = true
	m.ok(m.unlink("t/b/c/1"))
	m.ok(m.unlink("t/b/1"))
	close(gate)
	m.ok(m.rmdir("t/b/c"))
	m.ok(m.rmdir("t/b"))
	m.ok(m.rmdir("t"))
}

// pensive is a client whose looks at names take a moment.
type pensive struct{ s3client.Client }

func (s pensive) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	time.Sleep(2 * time.Millisecond)
	return s.Client.Head(ctx, key)
}

func (s pensive) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	time.Sleep(2 * time.Millisecond)
	return s.Client.List(ctx, q)
}

// What is asked for to know whether a directory needs a marker does not wait for the removal that needs it.
func TestMarkersOfATreeThatIsRemoved(t *testing.T) {
	for _, caps := range []s3client.Capabilities{plain, memclient.Full()} {
		m := newMount(t, caps, lazyUnlink, ttl(0), func(o *volume.Options, _ *upload.Options) {
			o.Client, o.MetaTimeout, o.MaxEntries = pensive{o.Client}, 90*time.Second, 1
		})
		m.foreign("t/keep", "x")
		for d := range 5 {
			for f := range 3 {
				m.foreign(fmt.Sprintf("t/d%d/f%d", d, f), "x")
			}
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			for d := range 5 {
				dir := fmt.Sprint("t/d", d)
				m.names(dir, "f0", "f1", "f2")
				n, _, err := m.walk(dir)
				m.ok(err)
				m.rm(n, []string{"f0", "f1", "f2"})
				m.ok(m.rmdir(dir))
			}
			m.names("t", "keep")
		}()
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Fatal("it hangs")
		}
	}
}

// A removal after one that has failed waits, also in a tree that is being removed.
func TestRemovalInATreeAfterOneThatFailed(t *testing.T) {
	m := newMount(t, memclient.Full(), lazyUnlink)
	for _, key := range []string{"t/", "t/a/", "t/a/1", "t/b/", "t/b/1", "t/b/2"} {
		m.foreign(key, "")
	}
	m.ok(m.unlink("t/a/1"))
	m.ok(m.rmdir("t/a"))
	dir, _, err := m.walk("t/b")
	m.ok(err)
	m.faults.set(func(op, key string) error {
		if op == s3client.OpDelete && key == "t/b/1" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	m.ok(m.Unlink(ctx, dir, "1"))
	m.names("t/b", "1", "2") // it is there again
	m.want(m.Unlink(ctx, dir, "1"), s3client.ErrAccess)
	m.want(m.SyncDir(ctx, dir), s3client.ErrAccess)
	m.faults.set(nil)
}
