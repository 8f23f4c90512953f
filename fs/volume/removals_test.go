package volume_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

func lazyUnlink(o *volume.Options, _ *upload.Options) { o.LazyUnlink = true }

// dirOf returns a directory with n files that another client has made, which the mount has listed.
func (m *mount) dirOf(n int) (dir *volume.Inode, names []string) {
	m.foreign("d/", "")
	for i := range n {
		names = append(names, fmt.Sprintf("f%05d", i))
		m.foreign("d/"+names[i], "data of "+names[i])
	}
	m.names("d", names...)
	dir, _, err := m.walk("d")
	m.ok(err)
	for _, name := range names { // as the kernel does before it removes a name
		_, _, err := m.Lookup(ctx, dir, name)
		m.ok(err)
	}
	m.mem.ResetCounts()
	return dir, names
}

// rm removes files in a row.
func (m *mount) rm(dir *volume.Inode, names []string) {
	m.t.Helper()
	for _, name := range names {
		m.ok(m.Unlink(ctx, dir, name))
	}
}

// failAll makes every request of a kind fail.
func (m *mount) failAll(kind string, why error) {
	m.faults.set(func(op, _ string) error {
		if op == kind {
			return &s3client.Error{Op: op, Err: why}
		}
		return nil
	})
}

// holding is a client whose removals wait until gate is closed, from the third on.
type holding struct {
	s3client.Client
	removals *atomic.Int32
	gate     chan struct{}
}

func (h holding) Delete(ctx context.Context, keys ...string) error {
	if h.removals.Add(1) > 2 {
		<-h.gate
	}
	return h.Client.Delete(ctx, keys...)
}

// held makes a mount's client one that holds removals up until release.
func held() (hold setup, release func()) {
	gate := make(chan struct{})
	hold = func(o *volume.Options, _ *upload.Options) { o.Client = holding{o.Client, &atomic.Int32{}, gate} }
	return hold, sync.OnceFunc(func() { close(gate) })
}

func TestManyRemovalsAreFewRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		hold, release := held()
		defer release()
		m := newMount(t, caps, lazyUnlink, hold)
		dir, names := m.dirOf(800)
		m.rm(dir, names)
		release()
		m.ok(m.rmdir("d"))
		m.missing("d")
		most := 2 + 2 + 2 // the first two, two for all the others, a listing and the marker
		if caps.DeleteDirectory {
			most-- // both at once
		}
		if n := m.mem.Requests(); n > most {
			t.Errorf("%d requests: %v", n, m.mem.Counts())
		}
		if keys := m.mem.Keys(); len(keys) > 0 {
			t.Errorf("%d keys are left", len(keys))
		}
	})
}

// What waits to be removed is gone for whoever asks this mount, and in nobody's way.
func TestQueuedRemovalIsDoneForThisMount(t *testing.T) {
	for _, how := range []setup{ttl(0), ttl(time.Minute)} {
		hold, release := held()
		defer release()
		m := newMount(t, conditional, lazyUnlink, how, hold)
		dir, names := m.dirOf(6)
		m.rm(dir, names[:5])
		if keys := m.mem.Keys(); len(keys) < 4 {
			t.Fatalf("nothing waits: %q", keys)
		}
		results := make(chan error, 2)
		go func() { // asks the service, or need not
			_, _, err := m.Lookup(ctx, dir, names[4])
			results <- err
		}()
		go func() {
			_, h, _, err := m.Create(ctx, dir, names[3], 0o640, readWrite, who)
			if err == nil {
				_, err = h.WriteAt(ctx, []byte("new"), 0)
			}
			if err == nil {
				err = h.Flush(ctx)
				h.Release()
			}
			results <- err
		}()
		time.AfterFunc(5*time.Millisecond, release)
		for range 2 {
			if err := <-results; err != nil {
				m.want(err, volume.ErrNotExist)
			}
		}
		m.names("d", names[3], names[5])
		m.ok(m.SyncDir(ctx, dir))
		if got := m.object("d/" + names[3]); got != "new" {
			t.Errorf("the new file has %q", got)
		}
		m.want(m.rmdir("d"), volume.ErrNotEmpty)
	}
}

func TestFailedRemovalComesBackAndIsTold(t *testing.T) {
	refused := func(op, key string) error { return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess} }
	for name, fail := range map[string]func(op, key string) error{
		"one key": func(op, key string) error {
			if op == s3client.OpDelete && key == "d/f00003" {
				return refused(op, key)
			}
			return nil
		},
		"a service without DeleteObjects": func(op, key string) error {
			if op == s3client.OpDelete && key == "d/f00003" {
				return refused(op, key)
			}
			if op == s3client.OpDeleteMany {
				return &s3client.Error{Op: op, Err: s3client.ErrUnsupported}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, plain, lazyUnlink)
			dir, names := m.dirOf(8)
			m.faults.set(fail)
			m.rm(dir, names)
			m.want(m.SyncDir(ctx, dir), s3client.ErrAccess)
			m.ok(m.SyncDir(ctx, dir))
			m.names("d", "f00003")
			m.want(m.Unlink(ctx, dir, "f00003"), s3client.ErrAccess) // the next one waits
			m.want(m.rmdir("d"), volume.ErrNotEmpty)
			m.faults.set(nil)
			m.ok(m.Unlink(ctx, dir, "f00003"))
			m.ok(m.rmdir("d"))
		})
	}
}

