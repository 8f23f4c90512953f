package volume_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/journal/journaltest"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
	"pail/s3client/retry"
)

// outage is what can be wrong with a service, and what it is to somebody who waits for its end.
type outage struct {
	name string
	do   faultclient.Action
	is   error // what a call returns that needs the service
	hold time.Duration

	large int // size of a large file
}

// Sizes of a large file: a few blocks, and a few parts.
const (
	blocks = 3<<20 + 1000
	parts  = s3client.MinPartSize + 1000
)

// The longest that calls wait: for the attempts of one request, and for the end of the context of an operation.
const (
	attempts = time.Minute
	patience = volume.DefaultMetaTimeout + time.Minute
)

var outages = []outage{
	{"refused", faultclient.Fail(nil), s3client.ErrUnavailable, attempts, parts},
	{"500", faultclient.Fail(&s3client.Error{Code: "InternalError", Status: 500, Err: s3client.ErrUnavailable}), s3client.ErrUnavailable, attempts, blocks},
	{"SlowDown", faultclient.Fail(&s3client.Error{Code: "SlowDown", Status: 503, Err: s3client.ErrThrottled}), s3client.ErrThrottled, attempts, blocks},
	{"hang", faultclient.Hang(), context.DeadlineExceeded, patience, parts},
	{"reset in the middle", faultclient.Cut(3), s3client.ErrUnavailable, attempts, parts},
	{"answers lost", faultclient.Lose(nil), s3client.ErrUnavailable, attempts, parts},
	{"wrong checksum", faultclient.Fail(s3client.ErrIntegrity), s3client.ErrIntegrity, attempts, blocks},
	{"expired credentials", faultclient.Fail(s3client.ErrCredentials), s3client.ErrAccess, attempts, blocks},
	{"clock skew", faultclient.Fail(&s3client.Error{Code: "RequestTimeTooSkewed", Status: 403, Err: s3client.ErrAccess}), s3client.ErrAccess, attempts, blocks},
}

// brittle is a service that can be broken.
type brittle struct{ *faultclient.Client }

// retrying mounts it as pail does: with attempts.
func (b *brittle) retrying(t *testing.T) setup {
	return func(o *volume.Options, u *upload.Options) {
		b.Client = faultclient.New(o.Client)
		client := retry.New(b, retry.Options{})
		o.Client = client
		o.TTL, o.NegativeTTL = time.Nanosecond, time.Nanosecond
		pool := readahead.NewPool(readahead.Options{Client: client, MemoryLimit: 8 << 20, BlockSize: 1 << 20})
		o.Readahead = pool
		t.Cleanup(func() {
			if err := pool.Close(); err != nil {
				t.Error(err)
			}
		})
		u.PartSize, u.MultipartThreshold = s3client.MinPartSize, s3client.MinPartSize
	}
}

// inBothModes runs a test on a mount where close(2) waits for the service, and on one with a journal.
func inBothModes(t *testing.T, test func(t *testing.T, m *mount, broken *brittle, writeback bool), more ...setup) {
	t.Helper()
	for _, writeback := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			broken := &brittle{}
			disk := journaltest.New()
			changes := append([]setup{broken.retrying(t)}, more...)
			if writeback {
				changes = append(changes, journaled(t, disk))
			}
			m := newMount(t, memclient.Full(), changes...)
			m.disk = disk
			test(t, m, broken, writeback)
		})
	}
}

// TestOutages has files open, and others at hand, while a service fails in each way, for every request. Calls say the
// truth in time, and with a journal close does not wait; when it is over everything goes on by itself, without a file more
// or a false conflict.
func TestOutages(t *testing.T) {
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m *mount, broken *brittle, writeback bool) {
				o.test(t, m, broken, writeback)
			})
		})
	}
}

func (o outage) test(t *testing.T, m *mount, broken *brittle, writeback bool) {
	large := strings.Repeat("0123456789", o.large/10)
	m.put("old", "1")
	m.put("large", large)
	m.put("unread", large)
	m.stored()
	files := map[string]*volume.Handle{"old": m.open("old", readWrite), "large": m.open("large", readWrite), "new": m.create("new")}
	unread, _, err := m.walk("unread")
	m.ok(err)
	reader, err := m.Open(ctx, unread, readOnly)
	m.ok(err)
	broken.Add(faultclient.Fault{Times: -1, Do: o.do})

	for name, h := range files {
		m.writeAll(h, "22", 0)
		begin := time.Now()
		err := h.Flush(ctx)
		took := time.Since(begin)
		switch {
		case writeback && (err != nil || took > time.Second):
			t.Errorf("%s: with a journal close gives %v after %v", name, err, took)
		case !writeback && (!errors.Is(err, o.is) || took > o.hold+time.Duration(len(large)>>16)*time.Second):
			t.Errorf("%s: close gives %v after %v", name, err, took)
		}
	}
	begin := time.Now()
	_, _, err = m.Mkdir(ctx, m.Root(), "dir", 0o755, who)
	if took := time.Since(begin); !errors.Is(err, o.is) || took > o.hold {
		t.Errorf("mkdir gives %v after %v", err, took)
	}
	short, cancel := context.WithTimeout(ctx, time.Second) // a signal
	begin = time.Now()
	got := make([]byte, 4)
	_, err = reader.ReadAt(short, got, int64(len(large)-4))
	cancel()
	if took := time.Since(begin); took > time.Second || err == nil && string(got) != large[len(large)-4:] {
		t.Errorf("a read that is interrupted gives %v, %q after %v", err, got, took)
	}
	reader.Release() // with what it had asked for, which only the client's own time limits end
	for name, h := range files {
		if name != "new" {
			h.Release() // the last writer leaves
		}
	}
	if m.Status().Unsaved != 3 {
		t.Errorf("status is %+v", m.Status())
	}

	broken.Clear()
	time.Sleep(o.hold + 3*time.Minute) // a request that hangs has to end first
	m.ok(files["new"].Flush(ctx))
	files["new"].Release()
	m.stored()
	want := map[string]string{"old": "22", "large": "22" + large[2:], "new": "22", "unread": large}
	for key, data := range want {
		if got := m.object(key); got != data {
			t.Errorf("%s: the service has %d bytes, %.10q", key, len(got), got)
		}
		if got := m.get(key); got != data {
			t.Errorf("%s: the mount has %d bytes, %.10q", key, len(got), got)
		}
	}
	keys := slices.DeleteFunc(m.mem.Keys(), func(key string) bool { return key == "dir/" && o.name == "answers lost" })
	if len(keys) != len(want) || len(m.Status().Conflicts) > 0 {
		t.Errorf("the service has %q, conflicts %q", keys, m.Status().Conflicts)
	}
}

