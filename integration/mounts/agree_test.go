package mounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"pail/fs/fstest"
	"pail/integration/harness"
)

// TestTwoMountsAgree makes random calls through two mounts of a bucket, or by a client without a mount, one after the other,
// and the same calls in a local directory: each call must have the same outcome, and both mounts must show what is there.
// Before another's turn, what is promised to others by then is waited for, and nothing else.
//
// A case is a directory and a seed. PAIL_AGREE_SEED says with which to begin, PAIL_AGREE_CASES how many of each setting to
// run, PAIL_AGREE_SETTING which of these, or one of those without leases, and PAIL_AGREE_BINARY which program is to run them,
// in place of one with the race detector.
func TestTwoMountsAgree(t *testing.T) {
	harness.NeedRoot(t)
	seed, cases := envNumber(t, "PAIL_AGREE_SEED", 1), envNumber(t, "PAIL_AGREE_CASES", harness.Scale(2, 1000))
	for _, s := range agreeSettings {
		if only := os.Getenv("PAIL_AGREE_SETTING"); only != s.name && (only != "" || s.control && !harness.Soaking()) {
			continue
		}
		cases := cases
		if (s.wait > 0 || s.journal) && !harness.Soaking() {
			cases = (cases + 2) / 3 // which take longer
		}
		t.Run(s.name, func(t *testing.T) {
			const most = 25 // of one pair of mounts
			for first := 0; first < cases; first += most {
				t.Run(fmt.Sprint(seed+first), func(t *testing.T) {
					t.Parallel()
					p := newMountPair(t, s)
					for i := first; i < min(first+most, cases) && !t.Failed(); i++ {
						p.run(uint64(seed + i))
					}
					t.Logf("%d files were made by who had a lease", p.leased)
				})
			}
		})
	}
}

func envNumber(t *testing.T, name string, def int) int {
	t.Helper()
	if os.Getenv(name) == "" {
		return def
	}
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// agreeSetting is how two mounts are used.
type agreeSetting struct {
	name    string
	options []string
	wait    time.Duration // until others see what was done before
	client  bool          // somebody without a mount takes part
	journal bool
	control bool // it tells faults of leases from others
}

var (
	believeNothing = []string{"stat_cache_expire=0", "attr_timeout=0", "entry_timeout=0", "negative_timeout=0"}
	believeBriefly = []string{"stat_cache_expire=0.2", "attr_timeout=0.1", "entry_timeout=0.1", "negative_timeout=0.1"}
	briefly        = 700 * time.Millisecond // half a second for what was asked for ahead
)

var agreeSettings = []agreeSetting{
	{name: "leases", options: append([]string{"read_leases"}, believeNothing...)},
	{name: "leases-client", options: append([]string{"read_leases"}, believeNothing...), client: true},
	{name: "leases-caches", options: append([]string{"read_leases"}, believeBriefly...), wait: briefly, client: true},
	{name: "leases-journal", options: append([]string{"read_leases", "writeback"}, believeNothing...), journal: true},
	{name: "none", options: append([]string{"read_leases=0"}, believeNothing...), control: true},
	{name: "none-client", options: append([]string{"read_leases=0"}, believeNothing...), client: true, control: true},
	{name: "none-caches", options: append([]string{"read_leases=0"}, believeBriefly...), wait: briefly, client: true, control: true},
	{name: "none-journal", options: append([]string{"read_leases=0", "writeback"}, believeNothing...), journal: true, control: true},
}

// mountPair is a server with two mounts of a bucket.
type mountPair struct {
	*testing.T
	set    agreeSetting
	binary string
	srv    *harness.Server
	mounts [2]*harness.Mount
	client plainClient
	leased int
}

func newMountPair(t *testing.T, s agreeSetting) *mountPair {
	p := &mountPair{T: t, set: s, binary: os.Getenv("PAIL_AGREE_BINARY")}
	if p.binary == "" {
		p.binary = harness.Binary(t)
	}
	p.srv = harness.Serve(t, harness.ServerOptions{HTTP: true, Binary: p.binary})
	p.srv.Bucket(t, "bucket")
	p.client = plainClient{p.srv.Client(t)}
	for i := range p.mounts {
		options := s.options
		if s.journal {
			options = append(slices.Clone(options), "journal_dir="+filepath.Join(t.TempDir(), "journal"))
		}
		p.mounts[i] = p.srv.Mount(t, "bucket", harness.MountOptions{Binary: p.binary, Options: options})
	}
	return p
}

func (p *mountPair) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// run is a case.
func (p *mountPair) run(seed uint64) {
	c := p.newCase(seed)
	err := c.calls(20 + c.IntN(60))
	if err == nil && c.IntN(3) == 0 {
		err = c.together()
	}
	c.end()
	if err != nil {
		p.Errorf("PAIL_AGREE_SETTING=%q PAIL_AGREE_SEED=%d PAIL_AGREE_CASES=1\n%s\n%v", p.set.name, seed, strings.Join(c.trace, "\n"), err)
	}
}

// parties of a case, by their place in who.
const (
	mountA = iota
	mountB
	service
)

var who = []string{"A", "B", "S3"}

// agreeCase is a directory that all work in.
type agreeCase struct {
	*rand.Rand
	p      *mountPair
	dir    string // of the bucket
	ref    string // the local directory
	actors [2]*fstest.Actor
	local  *fstest.Actor
	turn   int
	files  map[string]*agreeFile // open, by slot
	trace  []string
	count  int
}

// agreeFile is an open file.
type agreeFile struct {
	by     int
	ino    uint64 // of the local file
	closes bool   // when another changes it, as it is open to write, or a directory
	old    string // what is read of a version that another has replaced; "": of none
}

func (p *mountPair) newCase(seed uint64) *agreeCase {
	p.Helper()
	c := &agreeCase{Rand: rand.New(rand.NewPCG(seed, 0)), p: p, dir: fmt.Sprintf("c%d", seed), files: map[string]*agreeFile{}}
	c.ref = filepath.Join(p.TempDir(), "local")
	p.ok(os.Mkdir(c.ref, 0o755))
	c.turn = c.IntN(2)
	p.ok(os.Mkdir(p.mounts[c.turn].Path(c.dir), 0o755))
	p.ok(c.drain())
	time.Sleep(p.set.wait)
	var err error
	c.local, err = fstest.NewActor(c.ref)
	p.ok(err)
	for i := range c.actors {
		c.actors[i], err = fstest.NewActor(p.mounts[i].Path(c.dir))
		p.ok(err)
	}
	return c
}

// end takes all away as others do, so that nobody has a lease any more.
func (c *agreeCase) end() {
	for _, a := range append(c.actors[:], c.local) {
		a.Close()
	}
	if err := c.drain(); err != nil {
		c.p.Error(err)
	}
	out, err := c.p.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: aws.String(c.dir + "/")})
	c.p.ok(err)
	for _, o := range out.Contents {
		c.p.ok(c.p.client.delete(*o.Key))
	}
	c.p.ok(os.RemoveAll(c.ref))
}

