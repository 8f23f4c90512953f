package tree

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"weak"
)

// RootIno is the number of the root directory.
const RootIno = 1

// Table holds the live inodes of a mount. T is what the owner keeps with each. It is safe for concurrent use.
type Table[T any] struct {
	root *Node[T]
	mu   struct {
		sync.Mutex
		inos     map[uint64]weak.Pointer[Node[T]]
		edges    int // entries in all children maps, dead ones included
		sweepAt  int // number of entries at which the next sweep is due
		released int // calls of Released since the last sweep
	}
}

// Node is an inode's place in the table.
type Node[T any] struct {
	ino   uint64
	value *T

	// guarded by Table.mu
	parent   *Node[T] // nil for the root
	name     string
	others   []edge[T] // further names, see Share
	removed  bool
	children map[string]weak.Pointer[Node[T]]
}

// edge is a name in a directory.
type edge[T any] struct {
	dir  *Node[T]
	name string
}

// Ino returns the inode number.
func (n *Node[T]) Ino() uint64 { return n.ino }

// Value returns what the owner keeps with the inode.
func (n *Node[T]) Value() *T { return n.value }

// sweepMin is the least number of entries worth a sweep.
const sweepMin = 1024

// NewTable returns a table with a root. make returns the value of a node; it must not call the table.
func NewTable[T any](make func(*Node[T]) *T) *Table[T] {
	t := &Table[T]{}
	t.mu.inos = map[uint64]weak.Pointer[Node[T]]{}
	t.mu.sweepAt = sweepMin
	t.root = &Node[T]{ino: RootIno}
	t.root.value = make(t.root)
	t.mu.inos[RootIno] = weak.Make(t.root)
	return t
}

// Root returns the root.
func (t *Table[T]) Root() *Node[T] { return t.root }

// Child returns the live inode of a name, or nil.
func (t *Table[T]) Child(dir *Node[T], name string) *Node[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return dir.childLocked(name)
}

func (n *Node[T]) childLocked(name string) *Node[T] {
	if p, ok := n.children[name]; ok {
		return p.Value()
	}
	return nil
}

// Add returns the live inode of a name, and makes it with make where there is none.
func (t *Table[T]) Add(dir *Node[T], name string, make func(*Node[T]) *T) *Node[T] {
	return t.AddAs(dir, name, 0, make)
}

// AddAs is Add for an inode that has the number ino, if that is free.
func (t *Table[T]) AddAs(dir *Node[T], name string, ino uint64, make func(*Node[T]) *T) *Node[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := dir.childLocked(name); n != nil {
		return n
	}
	t.sweepIfDueLocked()
	if ino <= RootIno || !t.isFreeLocked(ino) {
		path, _ := dir.pathLocked()
		ino = t.freeInoLocked(join(path, name))
	}
	n := &Node[T]{ino: ino, name: name, parent: dir}
	n.value = make(n)
	t.mu.inos[n.ino] = weak.Make(n)
	t.linkLocked(dir, name, n)
	return n
}

func (t *Table[T]) linkLocked(dir *Node[T], name string, n *Node[T]) {
	if dir.children == nil {
		dir.children = map[string]weak.Pointer[Node[T]]{}
	}
	if _, dead := dir.children[name]; !dead {
		t.mu.edges++
	}
	dir.children[name] = weak.Make(n)
}

func (t *Table[T]) unlinkLocked(dir *Node[T], name string) {
	if _, ok := dir.children[name]; ok {
		delete(dir.children, name)
		t.mu.edges--
	}
}

// Remove takes n out of its directory; its handles may go on using it. It reports whether n had still been there.
func (t *Table[T]) Remove(n *Node[T]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.removed || n.parent == nil {
		return false
	}
	t.detachLocked(n)
	return true
}

// RemoveAt is Remove on the condition that n still has that path.
func (t *Table[T]) RemoveAt(n *Node[T], path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, ok := n.pathLocked(); !ok || now != path || n.parent == nil {
		return false
	}
	t.detachLocked(n)
	return true
}

func (t *Table[T]) detachLocked(n *Node[T]) {
	n.removed = true
	for _, e := range append(n.others, edge[T]{n.parent, n.name}) {
		if e.dir.childLocked(e.name) == n {
			t.unlinkLocked(e.dir, e.name)
		}
	}
	n.others = nil
}

