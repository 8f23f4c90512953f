package volume_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// slow is a client of a service that takes its time for a PUT.
type slow struct{ s3client.Client }

const slowPut = 4 * time.Second

func (c slow) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	select {
	case <-time.After(slowPut):
		return c.Client.Put(ctx, key, r, opt)
	case <-ctx.Done():
		return s3client.ObjectInfo{}, ctx.Err()
	}
}

// withAndWithoutRoom runs a test with room for the bytes of a small file that is written to while it is sent, and without.
func withAndWithoutRoom(t *testing.T, test func(t *testing.T, room bool, local setup)) {
	for name, budget := range map[string]int64{"room": stage.DefaultMemoryTotal, "no room": 4 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, name == "room", func(o *volume.Options, _ *upload.Options) {
					area, err := stage.New(stage.Options{Dir: tempDir(t), MemoryTotal: budget})
					if err != nil {
						t.Fatal(err)
					}
					o.Stage = area
				})
			})
		})
	}
}

// TestFileThatIsWrittenAllTheTimeIsSent appends to a log more often than it can be sent.
func TestFileThatIsWrittenAllTheTimeIsSent(t *testing.T) {
	withAndWithoutRoom(t, func(t *testing.T, room bool, local setup) {
		m := newJournaled(t, conditional, local)
		m.faults.Client = slow{m.faults.Client}
		m.put("log", "0")
		stored, quick := 0, 0
		for i := range 30 {
			time.Sleep(2 * time.Second)
			begin := time.Now()
			h := m.open("log", readWrite)
			m.writeAll(h, "x", int64(i+1))
			m.close(h)
			took := time.Since(begin)
			if took > slowPut {
				t.Errorf("a write took %v", took)
			}
			if took <= 1100*time.Millisecond {
				quick++
			}
			if room && took > 0 {
				t.Errorf("with room, a write took %v", took)
			}
			if keys := m.mem.Keys(); len(keys) > 0 && len(m.object("log")) > i-10 {
				stored++
			}
		}
		if stored < 15 {
			t.Errorf("after %d of 30 writes the service had something recent", stored)
		}
		if quick < 15 {
			t.Errorf("%d of 30 writes did not wait for the service", quick)
		}
		m.stored()
		if want := "0" + strings.Repeat("x", 30); m.object("log") != want {
			t.Errorf("the service has %q", m.object("log"))
		}
	})
}

// TestFileThatStaysOpenIsSent keeps a log open for long, and syncs it now and then.
func TestFileThatStaysOpenIsSent(t *testing.T) {
	withAndWithoutRoom(t, func(t *testing.T, room bool, local setup) {
		m := newJournaled(t, conditional, local)
		m.faults.Client = slow{m.faults.Client}
		h := m.create("log")
		want, stale := "", 0
		for range 300 {
			begin := time.Now()
			m.writeAll(h, "x", int64(len(want)))
			want += "x"
			m.ok(h.Fsync(ctx))
			if took := time.Since(begin); took > slowPut || room && took > 0 {
				t.Errorf("a write took %v", took)
			}
			time.Sleep(time.Second)
			if len(m.mem.Keys()) == 0 || len(m.object("log")) < len(want)-120 {
				stale++
			}
		}
		if stale > 125 {
			t.Errorf("for %d of 300 seconds the service had nothing of the last two minutes", stale)
		}
		time.Sleep(3 * openDelay)
		if got := m.object("log"); got != want {
			t.Errorf("after a while the service has %d bytes, want %d", len(got), len(want))
		}
		m.mem.ResetCounts()
		time.Sleep(time.Hour)
		m.requests(0, "when all is stored")

		m.put("closed", "") // and opened again before it is sent, and left open
		other := m.open("closed", readWrite)
		time.Sleep(3 * openDelay)
		if got := m.object("closed"); got != "" {
			t.Errorf("it has %q", got)
		}
		m.close(other)
		m.close(h)
	})
}

