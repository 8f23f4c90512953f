package volume_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// failPuts makes every PUT fail, and counts them.
func (m *mount) failPuts() (count *atomic.Int64) {
	count = new(atomic.Int64)
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpPut {
			count.Add(1)
			return errCut
		}
		return nil
	})
	return count
}

func TestClosedFileThatCouldNotBeStoredIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t, conditional)
		m.put("changed", "old")
		puts := m.failPuts()
		created, changed := m.create("created"), m.open("changed", readWrite)
		reader := m.open("changed", readOnly)
		for _, h := range []*volume.Handle{created, changed} {
			m.writeAll(h, "data", 0)
			m.want(h.Flush(ctx), errCut)
			h.Release()
		}
		before := puts.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if tried := (puts.Load() - before) / 2; tried < 55 || tried > 70 {
			t.Errorf("%d attempts in an hour", tried)
		}
		m.faults.set(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, key := range []string{"created", "changed"} {
			if got := m.object(key); got != "data" {
				t.Errorf("%q has %q", key, got)
			}
		}
		if s, err := content(reader); s != "data" || err != nil {
			t.Errorf("a reader sees %q, %v", s, err)
		}
		reader.Release()
		m.mem.ResetCounts()
		time.Sleep(time.Hour)
		m.requests(0, "when all is stored")
	})
}

func TestAttemptsInTheBackgroundKeepBothVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t, conditional)
		m.put("f", "old")
		m.failPuts()
		h := m.open("f", readWrite)
		m.writeAll(h, "mine", 0)
		m.want(h.Flush(ctx), errCut)
		h.Release()
		m.foreign("f", "theirs")
		m.faults.set(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := m.object(m.conflictOf("f")); got != "mine" {
			t.Errorf("kept %q", got)
		}
		if got := m.get("f"); got != "theirs" {
			t.Errorf("the mount shows %q", got)
		}
	})
}

// hanging is a client whose PUTs last until their context ends, while on.
type hanging struct {
	s3client.Client
	on atomic.Bool
}

func (c *hanging) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if !c.on.Load() {
		return c.Client.Put(ctx, key, r, opt)
	}
	<-ctx.Done()
	return s3client.ObjectInfo{}, ctx.Err()
}

func TestCloseEndsAttemptsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &hanging{}
		m := newMount(t, conditional, func(o *volume.Options, _ *upload.Options) {
			c.Client = o.Client
			o.Client = c
		})
		m.failPuts()
		h := m.create("f")
		m.writeAll(h, "data", 0)
		m.want(h.Flush(ctx), errCut)
		h.Release()
		m.faults.set(nil)
		c.on.Store(true)
		time.Sleep(10 * time.Second) // an attempt is on its way
		begun := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := m.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		c.on.Store(false)
		m.ok(m.Close(ctx))
		if got := m.object("f"); got != "data" {
			t.Errorf("stored %q", got)
		}
	})
}
