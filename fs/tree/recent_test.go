package tree

import (
	"fmt"
	"testing"
)

func TestChangedSince(t *testing.T) {
	c, _ := newTestCache(100)
	begin := c.Begin()
	if c.ChangedSince("d", begin) {
		t.Error("nothing has changed")
	}
	for _, test := range []struct {
		name    string
		change  func()
		in, out []string
	}{
		{"an entry is made", func() { c.Set("d/x", 1, Stamp{}) }, []string{"", "d", "d/x", "d/x/y"}, []string{"d/y", "e", "d0"}},
		{"a directory is made", func() { c.Set("d", 1, Stamp{}) }, []string{"", "d", "d/x", "d/y"}, []string{"e", "d0"}},
		{"a directory gets attributes", func() { c.Set("d", 1, Stamp{}) }, []string{""}, []string{"d", "d/x", "e"}},
		{"it is removed", func() { c.SetAbsent("d", Stamp{}) }, []string{"", "d", "d/x"}, []string{"e", "d0"}},
		{"it is forgotten", func() { c.Forget("d/x") }, []string{"", "d", "d/x", "d/x/y"}, []string{"d/y"}},
		{"with all below", func() { c.ForgetTree("d/x") }, []string{"", "d", "d/x", "d/x/y"}, []string{"d/y", "e"}},
		{"what others do", func() { c.Put("d/x", 1, c.Begin()) }, nil, []string{"", "d", "d/x"}},
	} {
		s := c.Begin()
		test.change()
		for _, dir := range test.in {
			if !c.ChangedSince(dir, s) {
				t.Errorf("%s: %q is as before", test.name, dir)
			}
		}
		for _, dir := range test.out {
			if c.ChangedSince(dir, s) {
				t.Errorf("%s: %q has changed", test.name, dir)
			}
		}
		if after := c.Begin(); c.ChangedSince("", after) {
			t.Errorf("%s: it has changed after that", test.name)
		}
	}
	s := c.Begin()
	for i := range keptChanges {
		c.Set(fmt.Sprint("e/", i), 1, Stamp{})
	}
	if c.ChangedSince("d", s) {
		t.Error("all changes are remembered")
	}
	c.Set("e/x", 1, Stamp{})
	if !c.ChangedSince("d", s) {
		t.Error("one that has been forgotten may have been anywhere")
	}
	if s = c.Begin(); c.ChangedSince("d", s) {
		t.Error("it was before this")
	}
}

// That a tree is forgotten says nothing of answers about other paths, until so many are that nobody knows which.
func TestForgottenTreesSpareTheRest(t *testing.T) {
	c, _ := newTestCache(10_000)
	slow, old := c.Begin(), c.BeginListing("e")
	for i := range keptTrees {
		tree := fmt.Sprint("d/", i)
		c.Set(tree+"/f", 1, Stamp{})
		c.ForgetTree(tree)
	}
	if !c.Put("e/f", 1, slow) {
		t.Error("an answer about another path is ignored")
	}
	c.EndListing("e", old, old)
	wantState(t, c, "e/none", Absent)
	for _, path := range []string{"d/0", "d/0/f", "d/511/g/h"} {
		if c.Put(path, 1, slow) {
			t.Errorf("an answer from before %q was forgotten", path)
		}
	}
	slow = c.Begin()
	for i := range 2*keptTrees + 1 {
		c.ForgetTree(fmt.Sprint("x/", i))
	}
	if c.Put("x/0/f", 1, slow) || c.Put("e/g", 1, slow) || !c.Put("e/g", 1, c.Begin()) {
		t.Error("an answer that may be from before its path was forgotten")
	}
}
