package tree

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type testClock struct{ now time.Time }

func (c *testClock) Now() time.Time { return c.now }

func newTestCache(size int) (*Cache[int], *testClock) {
	c := &testClock{now: time.Unix(1e9, 0)}
	return NewCache[int](CacheOptions[int]{MaxEntries: size, TTL: 10 * time.Second, NegativeTTL: 5 * time.Second, Now: c.Now}), c
}

func wantState(t *testing.T, c *Cache[int], path string, want State) {
	t.Helper()
	if _, got, _ := c.Get(path); got != want {
		t.Errorf("%q is in state %d, want %d", path, got, want)
	}
}

func TestEntriesAge(t *testing.T) {
	c, clock := newTestCache(10)
	s := c.Begin()
	clock.now = clock.now.Add(4 * time.Second) // the age counts from when the request was sent
	c.Put("yes", 7, s)
	c.PutAbsent("no", s)
	wantState(t, c, "yes", Present)
	wantState(t, c, "no", Absent)
	wantState(t, c, "other", Unknown)
	clock.now = clock.now.Add(time.Second)
	wantState(t, c, "no", WasAbsent)
	clock.now = clock.now.Add(5 * time.Second)
	wantState(t, c, "yes", WasPresent)
	if v, _, at := c.Get("yes"); v != 7 || c.Age(at) != 10*time.Second {
		t.Errorf("value %d, age %v", v, c.Age(at))
	}
}

func TestOvertakenAnswersAreIgnored(t *testing.T) {
	c, _ := newTestCache(10)
	slow := c.Begin()
	if !c.PutAbsent("f", c.Begin()) || c.Put("f", 1, slow) {
		t.Error("a removal is undone by an answer that is older")
	}
	wantState(t, c, "f", Absent)
	slow = c.Begin()
	c.Forget("f")
	c.Put("f", 1, slow)
	wantState(t, c, "f", Unknown)
	slow = c.Begin()
	c.ForgetTree("d")
	if c.Put("d/f", 1, slow) || !c.Put("d/f", 1, c.Begin()) {
		t.Error("an answer from before a tree was forgotten")
	}
}

func TestCompleteListing(t *testing.T) {
	c, clock := newTestCache(10)
	c.Put("d/gone", 1, c.Begin())
	s := c.BeginListing("d")
	c.Put("d/a", 1, c.Begin())
	wantState(t, c, "d/b", Unknown)
	c.Put("d/new", 2, c.Begin()) // made here while the listing went on
	c.EndListing("d", s, s)
	wantState(t, c, "d/a", Present)
	wantState(t, c, "d/new", Present)
	wantState(t, c, "d/b", Absent)
	wantState(t, c, "d/gone", Absent)
	wantState(t, c, "e", Unknown)
	clock.now = clock.now.Add(6 * time.Second)
	wantState(t, c, "d/b", Unknown)
	wantState(t, c, "d/gone", Present)

	s = c.BeginListing("d")
	c.BeginListing("d")
	c.EndListing("d", s, s)
	wantState(t, c, "d/b", Unknown)
	s = c.BeginListing("")
	c.ForgetTree("d")
	c.EndListing("", s, s)
	wantState(t, c, "x", Unknown)
	s = c.BeginListing("")
	c.EndListing("", s, s)
	wantState(t, c, "x", Absent)
	c.Forget("y")
	wantState(t, c, "x", Unknown)
	wantState(t, c, "", Unknown)
}

func TestEvictionEndsCompleteness(t *testing.T) {
	c, _ := newTestCache(3)
	s := c.BeginListing("d")
	for i := range 4 {
		c.Put(fmt.Sprint("d/", i), i, c.Begin())
	}
	c.EndListing("d", s, s)
	wantState(t, c, "d/0", Unknown)
	s = c.BeginListing("e")
	c.Put("e/0", 0, c.Begin())
	c.EndListing("e", s, s)
	wantState(t, c, "e/x", Absent)
	for i := range 3 {
		c.Put(fmt.Sprint("g/", i), i, c.Begin())
	}
	wantState(t, c, "e/0", Unknown)
	wantState(t, c, "e/x", Unknown)
	if c.Len() != 3 {
		t.Errorf("%d entries", c.Len())
	}
}

