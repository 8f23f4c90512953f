package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestMountThroughTakeover mounts two servers and kills the one that serves, then ends the other one in order, while programs
// work on the mount: loops that write and read back, small files and one that is uploaded in parts, rsync and git. None
// sees an error, and what they wrote is there.
func TestMountThroughTakeover(t *testing.T) {
	harness.NeedProgram(t, "/usr/bin/rsync", "rsync")
	harness.NeedProgram(t, "/usr/bin/git", "git")
	r := startReplicas(t, 2, harness.ServerOptions{})
	r.servers[0].Others = []string{r.servers[1].URL}
	m := r.servers[0].Mount(t, "bucket", harness.MountOptions{})
	w := &work{t: t, m: m}
	ctx, stop := context.WithCancel(context.Background())
	var programs sync.WaitGroup
	for _, program := range []func(context.Context){w.loop, w.big, w.rsync, w.git} {
		programs.Go(func() { program(ctx) })
	}
	owner := r.servers[0]
	for _, end := range []struct {
		how string
		do  func(*harness.Server)
	}{{"was killed", (*harness.Server).Kill}, {"got SIGTERM", func(s *harness.Server) { s.Stop(t) }}} {
		w.waitLoops(3)
		begin := time.Now()
		end.do(owner)
		w.waitLoops(1)
		t.Logf("the loop went on %v after the owner %s", time.Since(begin).Round(time.Millisecond), end.how)
		w.waitLoops(2)
		owner.Restart(t)
		owner = r.owner()
	}
	stop()
	programs.Wait()
	m.Unmount(t)
	t.Logf("%d small and %d large files written, %d trees copied, %d commits", w.loops.Load(), w.bigs.Load(), w.copies.Load(), w.commits.Load())
}

// work is what programs do on a mount.
type work struct {
	t                            *testing.T
	m                            *harness.Mount
	loops, bigs, copies, commits atomic.Int64
}

func (w *work) loop(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		w.writeAndRead(fmt.Sprintf("loop%d", i%7), load.RandomBytes(uint64(i), 3000))
		w.loops.Add(1)
	}
}

// big writes a file that is uploaded in parts.
func (w *work) big(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		w.writeAndRead("big", load.RandomBytes(uint64(i), 26<<20))
		w.bigs.Add(1)
	}
}

func (w *work) writeAndRead(name string, want []byte) {
	path := w.m.Path(name)
	if err := os.WriteFile(path, want, 0o644); err != nil {
		w.t.Errorf("writing %s: %v", name, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("%d bytes of %s were read back: %v", len(got), name, err)
	}
}

func (w *work) rsync(ctx context.Context) {
	source := w.t.TempDir()
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(source, fmt.Sprintf("f%02d", i)), load.RandomBytes(uint64(i), 20_000), 0o644); err != nil {
			w.t.Error(err)
		}
	}
	for i := 0; ctx.Err() == nil; i++ {
		copied := w.m.Path(fmt.Sprintf("copy%d", i))
		if w.run("rsync", "-r", source+"/", copied+"/") && w.run("diff", "-r", source, copied) {
			w.copies.Add(1)
		}
	}
}

func (w *work) git(ctx context.Context) {
	repo := w.m.Path("repo")
	git := func(args ...string) bool {
		return w.run("git", append([]string{"-C", repo, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0"}, args...)...)
	}
	w.run("git", "init", "-q", repo)
	for i := 0; ctx.Err() == nil; i++ {
		if err := os.WriteFile(filepath.Join(repo, "file"), load.RandomBytes(uint64(i), 5000), 0o644); err != nil {
			w.t.Error(err)
		}
		if git("add", "file") && git("commit", "-q", "-m", fmt.Sprint(i)) {
			w.commits.Add(1)
		}
	}
	git("fsck", "--strict")
}

// run reports whether a program ended well; else the test has failed.
func (w *work) run(name string, args ...string) bool {
	out, stderr, err := harness.Command{}.Try(name, args...)
	if err != nil {
		w.t.Errorf("%s %v: %v\n%s%s", name, args, err, out, stderr)
	}
	return err == nil
}

// waitLoops waits for n further rounds of the loop.
func (w *work) waitLoops(n int64) {
	w.t.Helper()
	n += w.loops.Load()
	for deadline := time.Now().Add(90 * time.Second); w.loops.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("the loop on the mount does not go on")
		}
	}
}
