package volume_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/journal/journaltest"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// publisher links, unlinks, writes and renames temporary files in directories of its own at random, while the service
// fails now and then and the mount crashes, and knows what there has to be.
type publisher struct {
	*mount
	*rand.Rand
	files map[string]*publishedFile // by path
	dir   string                    // what the directory is called now
	ttl   setup
	ill   bool         // the service fails, or the journal's disk
	disks atomic.Int64 // syncs of that which fail
	open  []*volume.Handle
	done  []string
}

type publishedFile struct {
	data, before string // before: what may be there after a crash
	mode         uint32
	h            *volume.Handle
}

func (p *publisher) note(format string, args ...any) {
	p.done = append(p.done, fmt.Sprintf(format, args...))
}

func (p *publisher) fatal(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(p.done, "\n"))
}

func (p *publisher) path() string {
	name := []string{"tmp_1", "tmp_2", "a", "b"}[p.IntN(4)]
	if p.IntN(3) > 0 {
		return p.dir + "/" + name
	}
	return name
}

// some returns a name that there is.
func (p *publisher) some() (string, *publishedFile) {
	if len(p.files) == 0 {
		return "", nil
	}
	names := slices.Sorted(maps.Keys(p.files))
	name := names[p.IntN(len(names))]
	return name, p.files[name]
}

func (p *publisher) put() {
	at := p.path()
	if p.files[at] != nil {
		return
	}
	dir, name := p.parent(at)
	if _, _, err := p.Lookup(ctx, dir, name); err == nil {
		p.fatal("%q is there", at)
	}
	_, h, _, err := p.Create(ctx, dir, name, 0o640, volume.OpenFlags{Read: true, Write: true, Excl: p.IntN(2) == 0}, who)
	if err != nil {
		if !p.ill {
			p.fatal("create %q: %v", at, err)
		}
		p.note("put %q: %v", at, err)
		if p.lookedUp(at) { // it is there all the same
			p.files[at] = &publishedFile{mode: p.stat(at).Mode & 0o777}
		}
		return
	}
	p.open = append(p.open, h)
	data := strconv.FormatUint(1e9+p.Uint64N(1e9), 10)
	p.writeAll(h, data, 0)
	f := &publishedFile{data: data, before: data, mode: 0o640, h: h}
	if err := h.Flush(ctx); err != nil {
		p.fatal("flush %q: %v", at, err)
	}
	if p.IntN(3) > 0 {
		h.Release()
		f.h = nil
	}
	p.files[at] = f
	p.note("put %q %q open %v", at, data, f.h != nil)
}

func (p *publisher) lookedUp(at string) bool {
	dir, name := p.parent(at)
	_, _, err := p.Lookup(ctx, dir, name)
	return err == nil
}

func (p *publisher) linkSome() {
	from, f := p.some()
	to := p.path()
	if f == nil {
		return
	}
	p.lookedUp(to)
	err := p.link(from, to)
	p.note("link %q %q: %v", from, to, err)
	switch {
	case err == nil && p.files[to] != nil:
		p.fatal("linked over")
	case err == nil:
		p.files[to] = f
	case !p.ill && p.files[to] == nil:
		p.fatal("link: %v", err)
	case p.files[to] == nil && p.lookedUp(to): // half made
		st, got := p.stat(to), p.get(to)
		if st.Ino == p.stat(from).Ino {
			p.files[to] = f
		} else {
			p.files[to] = &publishedFile{data: got, before: got, mode: st.Mode & 0o777}
		}
	}
}

func (p *publisher) unlinkSome() {
	at, f := p.some()
	if f == nil {
		return
	}
	err := p.unlink(at)
	p.note("unlink %q: %v", at, err)
	if err == nil || p.ill && !p.lookedUp(at) {
		delete(p.files, at)
	} else if !p.ill {
		p.fatal("unlink: %v", err)
	}
}

