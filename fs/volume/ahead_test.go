package volume_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/attr"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// counted checks how many requests of one kind were made since the last call.
func (m *mount) counted(op string, least, most int) {
	m.t.Helper()
	if n := m.mem.Counts()[op]; n < least || n > most {
		m.t.Errorf("%d of %s, want %d to %d", n, op, least, most)
	}
}

// Plain S3 tells attributes one by one: those of the files that follow are asked for while the first ones come.
func TestFilesLookedUpInOrderAreAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files = 100
		m := farMount(t, plain, 2, files)
		for d := range 2 {
			dir := fmt.Sprintf("d%d", d)
			n, _, err := m.walk(dir)
			m.ok(err)
			h := m.openDir(dir)
			m.mem.ResetCounts()
			begin := time.Now()
			for _, e := range m.entries(h, all)[2:] {
				if _, _, err := h.Lookup(ctx, e.Name); e.Mode != 0 || !errors.Is(err, volume.ErrNotTold) {
					t.Fatalf("%q is told to be %o: %v", e.Name, e.Mode, err)
				}
			}
			m.counted(s3client.OpHead, 0, 0) // nobody has looked yet
			for f := range files {
				_, st, err := m.Lookup(ctx, n, fmt.Sprintf("f%02d", f))
				m.ok(err)
				if st.Mode != attr.Regular|0o644 || st.Size == 0 {
					t.Fatalf("file %d is %+v", f, st)
				}
			}
			if took := time.Since(begin); took > files*roundTrip/20 {
				t.Errorf("attributes of %d files took %v", files, took)
			}
			m.counted(s3client.OpHead, files, files)
			m.counted(s3client.OpGet, 0, 0)
		}
	})
}

// A program that goes on in another directory is known there.
func TestFilesOfATreeAreAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dirs, files = 20, 50
		m := farMount(t, plain, dirs, files)
		m.names("", "d0", "d1", "d10", "d11", "d12", "d13", "d14", "d15", "d16", "d17", "d18", "d19", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9")
		handles := make([]*volume.Inode, dirs)
		for d := range dirs {
			var err error
			handles[d], _, err = m.walk(fmt.Sprintf("d%d", d))
			m.ok(err)
		}
		m.mem.ResetCounts()
		begin := time.Now()
		for d, dir := range handles {
			for _, name := range m.list(fmt.Sprintf("d%d", d)) {
				_, _, err := m.Lookup(ctx, dir, name)
				m.ok(err)
			}
		}
		if took := time.Since(begin); took > (2*dirs+8)*roundTrip {
			t.Errorf("attributes of %d files in %d directories took %v", dirs*files, dirs, took)
		}
		m.counted(s3client.OpHead, dirs*files, dirs*files)
	})
}

// Of a large directory only the names that come next are remembered.
func TestFilesOfALargeDirectoryAreAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files = 12_000
		m := farMount(t, plain, 0, 0)
		for f := range files {
			m.foreign(fmt.Sprintf("d/f%05d", f), "x")
		}
		dir, _, err := m.walk("d")
		m.ok(err)
		d := m.openDir("d")
		m.mem.ResetCounts()
		begin := time.Now()
		for n := 1003; n > 0; { // as ls -l reads and looks names up, in turn; here always one of the page after
			list := m.entries(d, n)
			if n = 1000; len(list) < n {
				n = 0
			}
			for _, e := range list {
				if e.Name[0] != '.' {
					_, _, err := m.Lookup(ctx, dir, e.Name)
					m.ok(err)
				}
			}
		}
		if took := time.Since(begin); took > files*roundTrip/30 {
			t.Errorf("attributes of %d files took %v", files, took)
		}
		m.counted(s3client.OpHead, files, files)
	})
}

// Names that are looked up without a listing have one made for them, see glances; then they are in its order too.
func TestFilesStattedInOrderAreAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files = 250
		m := farMount(t, plain, 1, files)
		m.stat("d0")
		m.mem.ResetCounts()
		begin := time.Now()
		for f := range files {
			m.stat(fmt.Sprintf("d0/f%02d", f))
		}
		if took := time.Since(begin); took > files*roundTrip/10 {
			t.Errorf("stat of %d files took %v", files, took)
		}
		m.counted(s3client.OpHead, files, files+1)
		m.counted(s3client.OpList, 2, 2)
	})
}

