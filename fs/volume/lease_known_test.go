package volume_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// What is believed under a lease for reads for a moment only without one: it must be what there is.

// timeless is a client that is not told the time of what it stores, as pail's server and S3 do not.
type timeless struct{ s3client.Client }

func (c timeless) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := c.Client.Put(ctx, key, r, opt)
	info.LastModified = time.Time{}
	return info, err
}

func withoutTimes(o *volume.Options, u *upload.Options) {
	o.Client, u.Client = timeless{o.Client}, timeless{u.Client}
}

// newReads is newLeased with leases for reads, on a mount that believes for a second what these do not assure.
func newReads(t tb, caps s3client.Capabilities, change ...setup) (*mount, *leaseService) {
	m, s := newLeased(t, caps, append([]setup{ttl(time.Second)}, change...)...)
	s.reads = true
	return m, s
}

// foreignMode sets the attributes of an object as another client would.
func (m *mount) foreignMode(key, mode string) {
	m.t.Helper()
	_, err := m.mem.Another().Copy(ctx, key, key, s3client.CopyOptions{Replace: true, Meta: s3client.Meta{"mode": mode}})
	m.ok(err)
}

// Attributes that another client changes just before the grant are seen, though the version is the one that this mount has made.
func TestAttributesChangedJustBeforeALease(t *testing.T) {
	m, _ := newReads(t, memclient.Full(), withoutTimes)
	m.mkdir("d")
	m.mkdir("d/sub")
	m.put("d/f", "data")
	held, _ := m.parent("d/sub/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.foreignMode("d/f", "33152")
	m.foreignMode("d/sub/", "16832")
	m.lease("d")
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	if got := m.stat("d/f").Mode; got != 33152 {
		t.Errorf("mode of the file %o", got)
	}
	if got := m.stat("d/sub").Mode; got != 16832 {
		t.Errorf("mode of the directory %o", got)
	}
}

// Attributes that another client changes just after this mount has made something are seen when the TTL is over, also where
// they were listed before: a listing that tells them is not taken to show what this mount has made.
func TestAttributesChangedJustAfterTheirFileWasMade(t *testing.T) {
	m := newMount(t, memclient.Full(), ttl(time.Second), withoutTimes)
	m.mkdir("sub")
	m.put("f", "data")
	m.foreignMode("f", "33152")
	m.foreignMode("sub/", "16832")
	for range 3 {
		m.names("", "f", "sub")
		m.clock.advance(time.Second / 2)
	}
	if got := m.stat("f").Mode; got != 33152 {
		t.Errorf("mode of the file %o", got)
	}
	if got := m.stat("sub").Mode; got != 16832 {
		t.Errorf("mode of the directory %o", got)
	}
}

// A directory without a marker that was listed before the grant, and is gone since, is not taken for what there is.
func TestDirectoryThatIsGoneSinceAListing(t *testing.T) {
	m, _ := newReads(t, conditional)
	m.mkdir("d")
	m.mkdir("d/sub")
	m.foreign("d/sub/gone/f", "")
	held, _ := m.parent("d/sub/x") // as the kernel does
	defer runtime.KeepAlive(held)
	m.crowd("d/crowd") // so that nothing is learned with the lease
	m.names("d/sub", "gone")
	m.foreignDelete("d/sub/gone/f")
	m.lease("d")
	_, _, _ = m.walk("d/sub/gone")   // within the TTL, it may be there
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	m.missing("d/sub/gone")
}

// inDirectoryThatGoes has another client remove the directory "d/x", which is in use here.
func inDirectoryThatGoes(t *testing.T) (*mount, *volume.Inode) {
	m, _ := newReads(t, memclient.Full())
	m.mkdir("d")
	m.foreign("d/x/old", "")
	m.clock.advance(2 * time.Second)
	dir, _, err := m.walk("d/x")
	m.ok(err)
	m.foreignDelete("d/x/old")
	return m, dir
}

// What is made in a directory that another client had removed before the grant is there, and so is the directory.
func TestFileMadeInADirectoryThatWasGone(t *testing.T) {
	m, dir := inDirectoryThatGoes(t)
	m.lease("d")
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	_, h, _, err := m.Create(ctx, dir, "f", 0o640, volume.OpenFlags{Write: true}, who)
	m.ok(err)
	m.writeAll(h, "data", 0)
	m.close(h)
	m.clock.advance(2 * time.Second)
	if got := m.get("d/x/f"); got != "data" {
		t.Errorf("read %q", got)
	}
}

// A file whose name a directory has had shows when that is renamed.
func TestFileBehindADirectoryThatIsRenamed(t *testing.T) {
	m, _ := newReads(t, memclient.Full())
	m.mkdir("d")
	m.foreign("d/x", "file")
	m.foreign("d/x/f", "")
	m.lease("d")
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	m.ok(m.rename("d/x", "d/y"))
	m.clock.advance(2 * time.Second)
	if got := m.get("d/x"); got != "file" {
		t.Errorf("read %q", got)
	}
}

// heldMarker is a client whose answer about a marker comes when it is let.
type heldMarker struct {
	s3client.Client
	key          string
	done, answer chan struct{}
}

func (c *heldMarker) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := c.Client.Put(ctx, key, r, opt)
	if key == c.key && err == nil {
		close(c.done)
		<-c.answer
	}
	return info, err
}