func (p *publisher) writeSome() {
	at, f := p.some()
	if f == nil || f.h == nil {
		return
	}
	data := strconv.FormatUint(1e9+p.Uint64N(1e9), 10)
	if n, err := f.h.WriteAt(ctx, []byte(data), 0); n != len(data) {
		p.fatal("write: %v", err)
	}
	f.data = data
	err := f.h.Flush(ctx)
	p.note("write %q %q: %v", at, data, err)
	if err == nil {
		f.before = data
	} else if !p.ill {
		p.fatal("flush: %v", err)
	}
}

func (p *publisher) openSome() {
	at, f := p.some()
	if f == nil {
		return
	}
	if f.h != nil {
		p.note("close %q", at)
		f.h.Release()
		f.h = nil
		return
	}
	n, _, err := p.walk(at)
	p.ok(err)
	h, err := p.Open(ctx, n, readWrite)
	p.note("open %q: %v", at, err)
	if err == nil {
		f.h = h
		p.open = append(p.open, h)
	} else if !p.ill {
		p.fatal("open: %v", err)
	}
}

func (p *publisher) chmodSome() {
	at, f := p.some()
	if f == nil {
		return
	}
	n, _, err := p.walk(at)
	p.ok(err)
	mode := 0o600 + uint32(p.IntN(0o77))
	_, err = p.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	p.note("chmod %q %o: %v", at, mode, err)
	if err == nil {
		f.mode = mode
	} else if !p.ill {
		p.fatal("chmod: %v", err)
	} else {
		f.mode = p.stat(at).Mode & 0o777
	}
}

func (p *publisher) renameDirectory() {
	if p.ill {
		return
	}
	to := map[string]string{"d": "x", "x": "d"}[p.dir]
	p.missing(to)
	err := p.rename(p.dir, to)
	p.note("rename %q %q: %v", p.dir, to, err)
	p.ok(err)
	for at, f := range maps.Clone(p.files) {
		if rest, ok := strings.CutPrefix(at, p.dir+"/"); ok {
			delete(p.files, at)
			p.files[to+"/"+rest] = f
		}
	}
	p.dir = to
}

func (p *publisher) renameSome() {
	from, f := p.some()
	to := p.path()
	if f == nil || p.ill {
		return
	}
	p.lookedUp(to)
	over := p.files[to]
	err := p.rename(from, to)
	p.note("rename %q %q: %v", from, to, err)
	p.ok(err)
	if over != f {
		delete(p.files, from)
		p.files[to] = f
	}
}

func (p *publisher) fail() {
	kind := p.IntN(3)
	p.note("faults %d", kind)
	p.ill = kind > 0
	rate := 1 + p.IntN(3)
	r := rand.New(rand.NewPCG(p.Uint64(), 0))
	p.faults.set(func(op, key string) error {
		after := strings.HasPrefix(op, "after ")
		switch strings.TrimPrefix(op, "after ") {
		case s3client.OpList, s3client.OpHead, s3client.OpGet:
			return nil
		}
		if kind == 1 && !after || kind == 2 && after && r.IntN(rate) == 0 {
			return errCut
		}
		return nil
	})
	if kind == 0 {
		p.faults.set(nil)
	}
}

// failDisk does something while the journal's disk fails.
func (p *publisher) failDisk() {
	if p.ill {
		return // what is sent then without an answer nobody knows after a crash
	}
	p.note("disk fails")
	p.ill = true
	p.disks.Store(1 + p.Int64N(3))
	[]func(){p.linkSome, p.unlinkSome, p.unlinkSome, p.writeSome, p.chmodSome}[p.IntN(5)]()
	p.disks.Store(0)
	p.ill = false
	p.ok(p.log.Barrier())
}

func (p *publisher) dies() {
	p.note("crash")
	for _, f := range p.files {
		f.h = nil
	}
	p.open = nil
	p.mount = p.crash(p.ttl)
	p.ill = false
	p.faults.set(nil)
	p.own()
	byInode := map[*volume.Inode]*publishedFile{}
	for at, f := range p.files {
		n, st, err := p.walk(at)
		if err != nil {
			p.fatal("after a crash %q: %v", at, err)
		}
		got := p.get(at)
		if got != f.data && got != f.before {
			p.fatal("after a crash %q holds %q, want %q or %q", at, got, f.data, f.before)
		}
		if byInode[n] == nil {
			byInode[n] = &publishedFile{data: got, before: got, mode: st.Mode & 0o777}
		}
		p.files[at] = byInode[n]
	}
}

