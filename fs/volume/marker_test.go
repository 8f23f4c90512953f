package volume_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/fs/journal/journaltest"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
	"pail/s3client/retry"
)

// awaitCalls waits until at least n goroutines wait for something in a function.
func awaitCalls(t *testing.T, n int, function string) {
	t.Helper()
	waits := func(state string) bool { return !strings.HasPrefix(state, "run") }
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if volume.Goroutines(waits, "volume."+function+"(") >= n {
			return
		}
	}
	t.Fatalf("less than %d goroutines wait in %s", n, function)
}

// lateMarker mounts a bucket with files of other clients in d, which has no marker, and in e, which has one. The marker of d
// is made when marked is called.
func lateMarker(t *testing.T, caps s3client.Capabilities, change ...setup) (m *mount, c *steps, marked func()) {
	gate := make(chan struct{})
	var once sync.Once
	c = &steps{wait: func(step string) (until <-chan struct{}) {
		if step == "put d/" {
			once.Do(func() { until = gate })
		}
		return until
	}}
	m = newMount(t, caps, append([]setup{lazyUnlink, stepped(c), func(o *volume.Options, _ *upload.Options) {
		o.MetaTimeout = time.Minute
	}}, change...)...)
	for _, key := range []string{"d/a", "d/b", "d/c", "e/", "e/a"} {
		m.foreign(key, "")
	}
	m.names("d", "a", "b", "c")
	m.names("e", "a")
	marked = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(marked) // before the unmount
	return m, c, marked
}

// unlinkMany removes files as one who has just listed their directory.
func (m *mount) unlinkMany(dir string, names ...string) *volume.Inode {
	m.t.Helper()
	d, _, err := m.walk(dir)
	m.ok(err)
	for _, name := range names {
		m.ok(m.Unlink(volume.OneOfMany(ctx), d, name))
	}
	return d
}

// Removals that are queued do not wait for the marker of their directory, which is made once, but go after it.
func TestQueuedRemovalsGoWhenTheMarkerIsThere(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m, c, marked := lateMarker(t, caps)
		d := m.unlinkMany("d", "a", "b", "c")
		synced := make(chan error)
		go func() { synced <- m.SyncDir(ctx, d) }()
		awaitCalls(t, 1, "(*removals).settle")
		if keys := m.mem.Keys(); len(keys) != 5 {
			t.Errorf("before the marker is there: %q", keys)
		}
		marked()
		m.ok(<-synced)
		if got := c.took(); len(got) != 4 || got[1] != "done put d/" || got[2] != "delete d/a d/b d/c" {
			t.Errorf("it took %q", got)
		}
		m.names("d")
	})
}

// Without the marker they come back, and who waits is told.
func TestQueuedRemovalsWithoutAMarkerComeBack(t *testing.T) {
	m, _, marked := lateMarker(t, plain)
	marked()
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut && key == "d/" {
			return &s3client.Error{Op: op, Key: key, Err: s3client.ErrAccess}
		}
		return nil
	})
	e := m.unlinkMany("e", "a")
	d := m.unlinkMany("d", "a")
	m.want(m.SyncDir(ctx, d), s3client.ErrAccess)
	m.faults.set(nil)
	m.ok(m.SyncDir(ctx, e))
	m.names("d", "a", "b", "c")
	m.names("e")
	m.unlinkMany("d", "a")
	m.names("d", "b", "c")
}

// Those of other directories do not wait, whether somebody waits for them or not.
func TestRemovalsElsewhereDoNotWaitForAMarker(t *testing.T) {
	m, c, marked := lateMarker(t, memclient.Full())
	m.unlinkMany("d", "a")
	m.unlinkMany("e", "a")
	c.await(t, "done delete e/a")
	removed := make(chan error)
	go func() { removed <- m.rmdir("d") }()
	awaitCalls(t, 1, "(*pathLocks).exclude")
	if keys := m.mem.Keys(); !slices.Equal(keys, []string{"d/a", "d/b", "d/c", "e/"}) {
		t.Errorf("keys are %q", keys)
	}
	marked()
	m.want(<-removed, volume.ErrNotEmpty)
	m.names("d", "b", "c")
	m.names("e")
}