// The marker that a removal has made is older than what was done to the directory since.
func TestLateAnswerAboutAMarker(t *testing.T) {
	c := &heldMarker{key: "d/x/", done: make(chan struct{}), answer: make(chan struct{})}
	m, _ := newReads(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { c.Client, o.Client = o.Client, c })
	m.mkdir("d")
	m.foreign("d/x/f", "")
	m.foreign("d/x/g", "")
	m.lease("d")
	dir, _, err := m.walk("d/x")
	m.ok(err)
	over := make(chan error, 1)
	go func() { over <- m.Unlink(ctx, dir, "f") }()
	<-c.done
	mode := uint32(0o700)
	_, err = m.Setattr(ctx, dir, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	close(c.answer)
	m.ok(<-over)
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	if got := m.stat("d/x").Mode & 0o777; got != mode {
		t.Errorf("mode %o", got)
	}
}

// A directory that is made here first, as there is a journal, is not taken for empty where its name was found free before the
// grant.
func TestDirectoryMadeWithAJournalIsNotTakenForEmpty(t *testing.T) {
	s := newLeaseService(newClock())
	s.reads = true
	m := newJournaled(t, memclient.Full(), ttl(time.Second), s.leases)
	m.mkdir("d")
	m.missing("d/new")
	m.foreign("d/new/theirs", "theirs")
	m.crowd("d/crowd") // so that nothing is learned with the lease
	for i := 0; len(s.prefixes()) == 0; i++ {
		m.close(m.exclusive(fmt.Sprintf("d/f%d", i)))
	}
	for m.mem.Counts()[s3client.OpList] == 0 { // which comes after the grant
		time.Sleep(time.Millisecond)
	}
	m.mkdir("d/new")
	m.ok(m.Sync(ctx))
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	m.names("d/new", "theirs")
}

// A file that a directory hides, which another client has made before the grant, is not taken for what its name shows, however
// this mount learned of the file alone or changed it: the name is the directory's, as soon as it is asked for again.
func TestFileThatADirectoryHides(t *testing.T) {
	type holder struct {
		*mount
		dir, n *volume.Inode // d/sub, and d/sub/x, which is a file
	}
	opened := func(m holder, flags volume.OpenFlags) {
		h, err := m.Open(ctx, m.n, flags)
		m.ok(err)
		m.close(h)
	}
	for name, learn := range map[string]func(holder){
		"open":  func(m holder) { opened(m, readOnly) },
		"write": func(m holder) { opened(m, volume.OpenFlags{Write: true, Truncate: true}) },
		"chmod": func(m holder) {
			mode := uint32(0o600)
			_, err := m.Setattr(ctx, m.n, volume.SetAttr{Mode: &mode}, nil)
			m.ok(err)
		},
		"rename over it": func(m holder) {
			m.put("d/sub/y", "other")
			m.ok(m.Rename(ctx, m.dir, "y", m.dir, "x", volume.RenameFlags{}))
		},
		"rename": func(m holder) { m.ok(m.Rename(ctx, m.dir, "x", m.dir, "y", volume.RenameFlags{})) },
		"unlink": func(m holder) { m.ok(m.Unlink(ctx, m.dir, "x")) },
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := newReads(t, memclient.Full())
			m.mkdir("d")
			m.mkdir("d/sub")
			m.put("d/sub/x", "data")
			n, _, err := m.walk("d/sub/x")
			m.ok(err)
			dir, _, err := m.walk("d/sub")
			m.ok(err)
			m.foreign("d/sub/x/f", "theirs")
			m.crowd("d/crowd") // so that nothing is learned with the lease
			m.lease("d")
			learn(holder{m, dir, n})
			m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
			if got := m.get("d/sub/x/f"); got != "theirs" {
				t.Errorf("read %q", got)
			}
			m.names("d/sub/x", "f")
		})
	}
}

