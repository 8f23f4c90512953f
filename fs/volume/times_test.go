package volume_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// again mounts the same bucket once more, after the first mount has ended.
func (m *mount) again() *mount {
	m.t.Helper()
	m.ok(m.Close(ctx))
	return mountOn(m.t, m.mem, m.clock)
}

func TestTimesOfDirectoriesAreStoredInTheEnd(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.mkdir("d")
		m.mkdir("d/sub")
		m.mem.ResetCounts()
		m.put("d/f", "x")
		m.requests(1, "a new file") // the times of its directory cost nothing now
		want := m.stat("d")
		next := m.again()
		if got := next.stat("d"); !got.Mtime.Equal(want.Mtime) || !got.Ctime.Equal(want.Ctime) {
			t.Errorf("times are %v and %v, were %v and %v", got.Mtime, got.Ctime, want.Mtime, want.Ctime)
		}
		next.mem.ResetCounts()
		next.ok(next.Close(ctx))
		next.requests(0, "a mount that has changed nothing")
	})
}

func TestTimesMakeNoMarkers(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign("dir/f", "x")
	m.put("dir/g", "y")
	m.put("h", "z")
	m.ok(m.Close(ctx))
	if got := fmt.Sprint(m.mem.Keys()); got != "[dir/f dir/g h]" {
		t.Errorf("the bucket holds %s", got)
	}
}

func TestTimesOfManyDirectoriesAreStoredMeanwhile(t *testing.T) {
	m := newMount(t, memclient.Full())
	const dirs = 1500 // more than are held on to
	for i := range dirs {
		m.mkdir(fmt.Sprint(i))
		m.mkdir(fmt.Sprint(i, "/sub"))
	}
	last := m.stat(fmt.Sprint(dirs - 1)).Mtime
	next := m.again()
	for i := range dirs {
		if dir, sub := next.stat(fmt.Sprint(i)), next.stat(fmt.Sprint(i, "/sub")); dir.Mtime.Before(sub.Mtime) {
			t.Fatalf("directory %d was changed at %v, what is in it at %v", i, dir.Mtime, sub.Mtime)
		}
	}
	if got := next.stat(fmt.Sprint(dirs - 1)).Mtime; !got.Equal(last) {
		t.Errorf("the last directory was changed at %v, was %v", got, last)
	}
}

func TestTimeInTheFutureEndsWithTheNextEntry(t *testing.T) {
	m := newMount(t, plain)
	m.mkdir("d")
	n, _, err := m.walk("d")
	m.ok(err)
	future := m.clock.Now().Add(1000 * time.Hour)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mtime: &future}, nil)
	m.ok(err)
	m.put("d/f", "x")
	if got := m.stat("d").Mtime; !got.Before(future) {
		t.Errorf("mtime is %v after a file was made", got)
	}
}

func TestRootMarkerIsNoDirectory(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(0))
		mode := uint32(0o700)
		_, err := m.Setattr(ctx, m.Root(), volume.SetAttr{Mode: &mode}, nil)
		m.ok(err)
		m.put("f", "x")
		m.names("", "f")
		m.missing("~pail-raw")
		if st := m.again().stat(""); st.Mode&0o777 != mode {
			t.Errorf("mode of the root is %o after a remount", st.Mode)
		}
		m = mountOn(t, m.mem, m.clock, ttl(0))
		m.foreign("/below", "y") // a key that begins with a slash
		m.names("", "f", "~pail-raw")
		if got := m.get("~pail-raw/below"); got != "y" {
			t.Errorf("it holds %q", got)
		}
	})
}

// TestEntryMadeWhileTheModeChanges makes an entry in the moment in which the new attributes of its directory are put together:
// the time of modification that the entry gives the directory is seen, and stored.
func TestEntryMadeWhileTheModeChanges(t *testing.T) {
	c := newClock()
	var making atomic.Bool
	var m *mount
	m = mountOn(t, newBucket(conditional, c), c, func(o *volume.Options, _ *upload.Options) {
		o.Now = func() time.Time {
			pc, _, _, _ := runtime.Caller(1)
			if strings.Contains(runtime.FuncForPC(pc).Name(), ".apply.") && making.CompareAndSwap(true, false) {
				m.put("d/f", "x")
			}
			return c.Now()
		}
	})
	m.mkdir("d")
	before := m.stat("d").Mtime
	n, _, err := m.walk("d")
	m.ok(err)
	mode := uint32(0o711)
	making.Store(true)
	_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	if got := m.stat("d"); !got.Mtime.After(before) || got.Mode&0o777 != mode {
		t.Errorf("mode %o, modified at %v, before at %v", got.Mode, got.Mtime, before)
	}
	if got := m.again().stat("d"); !got.Mtime.After(before) {
		t.Errorf("the service has %v, before %v", got.Mtime, before)
	}
}

// TestDirectoryTimesSurviveLostAnswers has the answers get lost, or the requests, that change a directory after an entry of it.
func TestDirectoryTimesSurviveLostAnswers(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		for _, kept := range []time.Duration{0, time.Minute} {
			for _, when := range []string{"", "after "} {
				for _, m := range []*mount{newMount(t, caps, ttl(kept)), newJournaled(t, caps, ttl(kept))} {
					m.mkdir("d")
					m.stored()
					m.put("d/f", "x")
					want := m.stat("d").Mtime
					n, _, err := m.walk("d")
					m.ok(err)
					m.faults.set(func(op, key string) error {
						if strings.HasPrefix(op, when) && key == "d/" && op != s3client.OpHead {
							return errCut
						}
						return nil
					})
					mode := uint32(0o711)
					_, _ = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
					m.faults.set(nil)
					m.clock.advance(2 * time.Minute)
					if got := m.stat("d"); !got.Mtime.Equal(want) {
						t.Errorf("lost %q, kept %v: modified at %v, want %v", when+"request", kept, got.Mtime, want)
					}
					_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
					m.ok(err)
					m.stored()
					if got := m.again().stat("d"); !got.Mtime.Equal(want) || got.Mode&0o777 != mode {
						t.Errorf("lost %q, kept %v: at the end mode %o, modified at %v, want %v", when+"request", kept, got.Mode, got.Mtime, want)
					}
				}
			}
		}
	})
}
