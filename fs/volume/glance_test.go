package volume_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

func TestLookupsInOneDirectoryAreOneListing(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		const files = 250
		for i := range files {
			m.foreign(fmt.Sprintf("d/f%03d", i), "x")
		}
		m.stat("d")
		m.mem.ResetCounts()
		heads := files
		if caps.ListMetadata {
			heads = 1
		}
		for i := range files {
			m.stat(fmt.Sprintf("d/f%03d", i))
		}
		m.requests(1+1+heads, "stat of all") // the first asks for what is below it too
		m.missing("d/absent")
		m.put("d/new", "x")
		m.requests(1, "a name that is not there, and a new file")
	})
}

func TestLookupsAtOnceShareAListing(t *testing.T) {
	m := newMount(t, memclient.Full())
	for i := range 50 {
		m.foreign(fmt.Sprintf("d/f%02d", i), "x")
	}
	dir, _, err := m.walk("d")
	m.ok(err)
	m.stat("d/f00")
	m.mem.ResetCounts()
	var work errgroup.Group
	for i := range 50 {
		work.Go(func() error {
			_, _, err := m.Lookup(ctx, dir, fmt.Sprintf("f%02d", i))
			return err
		})
	}
	m.ok(work.Wait())
	m.requests(1, "lookups at once")
}

// What was believed for its time is asked for again, of a directory that is known to be small by one listing.
func TestAgedDirectoryIsListedAgain(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign("d/a", "x")
	m.foreign("d/b", "x")
	m.stat("d/a")
	m.stat("d/b")
	for i := range 3 {
		m.clock.advance(2 * time.Minute)
		name := fmt.Sprintf("d/new%d", i)
		m.foreign(name, "x")
		m.stat("d")
		m.mem.ResetCounts()
		m.stat(name)
		m.stat("d/a")
		m.foreignDelete(name)
		m.requests(1, "names after the TTL")
		m.clock.advance(2 * time.Minute)
		m.missing(name)
	}
}

// Names of a directory of many that are asked for now and then, as by who makes files there one after the other, have it
// listed now and then, not each time that what is believed has aged.
func TestAgedDirectoryOfManyIsListedForManyNames(t *testing.T) {
	m := newMount(t, memclient.Full())
	const files, names = 900, 60
	for i := range files {
		m.foreign(fmt.Sprintf("d/f%03d", i), "x")
	}
	m.stat("d/f000")
	m.stat("d/f001")
	dir, _, err := m.walk("d")
	m.ok(err)
	listings := 0
	m.faults.set(func(op, prefix string) error {
		if op == s3client.OpList && prefix == "d/" {
			listings++
		}
		return nil
	})
	for i := range names {
		m.clock.advance(2 * time.Minute)
		_, _, err := m.Lookup(ctx, dir, fmt.Sprint("new", i))
		m.want(err, volume.ErrNotExist)
	}
	m.faults.set(nil)
	if most := names * 50 / files; listings == 0 || listings > most {
		t.Errorf("%d listings for %d names, want at most %d", listings, names, most)
	}
}

func TestLargeDirectoryIsAskedNameByName(t *testing.T) {
	m := newMount(t, memclient.Full())
	const files = 5000
	for i := range files {
		m.foreign(fmt.Sprintf("d/f%04d", i), "x")
	}
	m.stat("d/f0000")
	m.stat("d/f4999") // all pages that are read for it do not have it
	m.stat("d")
	m.mem.ResetCounts()
	m.stat("d/f0700")
	m.requests(0, "a name of the pages that were read")
	m.stat("d/f4500")
	m.missing("d/g")
	m.requests(4, "names of a directory with many")
}

// A listing that fails leaves lookups with the answer to their own request.
func TestLookupsWithoutAListing(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign("d/a", "x")
	m.foreign("d/b", "x")
	m.stat("d")
	m.faults.set(func(op, key string) error {
		if op == s3client.OpList {
			return errCut
		}
		return nil
	})
	for range 2 {
		dir, _, err := m.walk("d")
		m.ok(err)
		_, _, err = m.Lookup(ctx, dir, "a")
		m.want(err, errCut)
		_, _, err = m.Lookup(ctx, dir, "b")
		m.want(err, errCut)
	}
	m.faults.set(nil)
	m.stat("d/a")
	m.stat("d/b")
}
