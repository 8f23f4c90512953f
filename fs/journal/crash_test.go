package journal_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pail/fs/journal"
	"pail/fs/journal/journaltest"
)

var errPower = errors.New("power cut")

// reference is what a journal may hold for each entry after a crash: the state that was acknowledged last, or one that
// was asked for since. "" is none.
type reference struct {
	acked map[uint64]string
	maybe map[uint64][]string
	ended map[uint64]bool // by a Forget that nothing has synced yet
}

func newReference() *reference {
	return &reference{map[uint64]string{}, map[uint64][]string{}, map[uint64]bool{}}
}

func (r *reference) ask(id uint64, state string) { r.maybe[id] = append(r.maybe[id], state) }

func (r *reference) ack(id uint64, state string) {
	r.acked[id], r.maybe[id] = state, nil
	delete(r.ended, id)
}

// synced says that every Forget so far is durable, and that nothing is there which was not acknowledged.
func (r *reference) synced() {
	for id := range r.ended {
		r.ack(id, "")
	}
	clear(r.maybe)
}

// check compares with what a journal has that was opened after a crash.
func (r *reference) check(got map[uint64]string) error {
	for id := uint64(1); id <= ids; id++ {
		if got[id] != r.acked[id] && !slices.Contains(r.maybe[id], got[id]) {
			return fmt.Errorf("entry %d is %q, want %q or one of %q", id, got[id], r.acked[id], r.maybe[id])
		}
	}
	return nil
}

const ids = 5

// workload makes random changes until one fails, and notes what is promised.
func workload(j *journal.Journal, r *reference, rng *rand.Rand, steps int) {
	refs := map[uint64]journal.Ref{}
	for step := range steps {
		id := rng.Uint64N(ids) + 1
		other := id%ids + 1
		_, has := refs[id]
		info := fmt.Sprintf("%d.%d", id, step)
		var err error
		switch do := rng.IntN(6); {
		case do < 3:
			data := strings.Repeat(string(rune('a'+step%26)), 1+rng.IntN(120)) // some are too long for the log
			content := bytesOf(data)
			if step%2 == 0 {
				content = givenOf(data, inMemory)
			}
			err = r.put(j, refs, journal.Change{ID: id, Info: []byte(info), Content: content}, info+"=0:"+data+";", 0)
		case do == 3 && has: // renamed over another
			_, kept, _ := strings.Cut(r.acked[id], "=")
			err = r.put(j, refs, journal.Change{ID: id, Info: []byte(info)}, info+"="+kept, other)
		case do == 4 && has:
			r.ask(id, "")
			r.ended[id] = true
			j.Forget(refs[id])
			delete(refs, id)
		case do == 5:
			if err = j.Barrier(); err == nil {
				r.synced()
			}
		}
		if err != nil {
			return
		}
	}
}

// put makes a change, and the end of another entry if it has a number.
func (r *reference) put(j *journal.Journal, refs map[uint64]journal.Ref, c journal.Change, state string, other uint64) error {
	var forget []journal.Ref
	r.ask(c.ID, state)
	if ref, ok := refs[other]; ok {
		r.ask(other, "")
		forget = append(forget, ref)
	}
	got, err := j.Put([]journal.Change{c}, forget...)
	if err != nil {
		return err
	}
	refs[c.ID] = got[0]
	delete(r.ended, c.ID) // it goes on
	r.synced()
	r.ack(c.ID, state)
	if len(forget) > 0 {
		r.ack(other, "")
		delete(refs, other)
	}
	return nil
}

// power makes a file system fail from the n-th change on, and returns what is on its disk then.
func power(fs *journaltest.MemFS, n int, rng *rand.Rand, percent int) (after func() *journaltest.MemFS) {
	var cut *journaltest.MemFS
	var mu sync.Mutex
	count := 0
	fs.Hook = func(string, string) error {
		mu.Lock()
		defer mu.Unlock()
		if count++; count < n {
			return nil
		}
		if cut == nil {
			cut = fs.Crash(rng, percent)
		}
		return errPower
	}
	return func() *journaltest.MemFS {
		mu.Lock()
		defer mu.Unlock()
		return cut
	}
}

