package volume

import (
	"context"
	"sync"

	"pail/fs/links"
)

// goingBack are the files whose bytes were sent back to their only name, until it is certain that the file's own object is gone, or
// that the file is not to be there. Until then, nothing of the file is stored or journaled: it may be where no name leads to, for
// other mounts and after a crash.
type goingBack struct {
	mu struct {
		sync.Mutex
		by map[*Inode]struct{}
	}
}

func (g *goingBack) init() { g.mu.by = map[*Inode]struct{}{} }

// note says that a version is about to be sent.
func (g *goingBack) note(n *Inode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.by[n] = struct{}{}
}

// end says that n is where its bytes are, or that they are not to go there.
func (g *goingBack) end(n *Inode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.mu.by, n)
}

// which returns those that choose chooses.
func (g *goingBack) which(choose func(*Inode) bool) (list []*Inode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := range g.mu.by {
		if choose(n) {
			list = append(list, n)
		}
	}
	return list
}

// holds reports whether n is one of them.
func (g *goingBack) holds(n *Inode) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.mu.by[n]
	return ok
}

// isGoingBack reports whether what is under a name of n is what its bytes were sent to, by this mount or another: then it is still
// n, not another file that has replaced it.
func (v *Volume) isGoingBack(n *Inode, o object) bool {
	origin, ok := links.ParseOrigin(o.info.Meta)
	home, _ := v.table.Path(n.node)
	return ok && v.back.holds(n) && v.homeOf(origin.Pointer) == home
}

// goingBackTo returns the files that are going back to a name at or below paths.
func (v *Volume) goingBackTo(paths []string) []*Inode {
	return v.back.which(func(n *Inode) bool { return v.isNamed(n, paths) })
}

// finishPaths makes plain objects of the files that are going back to a name at or below paths: what is done to that name is to
// be done to the file.
func (v *Volume) finishPaths(ctx context.Context, paths ...string) error {
	for _, n := range v.goingBackTo(paths) {
		if err := v.finishBack(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// finishFile makes a plain object of the file of a path, if it is going back: it may be there already, so that nothing is at that path.
func (v *Volume) finishFile(ctx context.Context, home string) error {
	for _, n := range v.back.which(func(n *Inode) bool { at, _ := v.table.Path(n.node); return at == home }) {
		if err := v.finishBack(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// finishBack makes a plain object of a file, if it is going back.
func (v *Volume) finishBack(ctx context.Context, n *Inode) error {
	if !v.back.holds(n) {
		return nil
	}
	if err := v.finish(ctx, n); err != nil && v.back.holds(n) {
		return err
	}
	return nil
}

// isNamed reports whether a file with several names has one at or below paths.
func (v *Volume) isNamed(n *Inode, paths []string) bool {
	name, ok := v.table.OtherPath(n.node)
	for _, path := range paths {
		if ok && (name == path || below(name, path)) {
			return true
		}
	}
	return false
}