// A file that is looked up by a program that opens what it looks up comes with its attributes.
func TestFilesReadInOrderOnPlainS3AreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dirs, files = 3, 60
		m := farMount(t, plain, dirs, files)
		m.names("", "d0", "d1", "d2")
		m.readInOrder(dirs, files, func() {
			m.counted(s3client.OpGet, files, files)
			m.counted(s3client.OpHead, 0, 1)
		})
	})
}

// What was fetched for a lookup is not what is read if this mount has changed the file since.
func TestFetchedForALookupIsNotReadAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := farMount(t, plain, 1, 30)
		names := m.list("d0")
		dir, _, err := m.walk("d0")
		m.ok(err)
		for _, name := range names[:5] {
			m.get("d0/" + name)
		}
		looked := map[int]*volume.Inode{}
		for _, i := range []int{5, 6, 7, 8} {
			looked[i], _, err = m.Lookup(ctx, dir, names[i])
			m.ok(err)
		}
		h, err := m.Open(ctx, looked[5], readWrite)
		m.ok(err)
		m.writeAll(h, "mine", 0)
		m.close(h)
		m.ok(m.rename("d0/"+names[7], "d0/"+names[6]))
		m.ok(m.unlink("d0/" + names[8]))
		m.put("d0/"+names[8], "new")
		for i, want := range map[int]string{5: "mine", 6: "0 7", 8: "new"} {
			if got := m.get("d0/" + names[i]); got != want {
				t.Errorf("%q is %q, want %q", names[i], got, want)
			}
		}
		m.missing("d0/" + names[7])
	})
}

// Links and the like look like small files in a listing.
func TestWhatIsFetchedForALookupMayBeNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := farMount(t, plain, 1, 30)
		for _, kind := range []struct {
			name string
			mode uint32
		}{{"f07", attr.Symlink}, {"f09", attr.FIFO}} {
			_, err := m.mem.Another().Put(ctx, "d0/"+kind.name, strings.NewReader("target"),
				s3client.PutOptions{Meta: s3client.Meta{"mode": fmt.Sprint(kind.mode | 0o644)}})
			m.ok(err)
		}
		m.foreignDelete("d0/f11")
		names := m.list("d0")
		m.foreignDelete("d0/f13")
		dir, _, err := m.walk("d0")
		m.ok(err)
		for _, name := range names {
			n, st, err := m.Lookup(ctx, dir, name)
			switch typ := st.Mode & attr.TypeMask; name {
			case "f07":
				target, linkErr := m.Readlink(ctx, n)
				if err != nil || typ != attr.Symlink || target != "target" || linkErr != nil {
					t.Errorf("link is %o to %q: %v, %v", typ, target, err, linkErr)
				}
				continue
			case "f09":
				if err != nil || typ != attr.FIFO {
					t.Errorf("FIFO is %o: %v", typ, err)
				}
				continue
			case "f13":
				m.want(err, volume.ErrNotExist)
				continue
			}
			m.ok(err)
			h, err := m.Open(ctx, n, readOnly)
			m.ok(err)
			if s, err := content(h); !strings.HasPrefix(s, "0 ") || err != nil {
				t.Errorf("%q is %q, %v", name, s, err)
			}
			h.Release()
		}
	})
}