// What is made in a directory that another client has put a file in the place of, before the grant, is there, and so is the
// directory again.
func TestFileMadeInADirectoryThatBecameAFile(t *testing.T) {
	m, dir := inDirectoryThatGoes(t)
	m.foreign("d/x", "file")
	m.lease("d")
	_, h, _, err := m.Create(ctx, dir, "f", 0o640, volume.OpenFlags{Write: true}, who)
	m.ok(err)
	m.writeAll(h, "data", 0)
	m.close(h)
	m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
	if got := m.get("d/x/f"); got != "data" {
		t.Errorf("read %q", got)
	}
}

// A file that was looked up before the grant is asked for no more when it was opened a few times, however often it is opened.
func TestFileThatIsOpenedAllTheTimeUnderALease(t *testing.T) {
	m, _ := newReads(t, memclient.Full())
	m.mkdir("d")
	m.mkdir("d/sub")
	m.put("d/sub/x", "data")
	m.clock.advance(2 * time.Second)
	n, _, err := m.walk("d/sub/x")
	m.ok(err)
	m.crowd("d/crowd") // so that nothing is learned with the lease
	m.lease("d")
	var version s3client.ETag // that the kernel has
	open := func(times int) {
		for range times {
			m.clock.advance(200 * time.Millisecond)
			h, err := m.Open(ctx, n, volume.OpenFlags{Read: true, Cached: version})
			m.ok(err)
			version = h.Version()
			m.close(h)
		}
	}
	open(3)
	m.mem.ResetCounts()
	open(5)
	m.requests(0, "further opens")
}

// heldAnswers is a client whose first answers about what is at a path, and to a listing of the directory above, come when they
// are let.
type heldAnswers struct {
	s3client.Client
	held         map[string]bool // operations and keys
	mu           sync.Mutex
	done, answer chan struct{}
}

func (c *heldAnswers) hold(what string) {
	c.mu.Lock()
	held := c.held[what]
	delete(c.held, what)
	c.mu.Unlock()
	if held {
		c.done <- struct{}{}
		<-c.answer
	}
}

func (c *heldAnswers) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	info, err := c.Client.Head(ctx, key)
	c.hold("head " + key)
	return info, err
}

func (c *heldAnswers) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	page, err := c.Client.List(ctx, q)
	c.hold("list " + q.Prefix)
	return page, err
}