// TestShortOutages has two requests fail, at the time of each possible one.
func TestShortOutages(t *testing.T) {
	for _, o := range outages {
		if o.name == "hang" || errors.Is(o.is, s3client.ErrAccess) {
			continue // nothing to wait for
		}
		t.Run(o.name, func(t *testing.T) {
			for skip := range 8 {
				inBothModes(t, func(t *testing.T, m *mount, broken *brittle, _ bool) {
					m.put("old", "1")
					m.mkdir("dir")
					m.stored()
					rule := broken.Add(faultclient.Fault{Skip: skip, Times: 2, Do: o.do})
					h := m.open("old", readWrite)
					m.writeAll(h, "22", 0)
					m.close(h)
					m.put("tmp", "new")
					m.ok(m.rename("tmp", "dir/new"))
					n, _, err := m.walk("old")
					m.ok(err)
					mode := uint32(0o600)
					_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
					m.ok(err)
					if got := m.get("old") + m.get("dir/new"); got != "22new" {
						t.Errorf("request %d: it reads %q", skip, got)
					}
					m.stored()
					if rule.Hits() == 0 {
						t.Errorf("there was no request %d", skip)
					}
					if keys := m.mem.Keys(); len(keys) != 3 || m.object("old") != "22" || m.object("dir/new") != "new" {
						t.Errorf("request %d: the service has %q", skip, keys)
					}
					if st := m.stat("old"); st.Mode&0o777 != mode {
						t.Errorf("request %d: the mode is %o", skip, st.Mode)
					}
				})
			}
		})
	}
}

// noDisk gives room bytes of memory for what is written, and none on the disk.
func noDisk(room int64) setup {
	return func(o *volume.Options, _ *upload.Options) {
		area, err := stage.New(stage.Options{MemoryPerFile: room, MemoryTotal: room, KeepFree: math.MaxInt64 / 2})
		if err != nil {
			panic(err)
		}
		o.Stage = area
	}
}

// TestNoLocalRoom writes more than memory and disk may take of what is not stored: the writer is told, and what went before is
// kept, and stored.
func TestNoLocalRoom(t *testing.T) {
	const room = 100 << 10
	inBothModes(t, func(t *testing.T, m *mount, broken *brittle, _ bool) {
		broken.Add(faultclient.Fault{Op: s3client.OpPut, Times: 1, Do: faultclient.Fail(nil)})
		data := strings.Repeat("d", room/2)
		h := m.create("f")
		m.writeAll(h, data, 0)
		other := m.create("other")
		n, err := other.WriteAt(ctx, []byte(data+data), 0)
		if n != 0 || !errors.Is(err, volume.ErrNoSpace) {
			t.Errorf("a write gives %d, %v", n, err)
		}
		if n, err = h.WriteAt(ctx, []byte(data+data), 10); n != 0 || !errors.Is(err, volume.ErrNoSpace) {
			t.Errorf("a write gives %d, %v", n, err)
		}
		m.close(h)
		m.ok(m.Sync(ctx))
		m.close(other)
		m.put("more", data) // there is room again
		m.stored()
		if m.object("f") != data || m.object("other") != "" || m.object("more") != data {
			t.Errorf("the service has %d, %d and %d bytes", len(m.object("f")), len(m.object("other")), len(m.object("more")))
		}
	}, noDisk(room))
}

// TestBodiesThatEndEarly has answers to reads end too early: nobody sees a half.
func TestBodiesThatEndEarly(t *testing.T) {
	inBothModes(t, func(t *testing.T, m *mount, broken *brittle, _ bool) {
		m.foreign("f", "0123456789")
		for _, do := range []faultclient.Action{faultclient.Truncate(0), faultclient.Truncate(4), faultclient.Cut(0), faultclient.Cut(4)} {
			broken.Add(faultclient.Fault{Op: s3client.OpGet, Times: 2, Do: do})
			n, _, err := m.walk("f")
			m.ok(err)
			if h, err := m.Open(ctx, n, readOnly); err == nil {
				if got, err := content(h); err == nil && got != "0123456789" || !strings.HasPrefix("0123456789", got) {
					t.Errorf("it reads %q, %v", got, err)
				}
				h.Release()
			}
			broken.Clear()
			if got := m.get("f"); got != "0123456789" {
				t.Errorf("then it reads %q", got)
			}
		}
	})
}
