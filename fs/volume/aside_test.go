package volume_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client/memclient"
)

// Another mount removes copies by their age: that of a file that is open for weeks has to stay.
func TestCopiesOfRemovedFilesLastWhileTheyAreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memclient.New(memclient.Options{Capabilities: memclient.Full(), Now: time.Now})
		mount := func() *mount {
			return mountOn(t, mem.Another(), newClock(), func(o *volume.Options, _ *upload.Options) { o.Now = time.Now })
		}
		m, other := mount(), mount()
		m.foreignLarge("f")
		m.foreignLarge("g")
		h := m.open("f", readOnly)
		m.ok(m.unlink("f"))
		time.Sleep(20 * 24 * time.Hour)
		g := other.open("g", readOnly)
		other.ok(other.unlink("g"))
		g.Release()
		synctest.Wait()
		m.ok(other.Close(ctx)) // has removed what is old
		if got, err := content(h); err != nil || len(got) == 0 {
			t.Errorf("after weeks: %d bytes, %v", len(got), err)
		}
		h.Release()
		if got := m.mem.Keys(); len(got) > 0 {
			t.Errorf("keys are %q", got)
		}
	})
}