// A directory that this mount makes something in is there, also where the answer to a question from before, when another client had
// removed it or put a file in its place, comes afterwards: with a lease, and without.
func TestLateAnswerAboutADirectoryThatWasGone(t *testing.T) {
	makeFile := func(m *mount, dir *volume.Inode) {
		_, h, _, err := m.Create(ctx, dir, "f", 0o640, volume.OpenFlags{Write: true}, who)
		m.ok(err)
		m.writeAll(h, "data", 0)
		m.close(h)
	}
	moveDir := func(m *mount, dir *volume.Inode) {
		from, _, err := m.walk("d/sub")
		m.ok(err)
		m.ok(m.Rename(ctx, from, "moved", dir, "f", volume.RenameFlags{}))
	}
	lookUp := func(m *mount, d *volume.Inode) { _, _, _ = m.Lookup(ctx, d, "x") }
	list := func(m *mount, d *volume.Inode) {
		listing, err := m.OpenDir(ctx, d)
		m.ok(err)
		defer listing.Close()
		for more := true; more && err == nil; {
			_, more, err = listing.Next(ctx)
		}
		m.ok(err)
	}
	for name, test := range map[string]struct {
		file bool
		held []string
		ask  func(*mount, *volume.Inode)
		make func(*mount, *volume.Inode)
		want string // what is there then
	}{
		"lookup, gone":            {false, []string{"head d/x", "list d/x/"}, lookUp, makeFile, "d/x/f"},
		"lookup, a file":          {true, []string{"head d/x", "list d/x/"}, lookUp, makeFile, "d/x/f"},
		"listing, gone":           {false, []string{"list d/"}, list, makeFile, "d/x/f"},
		"listing, a file":         {true, []string{"list d/"}, list, makeFile, "d/x/f"},
		"lookup, gone, a rename":  {false, []string{"head d/x", "list d/x/"}, lookUp, moveDir, "d/x/f/g"},
		"lookup, file, a rename":  {true, []string{"head d/x", "list d/x/"}, lookUp, moveDir, "d/x/f/g"},
		"listing, gone, a rename": {false, []string{"list d/"}, list, moveDir, "d/x/f/g"},
		"listing, file, a rename": {true, []string{"list d/"}, list, moveDir, "d/x/f/g"},
		"listed before, a rename": {true, nil, list, moveDir, "d/x/f/g"},
	} {
		for _, leased := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, leased %v", name, leased), func(t *testing.T) {
				c := &heldAnswers{held: map[string]bool{}, done: make(chan struct{}, 2), answer: make(chan struct{})}
				m, _ := newReads(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) {
					c.Client, o.Client = o.Client, c
					o.NegativeTTL = 0 // so that nobody lists a directory to look up
				})
				m.mkdir("d")
				m.mkdir("d/sub")
				m.mkdir("d/sub/moved")
				m.put("d/sub/moved/g", "data")
				m.foreign("d/x/old", "")
				m.clock.advance(2 * time.Second)
				dir, _, err := m.walk("d/x")
				m.ok(err)
				d, _, err := m.walk("d")
				m.ok(err)
				m.foreignDelete("d/x/old")
				if test.file {
					m.foreign("d/x", "file")
				}
				m.crowd("d/crowd") // so that nothing is learned with the lease
				if leased {
					m.lease("d/sub")
				}
				m.clock.advance(2 * time.Second)
				c.mu.Lock()
				for _, what := range test.held {
					c.held[what] = true
				}
				c.mu.Unlock()
				over := make(chan struct{})
				go func() {
					defer close(over)
					test.ask(m, d)
				}()
				for range test.held {
					<-c.done
				}
				if test.held == nil {
					<-over
				}
				test.make(m, dir)
				close(c.answer)
				<-over
				if leased {
					m.clock.advance(2 * time.Second) // nothing is believed but what the lease assures
				}
				if got := m.get(test.want); got != "data" {
					t.Errorf("read %q", got)
				}
				if got := m.list("d"); !slices.Contains(got, "x") {
					t.Errorf("listed %q", got)
				}
			})
		}
	}
}

// A read of bytes that are kept says what is wrong with it.
func TestReadErrorOfKeptBytes(t *testing.T) {
	m, _ := newReads(t, memclient.Full())
	m.mkdir("d")
	m.put("d/x", "x")
	m.lease("d")
	m.put("d/f", "data")
	h := m.open("d/f", readOnly)
	defer h.Release()
	_, err := h.ReadAt(ctx, make([]byte, 4), -1)
	m.want(err, volume.ErrInvalid)
}
