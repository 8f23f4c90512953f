package tree

import "testing"

func TestFurtherNames(t *testing.T) {
	tab := NewTable(newItem)
	d, hidden := tab.Add(tab.Root(), "d", newItem), tab.Add(tab.Root(), "hidden", newItem)
	n := tab.Add(d, "a", newItem)
	ino := n.Ino()
	tab.Share(n, hidden, "id")
	tab.Link(n, tab.Root(), "b")
	path(t, tab, n, "hidden/id", true)
	if tab.Child(d, "a") != n || tab.Child(tab.Root(), "b") != n || tab.IsPath(n, d, "a") || !tab.IsPath(n, hidden, "id") {
		t.Error("the names do not lead to the inode")
	}
	if tab.Rename(tab.Root(), "d", tab.Root(), "e") != nil || tab.Rename(d, "a", tab.Root(), "c") != nil {
		t.Error("a rename removed something")
	}
	if tab.Child(d, "a") != nil || tab.Child(tab.Root(), "c") != n {
		t.Error("a further name was not renamed")
	}
	x := tab.Add(tab.Root(), "x", newItem)
	if tab.Rename(tab.Root(), "x", tab.Root(), "c") != nil || tab.Child(tab.Root(), "c") != x {
		t.Error("a name that was replaced took its inode along")
	}
	tab.Unlink(tab.Root(), "x")
	tab.Unlink(hidden, "id")
	if other, ok := tab.OtherPath(n); !ok || other != "b" {
		t.Errorf("the other name is %q, %v", other, ok)
	}
	tab.Unshare(n, tab.Root(), "b")
	path(t, tab, n, "b", true)
	if _, ok := tab.OtherPath(n); ok || tab.Child(hidden, "id") != nil || n.Ino() != ino {
		t.Error("the inode has more than its name")
	}
	tab.Link(n, tab.Root(), "c")
	path(t, tab, x, "c", false)
	tab.Remove(n)
	if tab.Child(tab.Root(), "b") != nil || tab.Child(tab.Root(), "c") != nil {
		t.Error("a removed inode has names")
	}
	if m := tab.AddAs(d, "m", ino+1, newItem); m.Ino() != ino+1 {
		t.Errorf("number %d, want %d", m.Ino(), ino+1)
	}
	if m := tab.AddAs(d, "o", ino, newItem); m.Ino() == ino {
		t.Error("two inodes have one number")
	}
}
