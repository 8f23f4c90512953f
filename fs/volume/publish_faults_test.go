package volume_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// losing loses the answers to PUTs of a key; the service has it then, and takes nothing else.
func losing(key string) func(op, key string) error {
	lost := false
	return func(op, at string) error {
		if lost || op == s3client.OpPut && at != key {
			return errCut
		}
		lost = op == "after "+s3client.OpPut
		if lost {
			return errCut
		}
		return nil
	}
}

// tryToSettle has a publication sent, which fails.
func (m *mount) tryToSettle(name string) {
	m.t.Helper()
	n, _, err := m.walk(name)
	m.ok(err)
	if h, err := m.Open(ctx, n, readWrite); err == nil {
		h.Release()
		m.t.Fatal("it has become a hard link")
	}
}

// What was sent under the second name without an answer is known when a name goes then.
func TestPublishedHereWithAnAnswerLost(t *testing.T) {
	for _, gone := range []string{"tmp_1", "final"} {
		for _, crash := range []bool{false, true} {
			t.Run(gone, func(t *testing.T) {
				m := newJournaledOwn(t, memclient.Full())
				m.missing("final")
				m.put("tmp_1", "content")
				m.ok(m.link("tmp_1", "final"))
				m.faults.set(losing("final"))
				m.tryToSettle("tmp_1")
				if gone == "tmp_1" {
					m.ok(m.unlink(gone)) // also in an outage
					if crash {
						m = m.crash()
					}
				}
				m.faults.set(nil)
				if gone == "final" {
					m.ok(m.unlink(gone))
					if crash {
						m = m.crash()
					}
				}
				m.stored()
				stays := map[string]string{"tmp_1": "final", "final": "tmp_1"}[gone]
				other := m.second()
				other.names("", stays)
				if got := other.get(stays); got != "content" {
					t.Errorf("it holds %q", got)
				}
			})
		}
	}
}

// publishedOpen publishes tmp_1 as final in the journal, with a handle that may go on writing.
func publishedOpen(t *testing.T) (*mount, *volume.Handle) {
	t.Helper()
	m := newJournaledOwn(t, memclient.Full())
	m.missing("final")
	h := m.create("tmp_1")
	m.writeAll(h, "content", 0)
	m.ok(h.Flush(ctx))
	m.ok(m.link("tmp_1", "final"))
	return m, h
}

// What is written to a file of whose names only the second could be sent is in it whichever goes.
func TestPublishedHereAndWrittenHalfSent(t *testing.T) {
	for _, gone := range []string{"tmp_1", "final"} {
		t.Run(gone, func(t *testing.T) {
			m, h := publishedOpen(t)
			m.faults.set(func(op, key string) error {
				if key == "tmp_1" {
					return errCut
				}
				return nil
			})
			m.tryToSettle("tmp_1")
			m.writeAll(h, "C", 0)
			mode := uint32(0o600)
			_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
			m.ok(err)
			m.faults.set(nil)
			m.ok(m.unlink(gone))
			m.close(h)
			m.stored()
			stays := map[string]string{"tmp_1": "final", "final": "tmp_1"}[gone]
			for _, m := range []*mount{m, m.second()} {
				m.names("", stays)
				if got := m.get(stays); got != "Content" {
					t.Errorf("it holds %q", got)
				}
				if st := m.stat(stays); st.Mode&0o777 != mode || st.Nlink != 1 {
					t.Errorf("it has %+v", st)
				}
			}
		})
	}
}

// A volume that was closed in an outage can be closed again.
func TestPublishedHereAndClosedInAnOutage(t *testing.T) {
	for _, written := range []bool{false, true} { // since it was linked
		m, h := publishedOpen(t)
		want := "content"
		if written {
			m.writeAll(h, "C", 0)
			want = "Content"
		}
		m.faults.set(away)
		if err := m.Close(ctx); !errors.Is(err, volume.ErrUnsent) {
			t.Errorf("closed with %v", err)
		}
		_ = m.Close(ctx)
		m = m.crash()
		m.faults.set(nil)
		m.stored()
		m.names("", "final", "tmp_1")
		if got := m.get("tmp_1"); got != want {
			t.Errorf("it holds %q, want %q", got, want)
		}
	}
}

// An unmount tells of a second name that only the journal has, be the file under its first one stored; and tries once more
// to send it.
func TestClosedWithASecondNameUnsent(t *testing.T) {
	for _, forGood := range []bool{false, true} {
		m := newJournaledOwn(t, memclient.Full())
		for _, name := range []string{"1", "2"} {
			m.put("tmp_"+name, "content")
			m.ok(m.link("tmp_"+name, "final"+name))
		}
		failed := false
		m.faults.set(func(op, key string) error {
			if key != "final1" || op != s3client.OpPut && op != s3client.OpCopy || failed && !forGood {
				return nil
			}
			failed = true
			return errCut
		})
		err := m.Close(ctx)
		if forGood != errors.Is(err, volume.ErrUnsent) || forGood != (m.log.Stats().Entries > 0) || !failed {
			t.Errorf("for good %v: closed with %v and %d entries", forGood, err, m.log.Stats().Entries)
		}
		if forGood {
			m = m.crash()
			m.faults.set(nil)
			m.stored()
		}
		for _, key := range []string{"final1", "final2", "tmp_1", "tmp_2"} {
			if got := m.second().get(key); got != "content" {
				t.Errorf("%s holds %q", key, got)
			}
		}
	}
}