// calls makes n calls, or a few more.
func (c *agreeCase) calls(n int) error {
	if c.IntN(4) > 0 {
		if err := c.steps(c.lease()); err != nil {
			return err
		}
	}
	for len(c.trace) < n {
		if err := c.maybeNext(); err != nil {
			return err
		}
		if err := c.steps(c.lines()); err != nil {
			return err
		}
		if c.IntN(12) == 0 && c.turn != service {
			if err := c.look(c.turn); err != nil {
				return err
			}
		}
	}
	return c.lookAll()
}

// maybeNext gives the turn to another, now and then.
func (c *agreeCase) maybeNext() error {
	if c.IntN(4) > 0 && c.turn != service || c.turn == service && c.IntN(2) == 0 {
		return nil
	}
	parties := 2
	if c.p.set.client {
		parties = 3
	}
	if err := c.handOver(); err != nil {
		return err
	}
	if c.IntN(3) == 0 {
		if err := c.views(); err != nil {
			return err
		}
	}
	c.turn = (c.turn + 1 + c.IntN(parties-1)) % parties
	return nil
}

// handOver has what was done seen by others. With a journal, that of files that stay open is sent much later.
func (c *agreeCase) handOver() error {
	store := "fsync "
	if c.p.set.journal {
		store = "close "
	}
	for _, slot := range c.slots() {
		if f := c.files[slot]; f.by == c.turn && f.old == "" {
			if err := c.step(store + slot); err != nil {
				return err
			}
		}
	}
	if err := c.drain(); err != nil {
		return err
	}
	time.Sleep(c.p.set.wait)
	return nil
}

// drain waits until a mount has sent what it has acknowledged.
func (c *agreeCase) drain() error {
	if c.turn == service {
		return nil
	}
	m := c.p.mounts[c.turn]
	for deadline := time.Now().Add(time.Minute); c.p.set.journal; time.Sleep(time.Millisecond) {
		s := m.Status(c.p.T, c.p.binary)
		if s.Report.Unsent == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("mount %s has %d files that it does not send", who[c.turn], s.Report.Unsent)
		}
	}
	root, err := os.Open(m.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Sync() // removals that are queued
}

// lookAll compares what both mounts show.
func (c *agreeCase) lookAll() error {
	if err := c.handOver(); err != nil {
		return err
	}
	return c.views()
}