// TestFileThatStaysOpenIsSentAfterAnOutage has the service away, and then not answering at all.
func TestFileThatStaysOpenIsSentAfterAnOutage(t *testing.T) {
	withAndWithoutRoom(t, func(t *testing.T, room bool, local setup) {
		m := newJournaled(t, conditional, local)
		c := &hanging{Client: m.faults.Client}
		m.faults.Client = c
		h := m.create("log")
		outage := func() {
			t.Helper()
			slowest := time.Duration(0)
			for i := range 1000 {
				begin := time.Now()
				m.writeAll(h, "x", int64(i))
				m.ok(h.Fsync(ctx))
				slowest = max(slowest, time.Since(begin))
				time.Sleep(time.Second)
			}
			if slowest > yieldAfter || room && slowest > 0 {
				t.Errorf("a write took %v", slowest)
			}
		}
		m.deaf()
		outage()
		c.on.Store(true)
		m.faults.set(nil)
		outage()
		c.on.Store(false)
		if room {
			time.Sleep(volume.DefaultMetaTimeout) // nobody has broken off the last request that gets no answer
		}
		time.Sleep(3 * openDelay)
		if got := m.object("log"); len(got) != 1000 {
			t.Errorf("the service has %d bytes", len(got))
		}
		m.close(h)
	})
}

// What the sender promises: how long a file waits after the last that was closed, how long one that stays open, and a writer
// for an attempt.
const (
	sendDelay  = 50 * time.Millisecond
	openDelay  = 30 * time.Second
	yieldAfter = time.Second
)

// TestFilesAreSentWhenNoMoreAreClosed closes one file after the other, for less than the time that one may wait.
func TestFilesAreSentWhenNoMoreAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
		for i := range 40 {
			m.put(fmt.Sprint("f", i), "x")
			if keys := m.mem.Keys(); len(keys) > 0 {
				t.Fatalf("while files are closed, %q are sent", keys)
			}
			time.Sleep(sendDelay / 3)
		}
		time.Sleep(sendDelay)
		synctest.Wait()
		if keys := m.mem.Keys(); len(keys) != 40 {
			t.Errorf("a moment after the last, %d of 40 files are on the service", len(keys))
		}
	})
}

// TestFilesAreSentWhileMoreAreClosed has a program that closes files all the time.
func TestFilesAreSentWhileMoreAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
		for i := range 300 {
			m.put(fmt.Sprintf("f%03d", i), "x")
			time.Sleep(sendDelay / 3)
			synctest.Wait()
			if keys := m.mem.Keys(); len(keys) < i-61 {
				t.Fatalf("%d of %d files are on the service, though each waits a second at most", len(keys), i)
			}
		}
	})
}

// TestFileThatIsHardlyEverClosedIsSent has programs that open a file again soon after they have closed it. What they have not
// closed yet is hardly ever sent.
func TestFileThatIsHardlyEverClosedIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
		random := rand.New(rand.NewPCG(1, 2))
		early := 0
		for file := range 10 {
			path := fmt.Sprint("log", file)
			m.put(path, "")
			closed, lines := time.Now(), 0
			for i := range 400 {
				h := m.open(path, readWrite)
				m.writeAll(h, "x", int64(i))
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
				synctest.Wait()
				sent := 0
				if slices.Contains(m.mem.Keys(), path) {
					sent = len(m.object(path))
				}
				if sent > i { // it was opened in the moment in which it was sent
					early++
				}
				if sent > lines {
					closed, lines = time.Now(), sent
				}
				if late := time.Since(closed); late > 3*time.Second {
					t.Fatalf("the service has %d of %d lines, for %v", lines, i, late)
				}
				m.close(h)
				time.Sleep(time.Duration(1+random.IntN(5)) * time.Millisecond)
			}
		}
		if early > 40 {
			t.Errorf("what was not closed was sent %d times of 4000", early)
		}
	})
}