// halfDone is a client that leaves the keys of a request for many, and says so of one only, as the rest of the answer got lost.
type halfDone struct{ s3client.Client }

func (h halfDone) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 1 {
		return h.Client.Delete(ctx, keys...)
	}
	return errors.Join(
		&s3client.Error{Op: s3client.OpDeleteMany, Key: keys[0], Err: s3client.ErrAccess},
		&s3client.Error{Op: s3client.OpDeleteMany, Err: s3client.ErrUnavailable})
}

// Files whose removal the answer does not tell of are not taken for gone.
func TestRemovalsWithHalfAnAnswer(t *testing.T) {
	hold, release := held()
	defer release()
	m := newMount(t, plain, lazyUnlink, func(o *volume.Options, _ *upload.Options) { o.Client = halfDone{o.Client} }, hold)
	dir, names := m.dirOf(8)
	m.rm(dir, names)
	release()
	m.want(m.SyncDir(ctx, dir), s3client.ErrUnavailable)
	for _, name := range names {
		_, _, err := m.walk("d/" + name)
		if there := slices.Contains(m.mem.Keys(), "d/"+name); there != (err == nil) {
			t.Errorf("%s: %v, and on the service: %v", name, err, there)
		}
	}
}

func TestRmdirTellsOfAFailedRemoval(t *testing.T) {
	m := newMount(t, plain, lazyUnlink)
	dir, names := m.dirOf(8)
	m.failAll(s3client.OpDeleteMany, s3client.ErrUnavailable)
	m.rm(dir, names)
	m.want(m.rmdir("d"), s3client.ErrUnavailable)
	m.want(m.rmdir("d"), volume.ErrNotEmpty)
}

// The first removals are answered by the service, as are those of files that are open.
func TestFirstRemovalsAndThoseOfOpenFilesWait(t *testing.T) {
	hold, release := held()
	defer release()
	m := newMount(t, plain, lazyUnlink, hold)
	dir, names := m.dirOf(6)
	h := m.open("d/"+names[3], readOnly)
	defer h.Release()
	m.rm(dir, names[:2])
	time.AfterFunc(5*time.Millisecond, release)
	m.ok(m.Unlink(ctx, dir, names[3]))
	for _, name := range []string{names[0], names[1], names[3]} {
		if slices.Contains(m.mem.Keys(), "d/"+name) {
			t.Errorf("%s is still there", name)
		}
	}
	if got, err := content(h); got != "data of "+names[3] {
		t.Errorf("%q, %v", got, err)
	}
}

// Of who has just listed the directory the first does not wait either, unless one has failed.
func TestFirstRemovalOfManyDoesNotWait(t *testing.T) {
	gate := make(chan struct{})
	m := newMount(t, plain, lazyUnlink, func(o *volume.Options, _ *upload.Options) { o.Client = lateRemoval{o.Client, "d/f00000", gate} })
	dir, names := m.dirOf(4)
	many := volume.OneOfMany(ctx)
	m.ok(m.Unlink(many, dir, names[0]))
	if !slices.Contains(m.mem.Keys(), "d/"+names[0]) {
		t.Error("the removal was waited for")
	}
	close(gate)
	m.ok(m.SyncDir(ctx, dir))
	m.names("d", names[1:]...)

	m.clock.advance(time.Minute)
	m.failAll(s3client.OpDelete, s3client.ErrAccess)
	m.ok(m.Unlink(many, dir, names[1]))
	m.names("d", names[1:]...) // which waits for it
	m.want(m.Unlink(many, dir, names[2]), s3client.ErrAccess)
	m.want(m.SyncDir(ctx, dir), s3client.ErrAccess)
	m.names("d", names[1:]...)
}

func TestCloseTellsOfAFailedRemoval(t *testing.T) {
	m := newMount(t, plain, lazyUnlink)
	dir, names := m.dirOf(8)
	m.faults.set(func(op, key string) error {
		if op == s3client.OpDeleteMany || op == s3client.OpDelete && key > "d/"+names[1] {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrUnavailable}
		}
		return nil
	})
	m.rm(dir, names)
	m.want(m.Close(ctx), s3client.ErrUnavailable)
	m.ok(m.Close(ctx)) // which has told it
	if keys := m.mem.Keys(); len(keys) != 7 {
		t.Errorf("left: %q", keys)
	}
}

func TestCloseWaitsForRemovals(t *testing.T) {
	m := newMount(t, plain, lazyUnlink)
	dir, names := m.dirOf(20)
	m.rm(dir, names)
	m.ok(m.Close(ctx))
	if keys := m.mem.Keys(); !slices.Equal(keys, []string{"d/"}) {
		t.Errorf("left: %q", keys)
	}
}

// lateRemoval is a client that removes a key, alone or with others, only when gate is closed.
type lateRemoval struct {
	s3client.Client
	key  string
	gate chan struct{}
}