// While a hard link is made of it, both names are of one file.
func TestPublicationHasItsNamesUntilItIsAHardLink(t *testing.T) {
	publishing(t, func(t *testing.T, begin func(...setup) *mount) {
		c := &puts{}
		m := begin(func(o *volume.Options, u *upload.Options) {
			c.Client = o.Client
			o.Client, u.Client = c, c
		})
		m.missing("final")
		m.put("tmp_1", "content")
		m.ok(m.link("tmp_1", "final"))
		n, st, err := m.walk("tmp_1")
		m.ok(err)
		seen := 0
		c.put.Store(func(key string) {
			if !strings.HasPrefix(key, ".pail/") && key != "final" {
				return
			}
			seen++
			if got := m.stat("final"); got.Ino != st.Ino {
				t.Errorf("before %q is made the second name has %+v", key, got)
			}
			m.names("", "final", "tmp_1")
		})
		_, err = m.Link(ctx, n, m.Root(), "third")
		m.ok(err)
		c.put.Store(func(string) {})
		if seen == 0 {
			t.Error("nothing was made")
		}
		m.nlink("final", 3)
	})
}

// puts tells of PUTs before they are sent.
type puts struct {
	s3client.Client
	put atomic.Value // func(key string)
}

func (c *puts) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if f, ok := c.put.Load().(func(string)); ok {
		f(key)
	}
	return c.Client.Put(ctx, key, r, opt)
}

// Another client's file is seen at once under the first name that it has taken.
func TestPublishedHereAndFirstTakenByAnother(t *testing.T) {
	m := newJournaledOwn(t, memclient.Full())
	m.missing("final")
	m.put("tmp_1", "content")
	m.ok(m.link("tmp_1", "final"))
	m.foreign("tmp_1", "theirs")
	h := m.open("final", readWrite) // makes a hard link
	h.Release()
	if a, b := m.get("tmp_1"), m.get("final"); a != "theirs" || b != "content" {
		t.Errorf("the files hold %q and %q", a, b)
	}
}

// A service that does not answer holds up neither a removal that needs no request, nor the end of a mount.
func TestPublishedHereWithoutAnswers(t *testing.T) {
	for _, end := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &hanging{}
			m := newJournaledOwn(t, memclient.Full(), func(o *volume.Options, u *upload.Options) {
				c.Client = o.Client
				o.Client, u.Client = c, c
			})
			m.missing("tmp_1")
			m.missing("final")
			c.on.Store(true)
			m.put("tmp_1", "content")
			m.ok(m.link("tmp_1", "final"))
			time.Sleep(200 * time.Millisecond) // a file that was not linked would be on its way
			if begun := time.Now(); end {
				short, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				m.want(m.Close(short), volume.ErrUnsent)
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("the end took %v", took)
				}
			} else {
				m.ok(m.unlink("tmp_1"))
				if took := time.Since(begun); took > 0 {
					t.Errorf("the removal took %v", took)
				}
			}
			c.on.Store(false)
			time.Sleep(volume.DefaultMetaTimeout) // nobody has broken off what gets no answer
		})
	}
}

// What is changed while only one of the names could be made a hard link is acknowledged only when both have it.
func TestPublishedHereAndChangedHalfShared(t *testing.T) {
	m := newJournaledOwn(t, memclient.Full())
	m.missing("final")
	m.put("tmp_1", "content")
	m.ok(m.link("tmp_1", "final"))
	n, _, err := m.walk("tmp_1")
	m.ok(err)
	for _, taken := range []string{"final", "tmp_1"} { // what the service takes
		m.faults.set(func(op, key string) error {
			if op == s3client.OpPut && key != taken {
				return errCut
			}
			return nil
		})
		mode := uint32(0o600)
		if taken == "tmp_1" {
			mode = 0o604
		}
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		if got := m.stat("final").Mode & 0o777; err == nil && got != mode {
			t.Errorf("it has mode %o, want %o", got, mode)
		}
		acknowledged := err == nil
		if taken == "tmp_1" {
			m = m.crash()
			if got := m.stat("final").Mode & 0o777; acknowledged && got != mode {
				t.Errorf("after a crash it has mode %o, want %o", got, mode)
			}
		}
	}
	m.faults.set(nil)
	m.stored()
}
