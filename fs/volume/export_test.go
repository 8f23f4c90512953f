package volume

import (
	"runtime"
	"strings"
)

// Goroutines returns how many goroutines in a certain state, as stacks name it, have a call in their stack.
func Goroutines(in func(state string) bool, call string) (n int) {
	buf := make([]byte, 8<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		_, state, _ := strings.Cut(g, "[") // goroutine 1 [state]:
		if in(state) && strings.Contains(g, call) {
			n++
		}
	}
	return n
}

// Nameless returns the paths that inodes with something unsaved had, which have lost them while nobody removes them: another
// inode may have the path, and both would be stored under it.
func (v *Volume) Nameless() []string {
	var paths []string
	for _, n := range v.openInodes() {
		n.mu.Lock()
		path, named := v.table.Path(n.node)
		if n.unsavedLocked() && !named && !n.mu.leaving {
			paths = append(paths, path)
		}
		n.mu.Unlock()
	}
	return paths
}

// OwnRoot takes the root for a directory that this mount has made, and Own any other.
func (v *Volume) OwnRoot() { Own(v.Root()) }

func Own(dir *Inode) { dir.own() }

// Learned waits until what was asked for with leases, for nobody who waits, has been learned.
func (v *Volume) Learned() { v.wants.work.Wait() }

// HoldNothing has files sent a moment after they are closed, whatever else is closed.
func (v *Volume) HoldNothing() {
	v.sender.mu.Lock()
	defer v.sender.mu.Unlock()
	v.sender.mu.hold = sendDelay
}