func (s lateRemoval) Delete(ctx context.Context, keys ...string) error {
	if slices.Contains(keys, s.key) {
		<-s.gate
	}
	return s.Client.Delete(ctx, keys...)
}

// The key of a file beside a directory is that of a file which may be made when the directory is gone.
func TestRemovalBesideADirectoryTakesNoNewFile(t *testing.T) {
	gate := make(chan struct{})
	m := newMount(t, plain, lazyUnlink, func(o *volume.Options, _ *upload.Options) { o.Client = lateRemoval{o.Client, "d/x", gate} })
	m.foreign("d/x", "old")
	m.foreign("d/x/y", "")
	m.put("d/a", "")
	m.put("d/b", "")
	dir, _, err := m.walk("d")
	m.ok(err)
	time.AfterFunc(20*time.Millisecond, func() { close(gate) })
	m.rm(dir, []string{"a", "b", "x~pail-file"})
	m.ok(m.unlink("d/x/y"))
	m.ok(m.rmdir("d/x"))
	m.put("d/x", "new")
	m.ok(m.SyncDir(ctx, dir))
	if got := m.object("d/x"); got != "new" {
		t.Errorf("the new file has %q", got)
	}
}

// An unmount that gives up waiting for removals has seen to the files before.
func TestRemovalsDoNotKeepFilesFromTheJournal(t *testing.T) {
	hold, release := held()
	defer release()
	m := newJournaled(t, plain, lazyUnlink, hold)
	dir, names := m.dirOf(4)
	h := m.create("f")
	m.writeAll(h, "data", 0)
	m.rm(dir, names)
	m.deaf()
	over, cancel := context.WithCancel(ctx)
	cancel()
	m.want(m.Close(over), volume.ErrUnsent)
	m = m.crash()
	if got := m.get("f"); got != "data" {
		t.Errorf("it has %q", got)
	}
}

// stop is a clock that makes the third removal in a row wait when it is queued.
type stop struct {
	*clock
	removals atomic.Int32
	reached  chan struct{}
	goOn     chan struct{}
}

func (s *stop) Now() time.Time {
	pc, _, _, _ := runtime.Caller(1)
	if strings.HasSuffix(runtime.FuncForPC(pc).Name(), ".countRemoval") && s.removals.Add(1) == 3 {
		close(s.reached)
		<-s.goOn
	}
	return s.clock.Now()
}

// A name is not free for others before its removal is over here too, however soon the service has answered.
func TestQueuedRemovalTakesNoNewFile(t *testing.T) {
	s := &stop{clock: newClock(), reached: make(chan struct{}), goOn: make(chan struct{})}
	m := newMount(t, conditional, lazyUnlink, func(o *volume.Options, _ *upload.Options) { o.Now = s.Now })
	dir, names := m.dirOf(4)
	m.rm(dir, names[:2])
	removed := make(chan error)
	go func() { removed <- m.Unlink(ctx, dir, names[2]) }()
	<-s.reached // queued, and not over
	for slices.Contains(m.mem.Keys(), "d/"+names[2]) {
		time.Sleep(time.Millisecond)
	}
	created := make(chan error, 1)
	go func() {
		_, h, _, err := m.Create(ctx, dir, names[2], 0o640, readWrite, who)
		if err == nil {
			_, err = h.WriteAt(ctx, []byte("new"), 0)
			err = errors.Join(err, h.Flush(ctx))
			h.Release()
		}
		created <- err
	}()
	select {
	case err := <-created:
		created <- err
	case <-time.After(20 * time.Millisecond): // it waits
	}
	close(s.goOn)
	m.ok(<-removed)
	m.ok(<-created)
	if got := m.get("d/" + names[2]); got != "new" {
		t.Errorf("the new file has %q", got)
	}
}

// overtakenRemovals is a client whose removals come late: another client has replaced one file before.
type overtakenRemovals struct {
	s3client.Client
	m   *mount
	key string
}

func (c overtakenRemovals) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	for i, what := range list {
		if list[i].Any = nil; what.Key == c.key { // as of what is tried again
			c.m.foreign(c.key, "theirs")
		}
	}
	return s3client.DeleteVersions(ctx, c.m.mem, list...)
}

// TestLateRemovalLeavesTheNewFileOfAnother removes files, alone and with others, when another client has made one anew.
func TestLateRemovalLeavesTheNewFileOfAnother(t *testing.T) {
	for taken := range 5 { // the first two are removed alone
		late := &overtakenRemovals{}
		m := newMount(t, conditional, lazyUnlink, func(o *volume.Options, _ *upload.Options) {
			late.Client = o.Client
			o.Client = late
		})
		dir, names := m.dirOf(5)
		late.m, late.key = m, "d/"+names[taken]
		m.rm(dir, names)
		m.ok(m.SyncDir(ctx, dir))
		m.names("d", names[taken])
		if got := m.get("d/" + names[taken]); got != "theirs" {
			t.Errorf("it has %q", got)
		}
		m.want(m.rmdir("d"), volume.ErrNotEmpty)
		late.key = ""
		m.ok(m.unlink("d/" + names[taken]))
		m.ok(m.rmdir("d"))
	}
}