// TestCacheNeverLies compares with a namespace that changes now and then: with every answer put under the stamp of its
// request, however late, a fresh entry says what was so at some moment within the TTL.
func TestCacheNeverLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, clock := newTestCache(rapid.IntRange(1, 6).Draw(t, "size"))
		names := rapid.SampledFrom([]string{"a", "d/a", "d/b", "d/c"})
		truth := map[string]int{} // what we ourselves have made
		type answer struct {
			path  string
			value int
			stamp Stamp
		}
		var late []answer
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				p := names.Draw(t, "path")
				late = append(late, answer{p, truth[p], c.Begin()})
			},
			"answer": func(t *rapid.T) {
				if len(late) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(late)-1).Draw(t, "which")
				a := late[i]
				late = append(late[:i], late[i+1:]...)
				if a.value == 0 {
					c.PutAbsent(a.path, a.stamp)
				} else {
					c.Put(a.path, a.value, a.stamp)
				}
			},
			"create": func(t *rapid.T) {
				p := names.Draw(t, "path")
				next++
				truth[p] = next
				c.Put(p, next, c.Begin())
			},
			"remove": func(t *rapid.T) {
				p := names.Draw(t, "path")
				truth[p] = 0
				c.PutAbsent(p, c.Begin())
			},
			"list": func(*rapid.T) {
				s := c.BeginListing("d")
				for _, p := range []string{"d/a", "d/b", "d/c"} {
					if truth[p] != 0 {
						c.Put(p, truth[p], s)
					}
				}
				c.EndListing("d", s, s)
			},
			"forget": func(t *rapid.T) { c.Forget(names.Draw(t, "path")) },
			"move away": func(*rapid.T) {
				for _, p := range []string{"d/a", "d/b", "d/c"} {
					truth[p] = 0
				}
				c.ForgetTree("d")
			},
			"move others": func(*rapid.T) {
				for i := range keptTrees {
					c.ForgetTree(fmt.Sprint("e/", i))
				}
			},
			"wait": func(*rapid.T) { clock.now = clock.now.Add(time.Second) },
			"": func(t *rapid.T) {
				for _, p := range []string{"a", "d/a", "d/b", "d/c"} {
					v, state, _ := c.Get(p)
					if state == Present && v != truth[p] || state == Absent && truth[p] != 0 {
						t.Fatalf("%q: state %d value %d, truth %d", p, state, v, truth[p])
					}
				}
			},
		})
	})
}

// A directory's entries are told where all that the last listing brought was noted, and else not at all.
func TestChildrenAreAllOrNone(t *testing.T) {
	clock := &testClock{now: time.Unix(1e9, 0)}
	c := NewCache[int](CacheOptions[int]{MaxEntries: 100, TTL: time.Second, NegativeTTL: time.Second, Now: clock.Now, Children: 3})
	since := c.Begin()
	want := func(want ...string) {
		t.Helper()
		if got, ok := c.Children("d", since); ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, ok)
		}
	}
	list := func(asked Stamp, names ...string) {
		s := c.BeginListing("d")
		if asked == (Stamp{}) {
			asked = s
		}
		for _, name := range names {
			c.Put("d/"+name, 1, asked)
		}
		c.EndListing("d", s, asked)
	}
	list(c.Begin(), "a") // asked for ahead
	want()
	c.BeginListing("d") // another has opened it
	want()
	list(Stamp{}, "a", "b")
	want("a", "b")
	list(Stamp{}, "a", "b", "c", "d") // too many
	want()
	c.BeginListing("d")
	want()
	c.SetAbsent("d/a", c.Begin())
	want()
	list(Stamp{}, "b", "c", "d")
	want("b", "c", "d")
	c.BeginListing("d")
	want("b", "c", "d")
}

