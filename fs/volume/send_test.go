package volume_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/s3client"
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

// TestFileThatIsWrittenAllTheTimeIsSent appends to a log more often than it can be sent.
func TestFileThatIsWrittenAllTheTimeIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newJournaled(t, conditional)
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