func (p *publisher) own() {
	p.OwnRoot()
	n, _, err := p.walk(p.dir)
	p.ok(err)
	volume.Own(n)
}

// check compares what a mount shows.
func (p *publisher) check(m *mount, what string) {
	p.t.Helper()
	inodes := map[*publishedFile]*volume.Inode{} // one that nobody has may come back with another number
	for _, dir := range []string{"", p.dir} {
		want := []string{}
		if dir == "" {
			want = append(want, p.dir)
		}
		for at := range p.files {
			if in, name := pathOf(at); in == dir {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		if got := m.list(dir); !slices.Equal(got, want) {
			p.fatal("%s %q has %q, want %q", what, dir, got, want)
		}
	}
	for at, f := range p.files {
		n, st, err := m.walk(at)
		if err != nil {
			p.fatal("%s: %q: %v", what, at, err)
		}
		if inodes[f] != nil && inodes[f] != n {
			p.fatal("%s: %q has another inode than its other name", what, at)
		}
		inodes[f] = n
		if got := m.get(at); got != f.data || st.Mode&0o777 != f.mode {
			p.fatal("%s: %q holds %q with mode %o, want %q with %o", what, at, got, st.Mode&0o777, f.data, f.mode)
		}
	}
}

func pathOf(at string) (dir, name string) {
	if i := strings.LastIndexByte(at, '/'); i >= 0 {
		return at[:i], at[i+1:]
	}
	return "", at
}

func (p *publisher) run(steps int) {
	do := []func(){
		p.put, p.put, p.put, p.linkSome, p.linkSome, p.linkSome, p.linkSome, p.unlinkSome, p.unlinkSome, p.unlinkSome,
		p.writeSome, p.writeSome, p.openSome, p.chmodSome, p.renameDirectory, p.renameSome, p.fail, p.fail, p.failDisk, p.dies,
		func() {
			d := []time.Duration{time.Millisecond, 60 * time.Millisecond, 1100 * time.Millisecond, 5 * time.Second}[p.IntN(4)]
			p.note("sleep %v", d)
			time.Sleep(d)
			synctest.Wait()
		},
	}
	for range steps {
		do[p.IntN(len(do))]()
		p.check(p.mount, "here")
	}
	p.note("end")
	p.ill = false
	p.faults.set(nil)
	for _, h := range p.open {
		h.Release()
	}
	if p.IntN(2) == 0 {
		if err := p.Close(ctx); err != nil {
			p.fatal("close: %v", err)
		}
	} else {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
	}
	p.check(p.second(), "elsewhere")
}

// TestPublicationsAtRandom does what programs do with temporary files, and what they do not.
func TestPublicationsAtRandom(t *testing.T) {
	seed, walks := uint64(1), 30
	if s := os.Getenv("PAIL_PUBLICATIONS"); s != "" {
		_, err := fmt.Sscan(s, &seed, &walks)
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(walks) {
		for name, caps := range map[string]s3client.Capabilities{"full": memclient.Full(), "conditional": {ConditionalPut: true}} {
			t.Run(fmt.Sprint(name, " ", seed+i), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &publisher{Rand: rand.New(rand.NewPCG(seed+i, 0)), files: map[string]*publishedFile{}, dir: "d"}
					age := []time.Duration{0, time.Hour}[p.IntN(2)]
					p.ttl = func(o *volume.Options, _ *upload.Options) { o.TTL, o.NegativeTTL = age, age }
					disk, c := breakable(journaltest.New(), &p.disks), newClock()
					p.mount = mountOn(t, newBucket(caps, c), c, p.ttl, journaled(t, disk))
					p.mount.disk = disk
					p.mkdir("d")
					p.own()
					p.run(25)
				})
			})
		}
	}
}
