package volume_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pail/fs/attr"
	"pail/s3client"
	"pail/s3client/memclient"
)

// find returns the paths below a directory as find(1) does: it reads a directory whole, with attributes, before it goes
// into the first in it.
func (m *mount) find(path string) []string {
	m.t.Helper()
	dir, _, err := m.walk(path)
	m.ok(err)
	d := m.openDir(path)
	defer d.Close()
	var found, dirs []string
	for {
		e, more, err := d.Next(ctx)
		m.ok(err)
		if !more {
			break
		}
		if e.Name == "." || e.Name == ".." {
			continue
		}
		_, st, err := m.look(dir, d, e.Name)
		m.ok(err)
		below := e.Name
		if path != "" {
			below = path + "/" + e.Name
		}
		found = append(found, below)
		if st.Mode&attr.TypeMask == attr.Dir {
			dirs = append(dirs, below)
		}
	}
	for _, dir := range dirs {
		found = append(found, m.find(dir)...)
	}
	return found
}

func TestTreeIsListedInFewRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		const dirs, files = 25, 100
		want := []string{"t"}
		for d := range dirs {
			dir := fmt.Sprintf("t/d%02d", d)
			want = append(want, dir)
			if d%2 == 0 {
				_, err := m.mem.Put(ctx, dir+"/", nil, s3client.PutOptions{Meta: s3client.Meta{"mode": "16877"}})
				m.ok(err)
			}
			for f := range files {
				file := fmt.Sprintf("%s/f%02d", dir, f)
				m.foreign(file, "x")
				want = append(want, file)
			}
		}
		if !caps.ListMetadata {
			m.stat("t")
			m.mem.ResetCounts()
			for d := range dirs { // only what the listings cost
				if got := m.list(fmt.Sprintf("t/d%02d", d)); len(got) != files {
					t.Fatalf("%d names", len(got))
				}
			}
			return
		}
		m.mem.ResetCounts()
		got := m.find("")
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d names, want %d", len(got), len(want))
		}
		if n := m.mem.Requests(); n > 3+5 {
			t.Errorf("%d requests %v", n, m.mem.Counts())
		}
	})
}

// A walk sees what this mount has changed, and what others have after the time for which answers ahead count.
func TestWalkSeesChanges(t *testing.T) {
	m := newMount(t, memclient.Full())
	for d := range 5 {
		for f := range 3 {
			m.foreign(fmt.Sprintf("d%d/f%d", d, f), "x")
		}
	}
	m.find("") // all is read ahead
	m.put("d3/mine", "x")
	m.ok(m.unlink("d3/f1"))
	m.names("d0", "f0", "f1", "f2")
	m.names("d1", "f0", "f1", "f2")
	m.names("d3", "f0", "f2", "mine")
	m.foreign("d4/theirs", "x")
	m.clock.advance(time.Second)
	m.names("d4", "f0", "f1", "f2", "theirs")
}

// Directories with many keys are listed by themselves.
func TestWalkOfLargeDirectories(t *testing.T) {
	m := newMount(t, memclient.Full())
	const dirs, files = 4, 5200
	for d := range dirs {
		for f := range files {
			m.foreign(fmt.Sprintf("d%d/f%04d", d, f), "x")
		}
	}
	m.mem.ResetCounts()
	if got := len(m.find("")); got != dirs*(files+1) {
		t.Errorf("%d names", got)
	}
	if n := m.mem.Requests(); n > dirs*(files/1000+1)+4+20 {
		t.Errorf("%d requests %v", n, m.mem.Counts())
	}
}