// A file that a directory hides has another name, by which listings tell of it: who makes such a directory, or changes a file that
// one may hide, knows no more what is there.
func TestChildrenWhereADirectoryHidesAFile(t *testing.T) {
	for name, change := range map[string]func(c *Cache[int]){
		"a directory over a file":               func(c *Cache[int]) { c.Set("d/file", 2, c.Begin()) },
		"a file below a directory":              func(c *Cache[int]) { c.Set("d/dir", 3, c.Begin()) },
		"removal of a file below a directory":   func(c *Cache[int]) { c.SetAbsent("d/dir", c.Begin()) },
		"a directory where something is hidden": func(c *Cache[int]) { c.SetAbsent("d/new", Stamp{}); c.Set("d/new", 2, c.Begin()) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := &testClock{now: time.Unix(1e9, 0)}
			c := NewCache[int](CacheOptions[int]{MaxEntries: 100, Now: clock.Now, Children: 9, Yields: func(v int) bool { return v%2 == 1 }})
			since := c.Begin()
			s := c.BeginListing("d")
			c.Put("d/file", 1, c.Begin())
			c.Put("d/dir", 2, c.Begin())
			c.EndListing("d", s, s)
			c.Set("d/file", 3, c.Begin())
			c.Set("d/dir", 4, c.Begin())
			c.Set("d/other", 6, c.Begin())
			if got, ok := c.Children("d", since); !ok || !slices.Equal(got, []string{"dir", "file", "other"}) {
				t.Errorf("%q, %v", got, ok)
			}
			change(c)
			if v, state := c.Sure("d/dir", since); state == Present && v%2 == 1 || state == Absent {
				t.Errorf("state %d, value %d", state, v)
			}
			if got, ok := c.Children("d", since); ok {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestSureNeverLies compares with a namespace that others change but under a lease: what is known from after the grant is so,
// whatever answers are late, asked for ahead or overtaken by changes, and however many listings are on their way. A name may
// be that of a file, which has an odd value, and a directory, which shows.
func TestSureNeverLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &testClock{now: time.Unix(1e9, 0)}
		c := NewCache[int](CacheOptions[int]{MaxEntries: rapid.IntRange(1, 9).Draw(t, "size"), Now: clock.Now, Children: 2,
			Yields: func(v int) bool { return v%2 == 1 }})
		m := &sureModel{c: c, files: map[string]int{}, dirs: map[string]int{}, pick: rapid.SampledFrom([]string{"a", "d/a", "d/b", "d/c", "e/a"})}
		t.Repeat(map[string]func(*rapid.T){
			"ask":         m.ask,
			"ask in part": m.askPart,
			"answer":      m.answer,
			"change":      m.change,
			"others":      m.others,
			"ask for all": m.askAll,
			"list":        m.list,
			"end listing": m.endListing,
			"rename":      m.rename,
			"forget":      func(t *rapid.T) { c.Forget(m.pick.Draw(t, "path")) },
			"note":        m.takeTree,
			"grant":       func(*rapid.T) { m.since, m.leased = c.Begin(), true },
			"":            m.check,
		})
	})
}

type sureModel struct {
	c      *Cache[int]
	files  map[string]int // the truth
	dirs   map[string]int // which hide files
	pick   *rapid.Generator[string]
	next   int
	began  []Stamp // of own changes to come
	late   []lateAnswer
	pages  []latePage
	lists  []lateListing
	since  Stamp
	leased bool
}

type lateAnswer struct {
	path  string
	value int
	stamp Stamp
	part  bool
}

// latePage is what all keys were at a time.
type latePage struct {
	stamp Stamp
	keys  map[string]int
}

type lateListing struct {
	dir   string
	begun Stamp
	page  latePage
}

func takeAny[T any](t *rapid.T, list *[]T) T {
	if len(*list) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(*list)-1).Draw(t, "which")
	v := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return v
}

func (m *sureModel) ask(t *rapid.T) {
	p := m.pick.Draw(t, "path")
	m.late = append(m.late, lateAnswer{path: p, value: m.truth()[p], stamp: m.c.Begin()})
}

func (m *sureModel) askPart(t *rapid.T) {
	p := m.pick.Draw(t, "path")
	m.late = append(m.late, lateAnswer{p, m.files[p], m.c.Begin(), true})
}

// truth is what shows.
func (m *sureModel) truth() map[string]int {
	truth := maps.Clone(m.files)
	for p, v := range m.dirs {
		if file, ok := m.files[p]; ok {
			truth[p+"~"] = file // what is hidden has another name, which nobody changes anything by
		}
		truth[p] = v
	}
	return truth
}

func (m *sureModel) answer(t *rapid.T) {
	switch a := takeAny(t, &m.late); {
	case a.part && a.value == 0:
		m.c.Forget(a.path)
	case a.part:
		m.c.PutPart(a.path, a.value, a.stamp)
	case a.value == 0:
		m.c.PutAbsent(a.path, a.stamp)
	default:
		m.c.Put(a.path, a.value, a.stamp)
	}
}

