package volume_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pail/fs/journal/journaltest"
	"pail/fs/leftovers"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// A fault hits the mount that makes a plain object of a last name, at one of its steps: before a request, or between that and its
// answer.
type fault struct {
	dies  bool // it is never heard of again; else only this request fails
	blind bool // and the ones after it, until the unlink is over
	err   error
}

var cutOffs = map[string]fault{
	"it dies":                    {dies: true, err: errCut},
	"one fails":                  {err: errCut},
	"all fail for a while":       {blind: true, err: errCut},
	"one is sent again, refused": {err: s3client.ErrPrecondition},
}

// A writer is another mount that writes to the file, and says whether that was acknowledged without a word of a conflict.
type writer func(c *cutOff, data string) (acknowledged bool)

var writers = map[string]writer{
	"with a handle from before": func(c *cutOff, data string) bool { return c.write(c.old, data) },
	"with a new handle": func(c *cutOff, data string) bool {
		h := c.other.open("b", readWrite)
		defer h.Release()
		return c.write(h, data)
	},
}

var journaledWriters = map[string]writer{
	"into its journal": func(c *cutOff, data string) bool {
		conflicts := len(c.other.Status().Conflicts)
		c.write(c.old, data)
		c.old.Release() // what stays open is sent less often
		c.other.stored()
		c.old = c.other.open("b", readWrite)
		return len(c.other.Status().Conflicts) == conflicts
	},
	"into its journal, and crashes": func(c *cutOff, data string) bool {
		c.other.deaf()
		c.write(c.old, data)
		c.other = c.other.crash(ttl(0))
		c.other.stored()
		clean := len(c.other.Status().Conflicts) == 0
		c.old = c.other.open("b", readWrite)
		return clean
	},
}

// cutOff is a move of the bytes of a file to its last name, b, that meets a fault and a writer.
type cutOff struct {
	t      *testing.T
	first  *mount // moves
	other  *mount // writes
	old    *volume.Handle
	writer writer
	wrote  []string // all that was acknowledged with or without a conflict

	step int
}

// newCutOff begins with a file of two names, a and b.
func newCutOff(t *testing.T, w way) *cutOff {
	mount, change := newMount, []setup{ttl(0)}
	if w.journals {
		mount = newJournaled
	}
	c := &cutOff{t: t, writer: w.writer, first: mount(t, w.caps, change...)}
	c.first.faults.removals = true
	c.first.put("a", "old")
	c.first.ok(c.first.link("a", "b"))
	var disk *journaltest.MemFS
	if w.journals {
		c.first.stored()
		disk = journaltest.New()
		change = append(change, journaled(t, disk))
	}
	c.other = mountOn(t, c.first.mem.Another(), c.first.clock, change...)
	c.other.disk = disk
	c.old = c.other.open("b", readWrite)
	return c
}

// write writes to a handle and has it stored. What is refused because of another client's version is kept beside it; but a handle
// that was told so takes nothing more.
func (c *cutOff) write(h *volume.Handle, data string) bool {
	c.t.Helper()
	if _, err := h.WriteAt(ctx, []byte(data), 0); err != nil {
		c.other.want(err, volume.ErrStale)
		return false
	}
	c.wrote = append(c.wrote, data)
	err := h.Flush(ctx)
	if err != nil && !errors.Is(err, volume.ErrStale) {
		c.t.Errorf("write: %v", err)
	}
	return err == nil
}

// comes has the writer write, and looks whether a mount that knows nothing sees it.
func (c *cutOff) comes(data string) {
	c.t.Helper()
	if acknowledged := c.writer(c, data); acknowledged {
		if got := c.first.second().get("b"); got != data {
			c.t.Errorf("b holds %q when %q is acknowledged", got, data)
		}
		c.wrote = []string{data} // it has replaced what came before
	}
}

