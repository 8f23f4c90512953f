package readlease

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pail/fs/volume"
	"pail/integration/witness"
	"pail/s3client"
)

// names are what everybody works on.
var names = []string{"a", "b", "c", "d"}

func anyName() string { return names[rand.IntN(len(names))] }

// party is somebody who works on the names of a directory. Errors but of what another was quicker with are failures.
type party interface {
	write(name, value string) error
	remove(name string) error
	read(name string) (string, error)
}

// worker is a machine in a directory.
type worker struct {
	*machine
	dir *volume.Inode
	seq *int
}

func (w worker) write(name, value string) error {
	switch *w.seq++; rand.IntN(3) {
	case 0:
		return w.store(w.dir, name, value)
	case 1:
		return w.exclusive(w.dir, name, value)
	}
	temp := fmt.Sprintf("temp-%s-%d", w.name, *w.seq)
	if err := w.exclusive(w.dir, temp, value); err != nil {
		return err
	}
	return w.Rename(ctx, w.dir, temp, w.dir, name, volume.RenameFlags{})
}

func (w worker) remove(name string) error {
	if *w.seq++; rand.IntN(2) == 0 {
		return w.Unlink(ctx, w.dir, name)
	}
	return w.Rename(ctx, w.dir, name, w.dir, fmt.Sprintf("away-%s-%d", w.name, *w.seq), volume.RenameFlags{})
}

func (w worker) read(name string) (string, error) { return w.load(w.dir, name) }

// plain is a client without a mount.
type plain struct {
	s3client.Client
	prefix string
}

func (p plain) write(name, value string) error   { return put(p, p.prefix+name, value) }
func (p plain) remove(name string) error         { return p.Delete(ctx, p.prefix+name) }
func (p plain) read(name string) (string, error) { return get(p, p.prefix+name) }

