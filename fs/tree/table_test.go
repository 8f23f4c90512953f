package tree

import (
	"fmt"
	"runtime"
	"testing"
)

// item is what tests keep with a node; its address keeps the node alive.
type item struct{ node *Node[item] }

func newItem(n *Node[item]) *item { return &item{n} }

func path(t *testing.T, tab *Table[item], n *Node[item], want string, ok bool) {
	t.Helper()
	if got, alive := tab.Path(n); got != want || alive != ok {
		t.Errorf("path %q, %v, want %q, %v", got, alive, want, ok)
	}
}

func TestRenameTakesDescendantsAlong(t *testing.T) {
	tab := NewTable(newItem)
	a := tab.Add(tab.Root(), "a", newItem)
	b := tab.Add(a, "b", newItem)
	c := tab.Add(b, "c", newItem)
	other := tab.Add(tab.Root(), "x", newItem)
	path(t, tab, c, "a/b/c", true)
	ino := c.Ino()
	if replaced := tab.Rename(a, "b", tab.Root(), "x"); replaced != other {
		t.Errorf("replaced %v", replaced)
	}
	path(t, tab, c, "x/c", true)
	path(t, tab, other, "x", false)
	if c.Ino() != ino || tab.Child(a, "b") != nil || tab.Child(tab.Root(), "x") != b {
		t.Error("the table does not show the rename")
	}
	if !tab.Within(c, b) || tab.Within(c, a) || !tab.Within(c, tab.Root()) {
		t.Error("Within does not follow the rename")
	}
	if tab.Rename(tab.Root(), "x", tab.Root(), "x") != nil || tab.Child(tab.Root(), "x") != b {
		t.Error("a rename onto itself changed something")
	}
	if tab.Rename(a, "unknown", tab.Root(), "x") != b {
		t.Error("a name without a live inode still replaces")
	}
	path(t, tab, c, "x/c", false)
}

func TestRemovedInodeKeepsItsNumber(t *testing.T) {
	tab := NewTable(newItem)
	old := tab.Add(tab.Root(), "f", newItem)
	if !tab.Remove(old) || tab.Remove(old) || tab.Remove(tab.Root()) {
		t.Error("Remove")
	}
	next := tab.Add(tab.Root(), "f", newItem)
	if next == old || next.Ino() == old.Ino() {
		t.Error("a new file shares the number of one that is still open")
	}
	if p, _ := tab.Parent(old); p != nil {
		t.Error("a removed inode has a parent")
	}
	runtime.KeepAlive(old)
}

func TestNumbersAreStable(t *testing.T) {
	one, two := NewTable(newItem), NewTable(newItem)
	for i := range 100 {
		name := fmt.Sprint("f", i)
		a, b := one.Add(one.Root(), name, newItem), two.Add(two.Root(), name, newItem)
		if a.Ino() != b.Ino() || a.Ino() != two.InoOf(two.Root(), name) || a.Ino() <= RootIno || a.Ino()>>63 != 0 {
			t.Fatalf("numbers %d and %d", a.Ino(), b.Ino())
		}
	}
	// NB: numbers of this version; they must not change.
	if got := hash("dir/file", 0); got != 6208316306639901559 {
		t.Errorf("hash %d", got)
	}
}

func TestTableForgetsWhatNobodyReaches(t *testing.T) {
	tab := NewTable(newItem)
	dir := tab.Add(tab.Root(), "d", newItem)
	held := tab.Add(dir, "held", newItem)
	for i := range 5 * sweepMin {
		tab.Add(dir, fmt.Sprint(i), newItem)
		if i%sweepMin == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	if n := tab.Len(); n != 3 {
		t.Errorf("%d inodes are alive, want root, directory and the one held", n)
	}
	if len(dir.children) != 1 || tab.Child(dir, "held") != held {
		t.Errorf("%d children", len(dir.children))
	}
	ino := held.Ino()
	runtime.KeepAlive(held)
	held = nil
	runtime.GC()
	for range 2 * sweepMin {
		tab.Released()
	}
	if n := tab.Add(dir, "held", newItem); n.Ino() != ino {
		t.Error("the number of a name has changed")
	}
}