// unlink removes a. The writer comes before one of the requests, or after all, and the fault before a request or its answer; both
// are reported to have been reached.
func (c *cutOff) unlink(writes, fails int, f fault) (reached, came bool) {
	c.t.Helper()
	dead, came, requests := false, false, 0
	c.first.faults.set(func(op, _ string) error {
		step := c.step
		c.step++
		if !strings.HasPrefix(op, "after ") {
			if requests == writes && !dead {
				came = true
				c.comes("NEW")
			}
			requests++
		}
		if step == fails || dead || f.blind && step > fails {
			dead = f.dies
			return f.err
		}
		return nil
	})
	_ = c.first.unlink("a") // may fail or not
	reached = c.step > fails
	c.first.faults.set(nil)
	if f.dies {
		c.first.dead = true
		c.first.faults.set(func(string, string) error { return errCut })
	}
	if !came {
		c.comes("NEW")
	}
	return reached, came
}

// kept checks that all is where a mount that knows nothing finds it.
func (c *cutOff) kept(when string) *mount {
	c.t.Helper()
	m := c.first.second()
	var all []string
	for _, name := range m.list("") {
		all = append(all, m.get(name))
	}
	for _, data := range c.wrote {
		if !slices.Contains(all, data) {
			c.t.Errorf("%s: %q is nowhere: names %q hold %q, keys are %q", when, data, m.list(""), all, m.mem.Keys())
		}
	}
	if got := m.get("b"); got != "old" && !slices.Contains(c.wrote, got) {
		c.t.Errorf("%s: b holds %q", when, got)
	}
	return m
}

// later goes on after the fault: with the writer, fsck, another name, and none but that.
func (c *cutOff) later() {
	c.t.Helper()
	c.kept("after the fault")
	c.comes("LATER")
	if !c.first.dead {
		c.first.ok(c.first.Close(ctx))
	}
	c.first.clock.advance(48 * time.Hour)
	caps, err := c.first.mem.Probe(ctx)
	c.first.ok(err)
	how := leftovers.Options{Repair: true, ListMetadata: caps.ListMetadata, Now: c.first.clock.Now}
	c.first.ok(leftovers.Check(ctx, c.first.mem.Another(), "", how, func(leftovers.Finding) error { return nil }))
	m := c.kept("after fsck")
	data := m.get("b")
	m.ok(m.link("b", "c"))
	m.ok(m.unlink("b"))
	if slices.Contains(m.list(""), "a") { // the fault came first
		m.ok(m.unlink("a"))
	}
	if got := m.second().get("c"); got != data {
		c.t.Errorf("c holds %q, b held %q", got, data)
	}
	m.nlink("c", 1)
	c.old.Release()
}

// way is with which writer, and on what service, a fault is met.
type way struct {
	name     string
	caps     s3client.Capabilities
	journals bool
	writer   writer
}

func ways() (all []way) {
	for _, journals := range []bool{false, true} {
		who := map[bool]map[string]writer{false: writers, true: journaledWriters}[journals]
		for _, name := range slices.Sorted(maps.Keys(who)) {
			all = append(all, way{name + " full", memclient.Full(), journals, who[name]}, way{name + " conditional", conditional, journals, who[name]})
		}
	}
	return all
}

// Whatever becomes of the mount that moves the bytes of a file to its last name, and whenever another mount writes to it: what
// was acknowledged is there, at once, and after fsck. Each fault at each step with a writer at each request takes one of the ways,
// in turn; PAIL_CUTOFFS=all takes all of them, which is ten times as long.
func TestLastNameCutOffMeetsAWriter(t *testing.T) {
	for how, f := range cutOffs {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			for fails, reached := 0, true; reached; fails++ {
				for writes, came := 0, true; came; writes++ {
					for i, w := range ways() {
						if i != (fails+3*writes)%len(ways()) && os.Getenv("PAIL_CUTOFFS") != "all" {
							continue
						}
						t.Run(fmt.Sprintf("fault %d write %d %s", fails, writes, w.name), func(t *testing.T) {
							c := newCutOff(t, w)
							reached, came = c.unlink(writes, fails, f)
							c.later()
						})
					}
				}
			}
		})
	}
}
