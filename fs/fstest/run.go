package fstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Pair is a local directory and a mount that is to behave like it.
type Pair struct {
	Local, Mount *Actor

	Compared int // comparisons that were made
}

// Run makes the calls of a script, one after the other, and returns the first difference, or nil.
func (p *Pair) Run(calls []Call) error {
	local, mount, err := p.states()
	if err != nil {
		return err
	}
	for i, c := range calls {
		if err := p.step(c, &local, &mount); err != nil {
			return fmt.Errorf("%s\n%w", history(calls[:i+1]), err)
		}
	}
	return nil
}

func history(calls []Call) string {
	lines := make([]string, len(calls))
	for i, c := range calls {
		lines[i] = c.String()
	}
	return strings.Join(lines, "\n")
}

// step makes one call on both sides.
func (p *Pair) step(c Call, local, mount *state) error {
	got, err := p.Mount.Do(c)
	if err != nil {
		return err
	}
	if c.Expect != "" {
		p.Compared++
		if name := unix.ErrnoName(got.Errno); name != c.Expect {
			return fmt.Errorf("the mount answers %s, which is to be %s", got, c.Expect)
		}
		return nil
	}
	want, err := p.Local.Do(c)
	if err != nil {
		return err
	}
	p.Compared++
	if got != want {
		return fmt.Errorf("the mount answers %s, the local filesystem %s", got, want)
	}
	localNow, mountNow, err := p.states()
	if err != nil {
		return err
	}
	err = p.compare(*local, localNow, *mount, mountNow)
	*local, *mount = localNow, mountNow
	return err
}

func (p *Pair) states() (local, mount state, err error) {
	if local, err = p.Local.State(); err != nil {
		return nil, nil, fmt.Errorf("the local filesystem: %w", err)
	}
	if mount, err = p.Mount.State(); err != nil {
		return nil, nil, fmt.Errorf("the mount: %w", err)
	}
	return local, mount, nil
}

// compare says what is different after a call.
func (p *Pair) compare(localBefore, local, mountBefore, mount state) error {
	was, is := localBefore.inodes(), mountBefore.inodes()
	files := newPairing()
	for _, path := range slices.Sorted(maps.Keys(local)) {
		l, m := local[path], mount[path]
		p.Compared += 2
		if l.what != m.what {
			return fmt.Errorf("%.80s is on the mount\n\t%q, locally\n\t%q", path, m.what, l.what)
		}
		if err := files.add(path, l, m); err != nil {
			return err
		}
		lb, lok := was[l.ino]
		mb, mok := is[m.ino]
		if want, got := changes(lb, l, lok), changes(mb, m, mok); got != want {
			return fmt.Errorf("of %.80s the call has changed on the mount: %s; locally: %s", path, got, want)
		}
		if l.links != m.links {
			return fmt.Errorf("%.80s has on the mount %d links, locally %d", path, m.links, l.links)
		}
		if explicit(l.mtime) && l.mtime != m.mtime {
			return fmt.Errorf("mtime of %.80s is on the mount %v, locally %v", path, m.mtime, l.mtime)
		}
		if explicit(l.atime) && l.atime != m.atime {
			return fmt.Errorf("atime of %.80s is on the mount %v, locally %v", path, m.atime, l.atime)
		}
	}
	for path := range mount {
		if _, ok := local[path]; !ok {
			return fmt.Errorf("%.80s is on the mount only", path)
		}
	}
	return nil
}

// pairing is the inode numbers of each of two sides by those of the other.
type pairing struct{ there, here map[uint64]uint64 }

func newPairing() pairing { return pairing{map[uint64]uint64{}, map[uint64]uint64{}} }

// add says in what a name, which both sides have, is that of another file as the names before.
func (p pairing) add(path string, one, other node) error {
	there, ok := p.there[one.ino]
	here, known := p.here[other.ino]
	if ok != known || ok && (there != other.ino || here != one.ino) {
		return fmt.Errorf("%.80s is the same file as another name on one side only", path)
	}
	p.there[one.ino], p.here[other.ino] = other.ino, one.ino
	return nil
}

func (s state) inodes() map[uint64]node {
	by := map[uint64]node{}
	for _, n := range s {
		by[n.ino] = n
	}
	return by
}

// explicit tells times that a script has set, which are in the past or far away, from the current one.
func explicit(t unix.Timespec) bool { return t.Sec < 1_700_000_000 || t.Sec > 4_000_000_000 }

// changes says in words which times have changed.
func changes(before, after node, known bool) string {
	if !known {
		return "it is new"
	}
	s := "nothing"
	if before.mtime != after.mtime {
		s += ", mtime"
	}
	if before.ctime != after.ctime {
		s += ", ctime"
	}
	return s
}

// Remount is what the end of a mount, and what went before, may change.
type Remount struct {
	Renamed bool // what was renamed has its old ctime back, and the inode number of its new name
	Crashed bool // directories may have times from before the last changes of their entries
}

// Compare says what is different from before after a remount, beyond that and the times of the root.
func (r Remount) Compare(before, after state) error {
	for _, path := range slices.Sorted(maps.Keys(before)) {
		b, a := before[path], after[path]
		switch {
		case a.what != b.what:
			return fmt.Errorf("%.80s was\n\t%q, is\n\t%q", path, b.what, a.what)
		case a.ino != b.ino && !r.Renamed:
			return fmt.Errorf("the inode number of %.80s was %d, is %d", path, b.ino, a.ino)
		case path == ".": // has times of its own only where the bucket has a marker for it
		case r.Crashed && a.isDir():
		case a.mtime != b.mtime || a.ctime != b.ctime && !r.Renamed:
			return fmt.Errorf("times of %.80s: mtime was %v, is %v; ctime was %v, is %v", path, b.mtime, a.mtime, b.ctime, a.ctime)
		case explicit(b.atime) && a.atime != b.atime:
			return fmt.Errorf("atime of %.80s was %v, is %v", path, b.atime, a.atime)
		}
	}
	if len(after) != len(before) {
		return fmt.Errorf("%d names, were %d", len(after), len(before))
	}
	return nil
}

// Shows says in what a view of the same tree by another mount is different, but for what each mount has of its own: inode
// numbers, link counts of directories, and times that no script has set.
func (s state) Shows(other state) error {
	files := newPairing()
	for _, path := range slices.Sorted(maps.Keys(s)) {
		want, got := s[path], other[path]
		if got.what != want.what {
			return fmt.Errorf("%.80s is\n\t%q, not\n\t%q", path, got.what, want.what)
		}
		if err := files.add(path, want, got); err != nil {
			return err
		}
		if explicit(want.mtime) && !want.isDir() && got.mtime != want.mtime {
			return fmt.Errorf("mtime of %.80s is %v, not %v", path, got.mtime, want.mtime)
		}
	}
	for path := range other {
		if _, ok := s[path]; !ok {
			return fmt.Errorf("%.80s is there", path)
		}
	}
	return nil
}
