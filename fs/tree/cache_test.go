package tree

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type testClock struct{ now time.Time }

func (c *testClock) Now() time.Time { return c.now }

func newTestCache(size int) (*Cache[int], *testClock) {
	c := &testClock{now: time.Unix(1e9, 0)}
	return NewCache[int](CacheOptions{MaxEntries: size, TTL: 10 * time.Second, NegativeTTL: 5 * time.Second, Now: c.Now}), c
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