// An object that a new listing shows with the same ETag and time is not asked for again.
func TestListedAgainUnchangedCostsNothing(t *testing.T) {
	const files = 20
	for _, at := range []time.Duration{0, 400 * time.Millisecond} { // of a second
		m := newMount(t, plain)
		m.clock.advance(time.Second - time.Duration(m.clock.Now().Nanosecond()) + at)
		for i := range files {
			m.foreign(fmt.Sprintf("f%02d", i), "x")
		}
		m.clock.advance(time.Minute)
		for round, want := range []int{files, 0, 1, 0} {
			if round == 2 { // only the metadata
				_, err := m.mem.Another().Copy(ctx, "f07", "f07", s3client.CopyOptions{Replace: true, Meta: s3client.Meta{"mode": "33152"}})
				m.ok(err)
			}
			m.clock.advance(time.Hour)
			h := m.openDir("")
			m.mem.ResetCounts()
			for _, e := range m.entries(h, all)[2:] {
				_, st, err := m.Lookup(ctx, m.Root(), e.Name)
				m.ok(err)
				if round >= 2 && e.Name == "f07" && st.Mode&0o777 != 0o600 {
					t.Errorf("mode %o", st.Mode)
				}
			}
			m.counted(s3client.OpHead, want, want)
		}
	}
}

// So it is with the markers of directories, which a listing of all that is in a tree shows.
func TestDirectoriesListedAgainUnchangedCostNothing(t *testing.T) {
	m := newMount(t, plain)
	const dirs = 10
	for i := range dirs {
		_, err := m.mem.Another().Put(ctx, fmt.Sprintf("t/d%d/", i), nil, s3client.PutOptions{Meta: s3client.Meta{"mode": "16832"}})
		m.ok(err)
		m.foreign(fmt.Sprintf("t/d%d/f", i), strings.Repeat("x", 5000))
	}
	m.clock.advance(time.Minute)
	m.stat("t")
	for _, want := range []int{dirs, 0} {
		m.mem.ResetCounts()
		dir, _, err := m.walk("t")
		m.ok(err)
		h := m.openDir("t")
		before := m.mem.Counts()[s3client.OpHead]
		for {
			e, more, err := h.Next(ctx)
			m.ok(err)
			if !more {
				break
			}
			if e.Name[0] == '.' {
				continue
			}
			if _, st, err := m.look(dir, h, e.Name); err != nil || st.Mode != attr.Dir|0o700 {
				t.Errorf("%q is %o, %v", e.Name, st.Mode, err)
			}
		}
		m.counted(s3client.OpHead, before+want, before+want)
		m.clock.advance(time.Hour)
	}
}

// Attributes that were read in the second in which the object was written may have changed in that second.
func TestListedAgainWithinTheSecondIsNotBelieved(t *testing.T) {
	m := newMount(t, plain)
	m.clock.advance(time.Second - time.Duration(m.clock.Now().Nanosecond()))
	m.foreign("f", "x")
	m.names("", "f")
	m.stat("f")
	_, err := m.mem.Another().Copy(ctx, "f", "f", s3client.CopyOptions{Replace: true, Meta: s3client.Meta{"mode": "33152"}})
	m.ok(err)
	m.clock.advance(time.Hour)
	m.names("", "f")
	if st := m.stat("f"); st.Mode&0o777 != 0o600 {
		t.Errorf("mode %o", st.Mode)
	}
}

// find(1) has no need of attributes where the listing tells that something is a file.
func TestFindAsksForSmallObjectsOnly(t *testing.T) {
	m := newMount(t, plain)
	for i := range 30 {
		size := 10
		if i%2 == 0 {
			size = 5000
		}
		m.foreign(fmt.Sprintf("d/f%02d", i), strings.Repeat("x", size))
	}
	dir, _, err := m.walk("d")
	m.ok(err)
	m.mem.ResetCounts()
	for _, e := range m.entries(m.openDir("d"), all)[2:] {
		if e.Mode == 0 {
			_, _, err := m.Lookup(ctx, dir, e.Name)
			m.ok(err)
		}
	}
	m.counted(s3client.OpHead, 15, 15)
}