func (c *agreeCase) views() error {
	return errors.Join(c.look(mountA), c.look(mountB))
}

// together has both mounts make calls at the same time. Then they agree on what is there, and what one has made that the other has
// nothing to do with is among it.
func (c *agreeCase) together() error {
	for _, slot := range c.slots() {
		if _, err := c.actors[c.files[slot].by].Do(fstest.Call{Op: "close", Args: []string{slot}}); err != nil {
			return err
		}
		delete(c.files, slot)
	}
	var work errgroup.Group
	own := map[string]string{}
	for c.turn = range c.actors {
		actor, mount := c.actors[c.turn], c.turn
		script := c.changesOfOne(own)
		calls, err := fstest.Parse(strings.Join(script, "\n"))
		if err != nil {
			return err
		}
		for _, line := range script {
			c.trace = append(c.trace, "together: "+who[mount]+" "+line)
		}
		work.Go(func() error {
			for _, call := range calls {
				if got, err := actor.Do(call); err != nil || got.Errno == unix.EIO || got.Errno == unix.ETIMEDOUT {
					return fmt.Errorf("mount %s: %s: %s, %v", who[mount], call, got, err)
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for c.turn = range c.actors {
		if err := c.drain(); err != nil {
			return err
		}
	}
	time.Sleep(c.p.set.wait)
	a, errA := c.actors[mountA].State()
	b, errB := c.actors[mountB].State()
	if err := errors.Join(errA, errB); err != nil {
		return fmt.Errorf("after all that: %w", err)
	}
	if err := a.Shows(b); err != nil {
		return fmt.Errorf("mount B shows what A does not: %w", err)
	}
	for name, value := range own {
		if got, err := os.ReadFile(c.p.mounts[mountB].Path(c.dir, name)); string(got) != value || err != nil {
			return fmt.Errorf("%s holds %.40q, %v, not %.40q", name, got, err, value)
		}
	}
	return nil
}

// changesOfOne are calls of one mount, some of which are about a file that is no other's.
func (c *agreeCase) changesOfOne(own map[string]string) (script []string) {
	kinds := []func() []string{
		c.store, c.store, c.replace, c.replace, c.lease,
		c.line("mkdir %s 0755", c.path), c.line("unlink %s", c.path), c.line("rmdir %s", c.path),
		c.line("rename %s %s", c.path, c.path), c.line("rename %s %s", c.path, c.path), c.line("link %s %s", c.path, c.path),
		c.line("chmod %s %s", c.path, c.mode), c.line("setxattr %s user.k v%s", c.path, c.number), c.line("list %s", c.path),
	}
	name := "own-" + who[c.turn]
	for range 25 {
		if c.IntN(4) == 0 {
			whole := c.whole(name, "O_TRUNC")
			_, own[name], _ = strings.Cut(strings.TrimPrefix(whole[1], "write "), " ")
			script = append(script, whole...)
		}
		script = append(script, kinds[c.IntN(len(kinds))]()...)
	}
	return script
}

// look compares what a mount shows with what there is.
func (c *agreeCase) look(mount int) error {
	want, err := c.local.State()
	if err != nil {
		return fmt.Errorf("the local directory: %w", err)
	}
	c.trace = append(c.trace, "# "+who[mount]+" looks")
	got, err := c.actors[mount].State()
	if err != nil {
		return fmt.Errorf("mount %s: %w", who[mount], err)
	}
	if err := want.Shows(got); err != nil {
		return fmt.Errorf("mount %s: %w", who[mount], err)
	}
	return nil
}

// slots are those of open files, in an order that the seed decides.
func (c *agreeCase) slots() []string {
	var list []string
	for slot := range c.files {
		list = append(list, slot)
	}
	slices.Sort(list)
	return list
}

func (c *agreeCase) steps(lines []string) error {
	for _, line := range lines {
		if err := c.step(line); err != nil {
			return err
		}
	}
	return nil
}

// step makes a call on both sides. Before, those have to let go of what it changes who would have another version of it.
func (c *agreeCase) step(line string) error {
	calls, err := fstest.Parse(line)
	if err != nil {
		return err
	}
	call := calls[0]
	if changes(call) {
		if err := c.letGo(call); err != nil {
			return err
		}
	}
	c.trace = append(c.trace, who[c.turn]+" "+line)
	switch call.Op {
	case "put", "delete", "marker":
		return c.byService(call)
	case "old":
		return c.readOld(call.Args[0])
	}
	return c.both(c.turn, call)
}

// both makes a call through a mount and locally.
func (c *agreeCase) both(mount int, call fstest.Call) error {
	got, err := c.actors[mount].Do(call)
	if err != nil {
		return err
	}
	want, err := c.local.Do(call)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("mount %s answers %s, the local directory %s", who[mount], got, want)
	}
	if got.Errno != 0 {
		return nil
	}
	switch call.Op {
	case "open":
		return c.opened(mount, call)
	case "close":
		delete(c.files, call.Args[0])
	}
	return nil
}

// opened notes an open file.
func (c *agreeCase) opened(mount int, call fstest.Call) error {
	info, err := os.Stat(filepath.Join(c.ref, call.Args[1]))
	if err != nil {
		return err
	}
	f := &agreeFile{by: mount, ino: inodeNumber(info), closes: info.IsDir() || !strings.Contains(call.Args[2], "RDONLY")}
	c.files[call.Args[0]] = f
	if strings.Contains(call.Args[2], "O_EXCL") && !c.there(call.Args[1]) {
		c.p.leased++
	}
	return nil
}

func inodeNumber(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// there reports whether the server has an object.
func (c *agreeCase) there(name string) bool {
	_, err := c.p.client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String(c.dir + "/" + name)})
	return err == nil
}

// changes reports whether a call may change what others see.
func changes(call fstest.Call) bool {
	switch call.Op {
	case "open":
		return strings.ContainsAny(call.Args[2], "W") || strings.Contains(call.Args[2], "O_CREAT")
	case "close", "read", "fsync", "fstat", "stat", "lstat", "list", "readlink", "getxattr", "old":
		return false
	}
	return true
}

// letGo has others close what a call may change of the files that they have open, or read on in the version that they have.
func (c *agreeCase) letGo(call fstest.Call) error {
	touched := map[uint64]bool{}
	for _, arg := range call.Args {
		if f := c.files[arg]; f != nil {
			touched[f.ino] = true
		}
		touch(touched, filepath.Join(c.ref, arg))
	}
	for _, slot := range c.slots() {
		f := c.files[slot]
		if f.by == c.turn && f.old != "" { // a change of what has the name by now would be stored with this one's close
			if err := c.step("old " + slot); err != nil {
				return err
			}
			continue
		}
		if f.by == c.turn || f.old != "" || !touched[f.ino] {
			continue
		}
		old, err := c.local.Do(fstest.Call{Op: "read", Args: []string{slot, "65536", "0"}})
		if err != nil {
			return err
		}
		c.trace = append(c.trace, who[f.by]+" close "+slot)
		if f.closes || c.IntN(2) == 0 {
			if err := c.both(f.by, fstest.Call{Op: "close", Args: []string{slot}}); err != nil {
				return err
			}
			continue
		}
		c.trace[len(c.trace)-1] += " # but it reads on"
		if _, err := c.local.Do(fstest.Call{Op: "close", Args: []string{slot}}); err != nil {
			return err
		}
		f.old = old.Value
	}
	return nil
}

// touch adds the numbers of what a path leads to, and of all below.
func touch(touched map[uint64]bool, path string) {
	if info, err := os.Stat(path); err == nil {
		touched[inodeNumber(info)] = true
	}
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error { // what is not there has no number
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			touched[inodeNumber(info)] = true
		}
		return err
	})
}

// readOld reads a version that another has replaced, changed or removed: it is that, or nothing.
func (c *agreeCase) readOld(slot string) error {
	f := c.files[slot]
	got, err := c.actors[f.by].Do(fstest.Call{Op: "read", Args: []string{slot, "65536", "0"}})
	if err != nil {
		return err
	}
	if got.Errno != unix.ESTALE && got.Errno != unix.ENOENT && (got.Errno != 0 || got.Value != f.old) {
		return fmt.Errorf("mount %s reads %s of the version that had %s", who[f.by], got, f.old)
	}
	delete(c.files, slot)
	_, err = c.actors[f.by].Do(fstest.Call{Op: "close", Args: []string{slot}})
	return err
}

// byService makes a change without a mount, of what is no link, in a directory that has its own name.
func (c *agreeCase) byService(call fstest.Call) error {
	key, at := aws.String(c.dir+"/"+call.Args[0]), filepath.Join(c.ref, call.Args[0])
	bucket, ctx := aws.String("bucket"), context.Background()
	switch call.Op {
	case "marker":
		if _, err := c.p.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(*key + "/"), Body: bytes.NewReader(nil)}); err != nil {
			return err
		}
		return os.Mkdir(at, 0o755)
	case "delete":
		if err := c.p.client.delete(*key); err != nil {
			return err
		}
		return os.Remove(at)
	}
	if _, err := c.p.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(call.Args[1])}); err != nil {
		return err
	}
	temp := c.ref + "-new"
	if err := os.WriteFile(temp, []byte(call.Args[1]), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, at)
}