// TestPowerCutAtEveryWrite cuts the power before every write, sync, creation and removal of random runs, and again
// while the journal is opened after that. A chance of 0 loses all that is not synced; one of 100 is a kill -9.
func TestPowerCutAtEveryWrite(t *testing.T) {
	points := 0
	for seed := range uint64(2) {
		for _, percent := range []int{0, 40, 100} {
			for n := 1; ; n++ {
				rng := rand.New(rand.NewPCG(seed, 7))
				fs, r := journaltest.New(), newReference()
				after := power(fs, n, rand.New(rand.NewPCG(seed, uint64(n))), percent)
				j, err := journal.Open(fs, journal.Options{InlineMax: 64, SegmentSize: 400})
				if err != nil {
					t.Fatal(err)
				}
				workload(j, r, rng, 50)
				_ = j.Close() // its disk is gone
				if after() == nil {
					break
				}
				points++
				reopen(t, after(), r, points%7 == 0, fmt.Sprintf("seed %d, cut %d, chance %d", seed, n, percent))
			}
		}
	}
	t.Logf("%d points", points)
}

// reopen opens what a crash left, also after crashes while it was being opened if often says so.
func reopen(t *testing.T, disk *journaltest.MemFS, r *reference, often bool, what string) {
	t.Helper()
	first := 1
	if !often {
		first = math.MaxInt
	}
	for n := first; ; n++ {
		fs := disk.Kill()
		after := power(fs, n, rand.New(rand.NewPCG(3, uint64(n))), 40)
		j, err := journal.Open(fs, journal.Options{})
		if after() == nil {
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if err := r.check(contents(t, j)); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if j.Damaged() {
				t.Fatalf("%s: a power cut is taken for damage", what)
			}
			closed(t, j)
			return
		}
		if err == nil {
			_ = j.Close() // its disk is gone
		}
		again, err := journal.Open(after(), journal.Options{})
		if err != nil {
			t.Fatalf("%s, and at %d while opening: %v", what, n, err)
		}
		if err := r.check(contents(t, again)); err != nil {
			t.Fatalf("%s, and at %d while opening: %v", what, n, err)
		}
		closed(t, again)
	}
}

// TestPowerCutAfterAKill cuts the power after a process was killed, before anything that it had written was synced, and the
// next one has opened the journal.
func TestPowerCutAfterAKill(t *testing.T) {
	fs := journaltest.New()
	before := open(t, fs, small)
	ended := put(t, before, 1, "ended", strings.Repeat("x", 100))
	put(t, before, 2, "stays", "data")
	before.Forget(ended)
	after := open(t, fs, small)
	if err := after.Barrier(); err != nil {
		t.Fatal(err)
	}
	shown := contents(t, after)
	last := open(t, fs.Crash(rand.New(rand.NewPCG(1, 1)), 0), small)
	if got := contents(t, last); len(shown) != 1 || !maps.Equal(got, shown) {
		t.Errorf("it has %v, and showed %v before", got, shown)
	}
	closed(t, last)
	fs.Hook = func(string, string) error { return errPower }
	_, _ = before.Close(), after.Close() // their disk is gone
}

// TestFaultsLoseNothing makes single calls fail, as a full or failing disk does, and goes on.
func TestFaultsLoseNothing(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 9))
		fs, r := journaltest.New(), newReference()
		var mu sync.Mutex
		fs.Hook = func(op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if op != "remove" && rng.IntN(12) == 0 {
				return errPower
			}
			return nil
		}
		j, err := journal.Open(fs, journal.Options{InlineMax: 64, SegmentSize: 400})
		if err != nil {
			t.Fatal(err)
		}
		steps := rand.New(rand.NewPCG(seed, 11))
		for range 20 { // it ends at each failure
			workload(j, r, steps, 10)
		}
		kill, cut := fs.Kill(), fs.Crash(rand.New(rand.NewPCG(seed, 1)), 30)
		for name, disk := range map[string]*journaltest.MemFS{"kill": kill, "power cut": cut} {
			after, err := journal.Open(disk, journal.Options{})
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			if err := r.check(contents(t, after)); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			closed(t, after)
		}
		mu.Lock()
		fs.Hook = nil
		mu.Unlock()
		closed(t, j)
	}
}
