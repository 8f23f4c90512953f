package volume_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// far is a client of a service that is 10 ms away.
type far struct{ s3client.Client }

const roundTrip = 10 * time.Millisecond

func (c far) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	time.Sleep(roundTrip)
	return c.Client.Get(ctx, key, opt)
}

func (c far) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	time.Sleep(roundTrip)
	return c.Client.Head(ctx, key)
}

// farMount is a mount of a bucket with directories of small files, in a bubble of synctest.
func farMount(t *testing.T, caps s3client.Capabilities, dirs, files int) *mount {
	m := newMount(t, caps, func(o *volume.Options, _ *upload.Options) { o.Now = time.Now })
	m.clock.advance(time.Until(m.clock.Now())) // of the service
	m.faults.Client = far{m.faults.Client}
	for d := range dirs {
		for f := range files {
			m.foreign(fmt.Sprintf("d%d/f%02d", d, f), fmt.Sprintf("%d %d", d, f))
		}
	}
	return m
}

func TestFilesReadInOrderAreFetchedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dirs, files = 3, 60
		m := farMount(t, memclient.Full(), dirs, files)
		m.names("", "d0", "d1", "d2")
		m.readInOrder(dirs, files, func() { m.requests(files, "open, read and close of each file") })
	})
}

// readInOrder reads the files of a farMount as grep -r does, and calls counted after each directory.
func (m *mount) readInOrder(dirs, files int, counted func()) {
	m.t.Helper()
	for d := range dirs {
		dir := fmt.Sprintf("d%d", d)
		names := m.list(dir)
		m.mem.ResetCounts()
		begin := time.Now()
		for i, name := range names {
			if got, want := m.get(dir+"/"+name), fmt.Sprintf("%d %d", d, i); got != want {
				m.t.Fatalf("%q: %q, want %q", name, got, want)
			}
		}
		if took := time.Since(begin); took > time.Duration(files)*roundTrip/5 {
			m.t.Errorf("reading %d files took %v", files, took)
		}
		counted()
	}
}

// Opening files out of order, or one, fetches nothing else.
func TestFilesReadOutOfOrderAreNotFetchedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := farMount(t, memclient.Full(), 1, 60)
		names := m.list("d0")
		m.mem.ResetCounts()
		for _, i := range []int{30, 3, 59, 25, 0, 40} {
			m.get("d0/" + names[i])
		}
		m.requests(6, "open, read and close of some files")
	})
}

// What was fetched ahead is not what is read if it is older than half a second, or if this mount has changed the file.
func TestFetchedAheadIsUsedForAMomentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := farMount(t, memclient.Full(), 1, 20)
		names := m.list("d0")
		for i := range 4 {
			m.get("d0/" + names[i])
		}
		synctest.Wait()
		time.Sleep(roundTrip)
		m.foreign("d0/"+names[4], "theirs")
		h := m.open("d0/"+names[5], volume.OpenFlags{Write: true, Truncate: true})
		m.writeAll(h, "mine", 0)
		m.close(h)
		m.ok(m.rename("d0/"+names[6], "d0/"+names[7]))
		if got := m.get("d0/" + names[5]); got != "mine" {
			t.Errorf("content %q after a write", got)
		}
		if got := m.get("d0/" + names[7]); got != "0 6" {
			t.Errorf("content %q after a rename", got)
		}
		time.Sleep(500 * time.Millisecond)
		if got := m.get("d0/" + names[4]); got != "theirs" {
			t.Errorf("content %q after the time for which an answer counts", got)
		}
		m.mem.ResetCounts()
		if got := m.list("d0"); len(got) != 19 || !slices.Contains(got, names[19]) {
			t.Errorf("names %q", got)
		}
		m.requests(1, "a listing fetches no files")
	})
}