// Rename moves the inode of one name, if there is a live one, to another name. The live inode that had this name is
// removed and returned; nil if there was none, or if it has another path.
func (t *Table[T]) Rename(fromDir *Node[T], from string, toDir *Node[T], to string) (replaced *Node[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := fromDir.childLocked(from)
	replaced = toDir.childLocked(to)
	if n == replaced {
		return nil
	}
	if replaced != nil && !t.dropLocked(replaced, edge[T]{toDir, to}) {
		replaced = nil
	}
	if n == nil {
		t.unlinkLocked(fromDir, from)
		return replaced
	}
	if n.parent == fromDir && n.name == from {
		t.unlinkLocked(fromDir, from)
		n.parent, n.name = toDir, to
	} else {
		t.dropLocked(n, edge[T]{fromDir, from})
		n.others = append(n.others, edge[T]{toDir, to})
	}
	t.linkLocked(toDir, to, n)
	return replaced
}

// dropLocked takes a name from n, and reports whether n is removed by that.
func (t *Table[T]) dropLocked(n *Node[T], e edge[T]) bool {
	if n.parent == e.dir && n.name == e.name {
		t.detachLocked(n)
		return true
	}
	n.others = slices.DeleteFunc(n.others, func(other edge[T]) bool { return other == e })
	t.unlinkLocked(e.dir, e.name)
	return false
}

// Exchange lets the inodes of two names change places. It does nothing where one of the names has no live inode.
func (t *Table[T]) Exchange(aDir *Node[T], aName string, bDir *Node[T], bName string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, b := aDir.childLocked(aName), bDir.childLocked(bName)
	if a == nil || b == nil || a == b {
		return
	}
	there, here := edge[T]{aDir, aName}, edge[T]{bDir, bName}
	a.moveLocked(there, here)
	b.moveLocked(here, there)
	t.linkLocked(aDir, aName, b)
	t.linkLocked(bDir, bName, a)
}

// moveLocked replaces one of n's names.
func (n *Node[T]) moveLocked(from, to edge[T]) {
	if n.parent == from.dir && n.name == from.name {
		n.parent, n.name = to.dir, to.name
	} else if i := slices.Index(n.others, from); i >= 0 {
		n.others[i] = to
	}
}

// Path returns the path from the root, with "/" between names and "" for the root. ok is false where the inode or a
// directory above it has been removed; the path is then the last one it had.
func (t *Table[T]) Path(n *Node[T]) (path string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.pathLocked()
}

func (n *Node[T]) pathLocked() (path string, ok bool) {
	ok = true
	var names []string
	for ; n.parent != nil; n = n.parent {
		ok = ok && !n.removed
		names = append(names, n.name)
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return strings.Join(names, "/"), ok
}

// Parent returns the directory of n, and n's name in it: nil for the root and for an inode that was removed.
func (t *Table[T]) Parent(n *Node[T]) (*Node[T], string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.removed {
		return nil, n.name
	}
	return n.parent, n.name
}

// Within reports whether n is dir or below it, by live names.
func (t *Table[T]) Within(n, dir *Node[T]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; n != nil && !n.removed; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}

// InoOf returns the number that an inode of that name has, or would get if nothing collides.
func (t *Table[T]) InoOf(dir *Node[T], name string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := dir.childLocked(name); n != nil {
		return n.ino
	}
	path, _ := dir.pathLocked()
	return hash(join(path, name), 0)
}

// Released tells the table that the owner has dropped a reference. Dead entries are swept after enough of these.
func (t *Table[T]) Released() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.released++
	if t.mu.released >= max(sweepMin, len(t.mu.inos)) {
		t.sweepLocked()
	}
}

// Len returns the number of inodes that are alive.
func (t *Table[T]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked()
	return len(t.mu.inos)
}

func (t *Table[T]) sweepIfDueLocked() {
	if max(t.mu.edges, len(t.mu.inos)) >= t.mu.sweepAt {
		t.sweepLocked()
		t.mu.sweepAt = max(sweepMin, 2*max(t.mu.edges, len(t.mu.inos)))
	}
}

// sweepLocked drops the entries of inodes that nobody can reach any more.
func (t *Table[T]) sweepLocked() {
	t.mu.released = 0
	for ino, p := range t.mu.inos {
		n := p.Value()
		if n == nil {
			delete(t.mu.inos, ino)
			continue
		}
		for name, child := range n.children {
			if child.Value() == nil {
				t.unlinkLocked(n, name)
			}
		}
	}
	t.mu.edges = 0
	for _, p := range t.mu.inos {
		if n := p.Value(); n != nil {
			t.mu.edges += len(n.children)
		}
	}
}

func (t *Table[T]) freeInoLocked(path string) uint64 {
	for salt := uint64(0); ; salt++ {
		if ino := hash(path, salt); t.isFreeLocked(ino) {
			return ino
		}
	}
}

func (t *Table[T]) isFreeLocked(ino uint64) bool {
	p, used := t.mu.inos[ino]
	return !used || p.Value() == nil
}

// hash maps a path to an inode number. 0 and the root's number are not given out, nor is the top bit set: some programs
// read inode numbers as signed.
//
// NB: must not change, as numbers are the same from mount to mount.
func hash(path string, salt uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(path)) // never fails
	x := h.Sum64() + salt*0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x &^= 1 << 63
	if x <= RootIno {
		x += RootIno + 1
	}
	return x
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
