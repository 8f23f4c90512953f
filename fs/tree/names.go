package tree

import (
	"slices"
	"weak"
)

// Share gives n the path of another name, and keeps the one that it has as a further name. An inode with several names
// has its path where no user looks; all of them find it.
func (t *Table[T]) Share(n, dir *Node[T], name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.removed || n.parent == nil {
		return
	}
	n.others = append(n.others, edge[T]{n.parent, n.name})
	n.parent, n.name = dir, name
	t.linkLocked(dir, name, n)
}

// Unshare gives n the path of its only name: it loses the path that it has and all further names.
func (t *Table[T]) Unshare(n, dir *Node[T], name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.removed || n.parent == nil {
		return
	}
	t.detachLocked(n)
	if there := dir.childLocked(name); there != nil {
		t.dropLocked(there, edge[T]{dir, name})
	}
	n.removed, n.parent, n.name = false, dir, name
	t.linkLocked(dir, name, n)
}

// Promote gives n the path of one of its further names. The path that it had is no name of it any more.
func (t *Table[T]) Promote(n, dir *Node[T], name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.removed || n.parent == nil || dir.childLocked(name) != n || n.parent == dir && n.name == name {
		return
	}
	if n.parent.childLocked(n.name) == n {
		t.unlinkLocked(n.parent, n.name)
	}
	n.others = slices.DeleteFunc(n.others, func(e edge[T]) bool { return e == edge[T]{dir, name} })
	n.parent, n.name = dir, name
}

// AddUnnamed makes an inode that is in no directory. For Path, it was removed from dir.
func (t *Table[T]) AddUnnamed(dir *Node[T], make func(*Node[T]) *T) *Node[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepIfDueLocked()
	path, _ := dir.pathLocked()
	n := &Node[T]{ino: t.freeInoLocked(join(path, "")), parent: dir, removed: true}
	n.value = make(n)
	t.mu.inos[n.ino] = weak.Make(n)
	return n
}

// Attach gives an inode that is in no directory a name. The live inode that has it loses it, and is returned if it is
// removed by that.
func (t *Table[T]) Attach(n, dir *Node[T], name string) (replaced *Node[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !n.removed {
		return nil
	}
	if there := dir.childLocked(name); there != nil && t.dropLocked(there, edge[T]{dir, name}) {
		replaced = there
	}
	n.removed, n.parent, n.name = false, dir, name
	t.linkLocked(dir, name, n)
	return replaced
}

// Link gives n a further name. It takes it from the live inode that has it.
func (t *Table[T]) Link(n, dir *Node[T], name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.linkOverLocked(n, dir, name)
}

func (t *Table[T]) linkOverLocked(n, dir *Node[T], name string) {
	there := dir.childLocked(name)
	if there == n || n.removed {
		return
	}
	if there != nil {
		t.dropLocked(there, edge[T]{dir, name})
	}
	n.others = append(n.others, edge[T]{dir, name})
	t.linkLocked(dir, name, n)
}

// LinkOver is Link where the name is that of there, or nobody's if that is nil; else it does nothing and reports false.
func (t *Table[T]) LinkOver(n, dir *Node[T], name string, there *Node[T]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if dir.childLocked(name) != there {
		return false
	}
	t.linkOverLocked(n, dir, name)
	return true
}

// Unlink takes a further name from the live inode that has it. It does nothing where that is the inode's path.
func (t *Table[T]) Unlink(dir *Node[T], name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := dir.childLocked(name); n != nil && (n.parent != dir || n.name != name) {
		t.dropLocked(n, edge[T]{dir, name})
	}
}

// IsPath reports whether a name is where n has its path, rather than a further one.
func (t *Table[T]) IsPath(n, dir *Node[T], name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.parent == dir && n.name == name
}

// OtherPath returns the path of one of n's further names, and false where it has none.
func (t *Table[T]) OtherPath(n *Node[T]) (path string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range n.others {
		if path, ok := e.dir.pathLocked(); ok {
			return join(path, e.name), true
		}
	}
	return "", false
}