// TestChangeOfAStoredFileIsNotHeldBack replaces one of which others see the old version, while other files are closed.
func TestChangeOfAStoredFileIsNotHeldBack(t *testing.T) {
	for name, change := range map[string]func(m *mount){
		"written": func(m *mount) {
			h := m.open("f", readWrite)
			m.writeAll(h, "new", 0)
			m.close(h)
		},
		"renamed": func(m *mount) {
			m.put("f.tmp", "new")
			m.ok(m.rename("f.tmp", "f"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newJournaled(t, conditional)
				m.put("f", "")
				time.Sleep(2 * sendDelay)
				m.get("f")
				change(m)
				for i := range 4 {
					m.put(fmt.Sprint("other", i), "x")
					time.Sleep(sendDelay / 3)
				}
				synctest.Wait()
				if got := m.object("f"); got != "new" {
					t.Errorf("others see %q", got)
				}
			})
		})
	}
}

// TestManyFilesAreNotHeldBack closes more at once than may wait for those that follow, twice; in between they may wait.
func TestManyFilesAreNotHeldBack(t *testing.T) {
	for name, test := range map[string]struct{ files, size int }{"files": {1100, 1}, "bytes": {3, 4 << 20}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newJournaled(t, conditional)
				data := strings.Repeat("x", test.size)
				round := func(files int, waits bool, name string) {
					before := len(m.mem.Keys())
					for i := range files {
						m.put(fmt.Sprint(name, i), data)
					}
					for i := range 4 {
						time.Sleep(sendDelay / 3)
						m.put(fmt.Sprint(name, "more", i), "x")
					}
					synctest.Wait()
					if none := len(m.mem.Keys()) == before; none != waits {
						t.Errorf("%s: with %d files, none is sent: %v", name, files, none)
					}
					time.Sleep(2 * sendDelay)
				}
				round(test.files, false, "first")
				round(1, true, "second")
				round(test.files, false, "third")
			})
		})
	}
}

// TestFileThatGrowsWhileItWaitsIsNotHeldBack closes it small, and again when it is large.
func TestFileThatGrowsWhileItWaitsIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
		m.put("f", "x")
		h := m.open("f", readWrite)
		m.writeAll(h, strings.Repeat("x", 9<<20), 0)
		m.close(h)
		for i := range 4 {
			time.Sleep(sendDelay / 3)
			m.put(fmt.Sprint("more", i), "x")
		}
		synctest.Wait()
		if m.mem.Keys() == nil {
			t.Error("nothing is sent yet")
		}
	})
}

// TestFilesAreSentSeveralAtOnce has a service that takes its time.
func TestFilesAreSentSeveralAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional, func(o *volume.Options, _ *upload.Options) { o.Parallel = 3 })
		m.faults.Client = slow{m.faults.Client}
		for i := range 7 {
			m.put(fmt.Sprint("f", i), "x")
		}
		for _, want := range []int{0, 3, 6, 7} {
			time.Sleep(sendDelay)
			synctest.Wait()
			if keys := m.mem.Keys(); len(keys) != want {
				t.Errorf("%d files are on the service, want %d", len(keys), want)
			}
			time.Sleep(slowPut - sendDelay)
		}
	})
}

// TestFileThatIsClosedWhileAllAreBusyIsSent closes it a moment before another is sent.
func TestFileThatIsClosedWhileAllAreBusyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional, func(o *volume.Options, _ *upload.Options) { o.Parallel = 1 })
		m.faults.Client = slow{m.faults.Client}
		m.put("before", "x")
		time.Sleep(sendDelay + slowPut - sendDelay/2)
		m.put("after", "x")
		time.Sleep(sendDelay + slowPut)
		synctest.Wait()
		if keys := m.mem.Keys(); len(keys) != 2 {
			t.Errorf("%q are on the service", keys)
		}
	})
}

// noted notes the keys of PUTs, when they end.
type noted struct {
	s3client.Client
	err error // of files

	mu   sync.Mutex
	keys []string
}