// change makes or removes a name by a request that began now, or long ago.
func (m *sureModel) change(t *rapid.T) {
	m.began = append(m.began, m.c.Begin())
	if rapid.Bool().Draw(t, "later") {
		return
	}
	began, p := takeAny(t, &m.began), m.pick.Draw(t, "path")
	isDir := rapid.Bool().Draw(t, "directory")
	if rapid.Bool().Draw(t, "there") {
		m.c.Set(p, m.make(p, isDir), began)
		return
	}
	if isDir {
		delete(m.dirs, p)
		m.c.ForgetTree(p)
		began = Stamp{} // a file whose name it had shows now
	} else {
		delete(m.files, p)
	}
	m.c.SetAbsent(p, began)
}

// make makes something of a new value.
func (m *sureModel) make(p string, isDir bool) int {
	m.next += 2
	if isDir {
		m.dirs[p] = m.next
		return m.next
	}
	m.files[p] = m.next + 1
	return m.next + 1
}

// others change something, for which the lease ends.
func (m *sureModel) others(t *rapid.T) {
	m.leased = false
	p := m.pick.Draw(t, "path")
	isDir := rapid.Bool().Draw(t, "directory")
	switch {
	case rapid.Bool().Draw(t, "there"):
		m.make(p, isDir)
	case isDir:
		delete(m.dirs, p)
	default:
		delete(m.files, p)
	}
}

func (m *sureModel) askAll(*rapid.T) {
	m.pages = append(m.pages, latePage{m.c.Begin(), m.truth()})
}

// list begins a listing, of a page that is asked for now or was before.
func (m *sureModel) list(t *rapid.T) {
	l := lateListing{dir: rapid.SampledFrom([]string{"", "d", "e"}).Draw(t, "dir")}
	l.begun = m.c.BeginListing(l.dir)
	if rapid.Bool().Draw(t, "ahead") {
		l.page = takeAny(t, &m.pages)
	} else {
		l.page = latePage{m.c.Begin(), m.truth()}
	}
	m.lists = append(m.lists, l)
}

func (m *sureModel) endListing(t *rapid.T) { m.take(takeAny(t, &m.lists)) }

func (m *sureModel) take(l lateListing) {
	for p, v := range l.page.keys {
		if Dir(p) == l.dir {
			m.c.Put(p, v, l.page.stamp)
		}
	}
	asOf := l.begun
	if l.page.stamp.Before(asOf) {
		asOf = l.page.stamp
	}
	m.c.EndListing(l.dir, l.begun, asOf)
}

// takeTree lists all directories out of one page that was asked for before.
func (m *sureModel) takeTree(t *rapid.T) {
	page := takeAny(t, &m.pages)
	for _, dir := range []string{"d", "e"} {
		l := lateListing{dir, m.c.BeginListing(dir), page}
		m.c.NoteChildren(dir, page.stamp)
		m.take(l)
	}
}

// rename moves one directory over the other.
func (m *sureModel) rename(*rapid.T) {
	for _, what := range []map[string]int{m.files, m.dirs} {
		for p, v := range what {
			if Dir(p) == "e" {
				delete(what, p)
				what["d"+p[1:]] = v
			}
		}
	}
	m.c.ForgetTree("e")
	m.c.ForgetTree("d")
}

func (m *sureModel) check(t *rapid.T) {
	if !m.leased {
		return
	}
	truth := m.truth()
	for _, p := range []string{"a", "d/a", "d/b", "d/c", "e/a"} {
		v, state := m.c.Sure(p, m.since)
		if state == Present && v != truth[p] || state == Absent && truth[p] != 0 {
			t.Fatalf("%q: state %d value %d, truth %d", p, state, v, truth[p])
		}
	}
	for _, dir := range []string{"", "d", "e"} {
		got, ok := m.c.Children(dir, m.since)
		var want []string
		for p := range truth {
			if Dir(p) == dir {
				want = append(want, base(p))
			}
		}
		if slices.Sort(want); ok && !slices.Equal(got, want) {
			t.Fatalf("in %q there are %q, truth %q", dir, got, want)
		}
	}
}