// Where there is nothing but files and directories, small objects are files, and what looks like a link in the bucket is one.
func TestNoSpecials(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, func(o *volume.Options, _ *upload.Options) { o.NoSpecials = true })
		m.foreign("d/file", "x")
		_, err := m.mem.Another().Put(ctx, "d/link", strings.NewReader("target"),
			s3client.PutOptions{Meta: s3client.Meta{"mode": fmt.Sprint(attr.Symlink | 0o644)}})
		m.ok(err)
		_, err = m.mem.Another().Put(ctx, "d/old", strings.NewReader(""),
			s3client.PutOptions{System: s3client.System{ContentType: "application/x-directory"}})
		m.ok(err)
		for _, e := range m.entries(m.openDir("d"), all)[2:] {
			want := map[string]uint32{"file": attr.Regular, "link": attr.Regular, "old": 0}
			if caps.ListMetadata {
				want["old"] = attr.Dir
			}
			if e.Mode != want[e.Name] {
				t.Errorf("%q is listed as %o, want %o", e.Name, e.Mode, want[e.Name])
			}
		}
		m.counted(s3client.OpHead, 0, 2) // the root, and the marker of d
		if st := m.stat("d/link"); st.Mode&attr.TypeMask != attr.Regular || m.get("d/link") != "target" {
			t.Errorf("link is %o, with %q", st.Mode, m.get("d/link"))
		}
		if st := m.stat("d/old"); st.Mode&attr.TypeMask != attr.Dir {
			t.Errorf("old marker is %o", st.Mode)
		}
		_, _, err = m.Symlink(ctx, m.Root(), "s", "target", who)
		m.want(err, volume.ErrPermission)
		_, _, err = m.Mknod(ctx, m.Root(), "p", attr.FIFO|0o600, 0, who)
		m.want(err, volume.ErrPermission)
		_, _, err = m.Mknod(ctx, m.Root(), "f", attr.Regular|0o600, 0, who)
		m.ok(err)
	})
}

// rm -r looks each file up and removes it.
func TestFilesRemovedInOrderAreAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files = 100
		m := farMount(t, plain, 1, files)
		names := m.list("d0")
		dir, _, err := m.walk("d0")
		m.ok(err)
		m.mem.ResetCounts()
		begin := time.Now()
		for _, name := range names {
			_, _, err := m.Lookup(ctx, dir, name)
			m.ok(err)
			m.ok(m.Unlink(ctx, dir, name))
		}
		if took := time.Since(begin); took > 10*roundTrip {
			t.Errorf("looking %d files up took %v", files, took)
		}
		m.counted(s3client.OpHead, files, files)
		m.counted(s3client.OpDelete, files, files)
	})
}

// Two clients that change the metadata of one version in the same moment leave it with one ETag and time.
func TestMetadataChangedByTwoInOneMoment(t *testing.T) {
	m := newMount(t, memclient.Full(), ttl(0))
	m.clock.advance(time.Second + 400*time.Millisecond - time.Duration(m.clock.Now().Nanosecond()))
	m.mkdir("d")
	m.put("f", "content")
	for _, c := range []struct{ path, key, mode string }{{"d", "d/", "16832"}, {"f", "f", "33152"}} {
		n, _, err := m.walk(c.path)
		m.ok(err)
		mode := uint32(0o711)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		m.ok(err)
		m.foreignMode(c.key, c.mode)
		if st, err := m.Getattr(ctx, n); err != nil || fmt.Sprint(st.Mode) != c.mode {
			t.Errorf("%s has mode %o, %v", c.path, st.Mode, err)
		}
		if st := m.stat(c.path); fmt.Sprint(st.Mode) != c.mode {
			t.Errorf("%s is found with mode %o", c.path, st.Mode)
		}
	}
}

// An open of a plain file asks for nothing of the files with several names that follow it.
func TestOpensInOrderAskForNothingOfHardLinks(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.mkdir("d")
	for i := range 4 {
		m.put(fmt.Sprintf("d/f%d", i), "data")
		m.put(fmt.Sprintf("d/x%d", i), "data")
		m.ok(m.link(fmt.Sprintf("d/x%d", i), fmt.Sprintf("y%d", i)))
	}
	m = mountOn(t, m.mem, m.clock)
	m.list("d")
	m.mem.ResetCounts()
	for i := range 4 {
		m.open(fmt.Sprintf("d/f%d", i), readOnly).Release()
	}
	m.counted(s3client.OpHead, 0, 0)
}