func (c *noted) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keys = append(c.keys, key)
	}()
	if c.err != nil && !strings.HasSuffix(key, "/") {
		return s3client.ObjectInfo{}, c.err
	}
	return c.Client.Put(ctx, key, r, opt)
}

func (c *noted) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.keys)
}

// TestRenamedDirectoryIsSentSeveralFilesAtOnce renames one of which the service has not heard.
func TestRenamedDirectoryIsSentSeveralFilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { o.Parallel = 4 })
		c := &noted{Client: slow{m.faults.Client}}
		m.faults.Client = c
		m.OwnRoot()
		for _, dir := range []string{"p", "p/d", "p/d/e"} {
			m.mkdir(dir)
		}
		for i := range 4 {
			m.put(fmt.Sprint("p/d/e/f", i), "x")
			m.put(fmt.Sprint("p/d/f", i), "x")
		}
		m.mem.ResetCounts()
		begin := time.Now()
		m.ok(m.rename("p/d", "to"))
		if heads := m.mem.Counts()[s3client.OpHead]; heads > 0 {
			t.Errorf("%d closed files were asked for", heads)
		}
		if took := time.Since(begin); took > 5*slowPut {
			t.Errorf("three directories and eight files took the time of %d requests", int64(took/slowPut))
		}
		if keys := c.sent(); len(keys) < 3 || !slices.Equal(keys[:3], []string{"p/", "p/d/", "p/d/e/"}) {
			t.Errorf("sent are %q", keys)
		}
		time.Sleep(2 * sendDelay)
		if st := m.Status(); st.Open > 0 || st.Unsaved > 0 {
			t.Errorf("left are %+v", st)
		}
		for i := range 4 {
			m.get(fmt.Sprint("to/e/f", i))
			m.get(fmt.Sprint("to/f", i))
		}
	})
}

// TestDirectoriesAboveAreSentFirst renames and exchanges in a directory of which the service has not heard.
func TestDirectoriesAboveAreSentFirst(t *testing.T) {
	for name, change := range map[string]func(m *mount){
		"exchange directories": func(m *mount) { m.ok(m.exchange("p/q/d", "p/q/e")) },
		"exchange files":       func(m *mount) { m.ok(m.exchange("p/q/f", "p/q/g")) },
		"over a hard link":     func(m *mount) { m.ok(m.rename("p/q/f", "linked")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newJournaled(t, memclient.Full())
				m.put("other", "")
				m.ok(m.link("other", "linked"))
				m.stored()
				c := &noted{Client: m.faults.Client}
				m.faults.Client = c
				m.OwnRoot()
				for _, dir := range []string{"p", "p/q", "p/q/d", "p/q/e"} {
					m.mkdir(dir)
				}
				for _, file := range []string{"p/q/d/x", "p/q/f", "p/q/g"} {
					m.put(file, file)
				}
				change(m)
				if keys := c.sent(); len(keys) < 3 || !slices.Equal(keys[:2], []string{"p/", "p/q/"}) {
					t.Errorf("sent are %q", keys)
				}
				time.Sleep(2 * sendDelay)
				synctest.Wait()
				if st := m.Status(); st.Open > 0 {
					t.Errorf("left are %+v", st)
				}
			})
		})
	}
}

// TestRenameOfADirectoryEndsWithTheFirstFailure has a service that takes no files.
func TestRenameOfADirectoryEndsWithTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) { o.Parallel = 4 })
		c := &noted{Client: m.faults.Client}
		m.faults.Client = c
		m.OwnRoot()
		m.mkdir("d")
		for i := range 20 {
			m.put(fmt.Sprint("d/f", i), "x")
		}
		time.Sleep(sendDelay / 2)
		c.err = s3client.ErrNoSpace
		m.want(m.rename("d", "to"), s3client.ErrNoSpace)
		if keys := c.sent(); len(keys) > 5 {
			t.Errorf("after the first failure, %q were sent as well", keys)
		}
		c.err = nil
		m.get("d/f0")
	})
}