// lost reports whether an error says that another was quicker, and that nothing was changed.
func lost(err error) bool {
	for _, of := range []error{volume.ErrStale, volume.ErrExist, volume.ErrNotExist, s3client.ErrPrecondition, s3client.ErrNotFound} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// act does something at random, and notes it.
func act(h *witness.History, who string, p party, step int) error {
	name := anyName()
	e := witness.Event{From: time.Now(), Who: who}
	var err error
	switch rand.IntN(6) {
	case 0:
		e.Value = fmt.Sprintf("%s %d", who, step)
		err = p.write(name, e.Value)
	case 1:
		err = p.remove(name)
	default:
		e.Value, err = p.read(name)
		e.To = time.Now()
		if err == nil {
			h.Read(name, e)
		}
		return err
	}
	e.To, e.Maybe = time.Now(), err != nil
	h.Wrote(name, e)
	if lost(err) {
		return nil
	}
	return err
}

// look notes what a listing shows.
func look(h *witness.History, w worker) error {
	e := witness.Event{From: time.Now(), Who: w.name + "'s listing"}
	got, err := w.list(w.dir)
	if err != nil {
		return err
	}
	e.To = time.Now()
	for _, name := range names {
		e.Some = got[name]
		h.Read(name, e)
	}
	return nil
}

// Two machines and a client without a mount work on the same names. Whoever opens one sees what was closed last, or what is
// being written just then, whoever has a lease at the time.
func TestOpenSeesTheLastClose(t *testing.T) {
	s := newScene(t)
	const rounds, steps = 6, 20
	relied := int64(0)
	for round := range rounds {
		a, b := s.machine("a", 2*time.Millisecond), s.machine("b", 2*time.Millisecond)
		dir := fmt.Sprintf("d%d", round)
		root := a.lease(dir)
		h := witness.New()
		seqs := [2]int{}
		// Of each machine one writes: what is written there at the same time is seen by all of it before it is stored.
		mine, theirs, p := worker{a, root, &seqs[0]}, worker{b, b.dir(dir), &seqs[1]}, plain{s.client(), dir + "/"}
		watch := func() {
			for range 4 * steps {
				seen(h, "a's reader", anyName(), mine)
				seen(h, "b's reader", anyName(), theirs)
				seen(h, "client", anyName(), p)
			}
		}
		asked := a.link.count.Load()
		together(watch, func() { s.work(h, "a", mine, steps) }) // the holder is alone
		relied += a.link.count.Load() - asked
		together(watch, func() { s.work(h, "a", mine, steps) }, func() { s.work(h, "b", theirs, steps) }, func() { s.work(h, "client", p, steps) })
		for _, wrong := range h.Check() {
			t.Errorf("round %d: %s", round, wrong)
		}
	}
	t.Logf("%d requests of holders for %d steps and %d reads", relied, rounds*steps, rounds*4*steps)
}

// seen notes what somebody reads.
func seen(h *witness.History, who, name string, p party) {
	e := witness.Event{From: time.Now(), Who: who}
	var err error
	if e.Value, err = p.read(name); err == nil {
		e.To = time.Now()
		h.Read(name, e)
	}
}

func (s *scene) work(h *witness.History, who string, p party, steps int) {
	for step := range steps {
		if err := act(h, who, p, int(time.Now().UnixNano())+step); err != nil {
			s.Errorf("%s: %v", who, err)
		}
		if w, ok := p.(worker); ok && step%5 == 0 {
			if err := look(h, w); err != nil {
				s.Errorf("%s: %v", who, err)
			}
		}
	}
}

func together(jobs ...func()) {
	var work sync.WaitGroup
	for _, job := range jobs {
		work.Go(job)
	}
	work.Wait()
}

// What a machine has written, found, listed or not found under its lease is no request.
func TestWhatIsKnownUnderALeaseIsNoRequest(t *testing.T) {
	s := newScene(t)
	a := s.machine("a", 0)
	s.ok(put(s.client(), "d/theirs", "theirs"))
	dir := a.lease("e")
	old := a.dir("d")
	for _, name := range []string{"claimed", "claimed too"} {
		s.ok(a.exclusive(old, name, "x"))
	}
	s.ok(a.exclusive(dir, "f.lock", "mine"))
	s.ok(a.Rename(ctx, dir, "f.lock", dir, "f", volume.RenameFlags{}))
	s.ok(a.store(dir, "g", "one"))
	s.ok(a.Unlink(ctx, dir, "g"))
	s.ok(a.exclusive(dir, "tmp_pack", "packed"))
	_, err := a.Link(ctx, a.find(dir, "tmp_pack"), dir, "pack") // as git publishes what it has written
	s.ok(err)
	s.ok(a.Unlink(ctx, dir, "tmp_pack"))
	sub, _, err := a.Mkdir(ctx, dir, "sub", 0o755, volume.Caller{})
	s.ok(err)
	if got, err := a.load(old, "theirs"); got != "theirs" || err != nil {
		t.Fatal(got, err)
	}
	before := a.link.count.Load()
	for range 3 {
		if got, err := a.load(dir, "f"); got != "mine" || err != nil {
			t.Error(got, err)
		}
		if got, err := a.load(dir, "pack"); got != "packed" || err != nil {
			t.Error(got, err)
		}
		for _, name := range []string{"g", "never", "f.lock", "tmp_pack"} {
			if got, err := a.load(dir, name); got != "" || err != nil {
				t.Error(name, got, err)
			}
		}
		if _, _, err := a.Lookup(ctx, old, "theirs"); err != nil {
			t.Error(err)
		}
		for n, want := range map[*volume.Inode]int{dir: 7, sub: 2, old: 5} { // with "." and ".."
			if got, err := a.list(n); len(got) != want || err != nil {
				t.Error(got, err)
			}
		}
	}
	if n := a.link.count.Load() - before; n > 0 {
		t.Errorf("%d requests", n)
	}
	// To write to it needs none before the bytes, and those of another are one.
	h, err := a.Open(ctx, a.find(dir, "f"), volume.OpenFlags{Read: true, Write: true, Append: true})
	s.ok(err)
	s.ok(fill(h, " again"))
	if got, err := a.load(old, "theirs"); got != "theirs" || err != nil {
		t.Error(got, err)
	}
	if n := a.link.count.Load() - before; n != 2 {
		t.Errorf("%d requests of an append and the reading of another's file", n)
	}
	if got, err := get(s.client(), "e/f"); got != "mine again" || err != nil {
		t.Error(got, err)
	}
}

// A machine that hears nothing of the recall relies on its lease no longer than others wait for it.
func TestHolderThatDoesNotHear(t *testing.T) {
	s := newScene(t)
	a := s.machine("a", 0)
	dir := a.lease("d")
	c := plain{s.client(), "d/"}
	w := worker{a, dir, new(int)}
	h := witness.New()
	old := witness.Event{From: time.Now(), Who: "a", Value: "old"}
	s.ok(a.store(dir, "a", old.Value))
	old.To = time.Now()
	h.Wrote("a", old)
	release := a.link.holdEvents()
	defer release()
	before := a.link.count.Load()
	seen(h, "a", "a", w)
	if n := a.link.count.Load() - before; n > 0 {
		t.Errorf("%d requests: there is no lease", n)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		e := witness.Event{From: time.Now(), Who: "client", Value: "new"}
		if err := c.write("a", e.Value); err != nil {
			t.Error(err)
		}
		e.To = time.Now()
		h.Wrote("a", e)
	}()
	for waiting := true; waiting; {
		select {
		case <-over:
			waiting = false
		case <-time.After(time.Millisecond):
			seen(h, "a", "a", w)
		}
	}
	for range 20 {
		seen(h, "a", "a", w)
	}
	for _, wrong := range h.Check() {
		t.Error(wrong)
	}
	if got, err := a.load(dir, "a"); got != "new" || err != nil {
		t.Error(got, err)
	}
}

// A lease that a mount has at its end goes back: nobody waits for it.
func TestEndOfAHolder(t *testing.T) {
	s := newScene(t)
	a := s.machine("a", 0)
	a.lease("d")
	s.ok(a.Close(ctx))
	stream, err := s3client.JoinLeases(ctx, s.client())
	s.ok(err)
	defer stream.Close()
	reads, err := stream.Ask(ctx, "", true)
	if s.ok(err); !reads { // one that lingers would be in the way
		t.Error("it is not for reads")
	}
}

// leaseSoon is lease for a machine with a journal, where nobody waits for it: if it does not come soon, another directory gets
// one.
func (m *machine) leaseSoon(path string) (string, *volume.Inode) {
	m.s.Helper()
	for i, deadline := 0, time.Now().Add(time.Minute); time.Now().Before(deadline); i++ {
		at := fmt.Sprintf("%s-%d", path, i)
		dir := m.mkdir(at)
		m.wantsLease(dir)
		m.s.ok(m.Sync(ctx))
		for range 50 {
			if m.hasLease(dir) {
				return at, dir
			}
		}
	}
	m.s.Fatal("there is no lease")
	return "", nil
}

// A machine with a journal, which makes files in its own directories here first, has a lease for what it reads: it sees what
// others close as soon as they have.
func TestLeaseWithAJournal(t *testing.T) {
	s := newScene(t)
	const rounds, steps = 4, 20
	for round := range rounds {
		a, b := s.journaled("a", 2*time.Millisecond), s.machine("b", 2*time.Millisecond)
		dir, root := a.leaseSoon(fmt.Sprintf("d%d", round))
		s.ok(a.store(root, "kept", "mine"))
		s.ok(a.Sync(ctx))
		asked := a.link.count.Load()
		for range 3 {
			if got, err := a.load(root, "kept"); got != "mine" || err != nil {
				t.Error(got, err)
			}
			if got, err := a.load(root, "never"); got != "" || err != nil {
				t.Error(got, err)
			}
		}
		if n := a.link.count.Load() - asked; n > 0 {
			t.Errorf("%d requests under the lease", n)
		}
		h := witness.New()
		mine, theirs, p := worker{a, root, new(int)}, worker{b, b.dir(dir), new(int)}, plain{s.client(), dir + "/"}
		watch := func() {
			for range 4 * steps {
				seen(h, "a", anyName(), mine)
				if err := look(h, mine); err != nil {
					t.Error(err)
				}
			}
		}
		together(watch, func() { s.work(h, "b", theirs, steps) }, func() { s.work(h, "client", p, steps) })
		for _, wrong := range h.Check() {
			t.Errorf("round %d: %s", round, wrong)
		}
	}
}

// The attributes of a directory that were read before the grant are not taken for what there is, as a listing under the lease,
// which does not tell them, puts them anew.
func TestAttributesOfADirectoryFromBeforeTheGrant(t *testing.T) {
	s := newScene(t)
	c := s.client()
	a, b := s.machine("a", 0), s.machine("b", 0)
	root := a.mkdir("d")
	for i := range 1001 { // more than is learned with the grant
		s.ok(put(c, fmt.Sprintf("d/many/%04d", i), "x"))
	}
	_, _, err := a.Mkdir(ctx, root, "sub", 0o755, volume.Caller{})
	s.ok(err)
	a.find(root, "sub")
	mode := uint32(0o700)
	_, err = b.Setattr(ctx, b.find(b.dir("d"), "sub"), volume.SetAttr{Mode: &mode}, nil)
	s.ok(err)
	for _, name := range []string{"lease-a", "lease-b", "lease-c"} {
		s.ok(a.exclusive(root, name, "x"))
	}
	_, err = a.list(root)
	s.ok(err)
	_, st, err := a.Lookup(ctx, root, "sub")
	s.ok(err)
	if st.Mode&0o777 != 0o700 {
		t.Errorf("mode %o", st.Mode)
	}
}

// A file is renamed from below one lease to below another. The first ends on the way, and somebody changes the attributes
// before the file is moved: those from before are not what the other lease assures.
func TestRenameBetweenLeases(t *testing.T) {
	s := newScene(t)
	a, b := s.machine("a", 0), s.machine("b", 0)
	x, y := a.lease("x"), a.lease("y")
	s.ok(a.store(x, "f", "data"))
	bf := b.find(b.dir("x"), "f")
	arrived, letGo := a.link.holdRename()
	over := make(chan error, 1)
	go func() { over <- a.Rename(ctx, x, "f", y, "f", volume.RenameFlags{}) }()
	<-arrived
	mode := uint32(0o600)
	_, err := b.Setattr(ctx, bf, volume.SetAttr{Mode: &mode}, nil)
	close(letGo)
	s.ok(err)
	s.ok(<-over)
	_, st, err := a.Lookup(ctx, y, "f")
	s.ok(err)
	if st.Mode&0o777 != mode {
		t.Errorf("mode %o", st.Mode)
	}
}