// Of more removals than a request takes, those that find no room wait for the marker, and no longer. Others do not.
func TestMoreRemovalsThanMayWaitForAMarker(t *testing.T) {
	m, c, marked := lateMarker(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { o.Parallel = 1 })
	var names []string
	for i := range s3client.MaxDeleteKeys + 10 {
		names = append(names, fmt.Sprintf("f%05d", i))
		m.foreign("d/"+names[i], "")
	}
	m.foreign("g/a", "")
	m.foreign("g/b", "")
	m.clock.advance(2 * time.Minute)
	m.names("d", append([]string{"a", "b", "c"}, names...)...)
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.unlinkMany("d", names...)
	}()
	awaitCalls(t, 1, "(*Volume).queueRemoval")
	m.unlinkMany("g", "a")
	c.await(t, "done delete g/a")
	marked()
	<-over
	m.names("d", "a", "b", "c")
}

// onConditions lets the service of lateMarker remove on conditions, which a repeated removal has.
func onConditions(o *volume.Options, _ *upload.Options) {
	c := o.Client.(*steps)
	c.Client = versions{c.Client}
	o.Client = retry.New(c, retry.Options{})
}

// versions is a client of a service that removes on conditions.
type versions struct{ s3client.Client }

func (c versions) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	return s3client.DeleteVersions(ctx, c.Client.(*faults).Client, list...)
}

// What another client has made under the name before the removal could go stays.
func TestRemovalAfterALateMarkerTakesNoNewObject(t *testing.T) {
	m, _, marked := lateMarker(t, memclient.Full(), onConditions)
	d := m.unlinkMany("d", "a", "b")
	m.foreign("d/a", "new")
	m.clock.advance(2 * time.Second)
	marked()
	m.ok(m.SyncDir(ctx, d))
	m.names("d", "a", "c")
	if got := m.get("d/a"); got != "new" {
		t.Errorf("it is %q", got)
	}
}

// Attributes that a directory gets while its marker is made are those that it has.
func TestModeOfADirectoryWhoseMarkerIsMade(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m, c, marked := lateMarker(t, caps)
		d := m.unlinkMany("d", "a")
		c.await(t, "put d/")
		changed := make(chan error)
		go func() {
			mode := uint32(0o700)
			_, err := m.Setattr(ctx, d, volume.SetAttr{Mode: &mode}, nil)
			changed <- err
		}()
		if caps.Exclusive() {
			m.ok(<-changed)
			marked()
		} else {
			awaitCalls(t, 1, "(*Volume).changeStored")
			marked()
			m.ok(<-changed)
		}
		m.ok(m.SyncDir(ctx, d))
		if st, other := m.stat("d"), m.second().stat("d"); st.Mode&0o777 != 0o700 || other.Mode&0o777 != 0o700 {
			t.Errorf("its mode is %o, for another mount %o", st.Mode, other.Mode)
		}
	})
}

// An unlink that waits for an upload of this mount removes what that has stored, however late.
func TestLateRemovalTakesWhatThisMountHasStored(t *testing.T) {
	disk := journaltest.New()
	m, c, marked := lateMarker(t, memclient.Full(), journaled(t, disk), onConditions)
	storing := make(chan struct{})
	first := c.wait
	c.wait = func(step string) <-chan struct{} {
		if step == "put d/a" {
			return storing
		}
		return first(step)
	}
	h := m.open("d/a", volume.OpenFlags{Write: true})
	m.writeAll(h, "ours", 0)
	m.close(h)
	c.await(t, "put d/a")
	d, _, err := m.walk("d")
	m.ok(err)
	removed := make(chan error)
	go func() { removed <- m.Unlink(volume.OneOfMany(ctx), d, "a") }()
	awaitCalls(t, 1, "(*Volume).gatedInode")
	close(storing)
	m.ok(<-removed)
	m.clock.advance(2 * time.Second)
	marked()
	m.ok(m.SyncDir(ctx, d))
	m.names("d", "b", "c")
}
