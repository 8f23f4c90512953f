package volume

import (
	"context"
	"sync"

	"pail/s3client"
)

// goingBack are the files whose bytes were sent back to their only name, until it is certain that they are there, or that
// another client's are. Until then, what has come of that is still the file, not another that has replaced it; and nothing of the
// file is stored or journaled: it would be where no name leads to, for other mounts and after a crash.
type goingBack struct {
	mu struct {
		sync.Mutex
		by map[*Inode]attempts
	}
}

func (g *goingBack) init() { g.mu.by = map[*Inode]attempts{} }

// note says that a version is about to be sent.
func (g *goingBack) note(n *Inode, size int64, meta s3client.Meta) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sent := g.mu.by[n]
	sent.note(size, meta)
	g.mu.by[n] = sent
}

// has reports whether what is under a name of n was sent back there.
func (g *goingBack) has(n *Inode, info s3client.ObjectInfo) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.by[n].has(info.Size, info.Meta)
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

// finishPaths makes plain objects of the files that are going back to a name at or below paths: what is done to that name is to
// be done to the file.
func (v *Volume) finishPaths(ctx context.Context, paths ...string) error {
	for _, n := range v.back.which(func(n *Inode) bool { return v.isNamed(n, paths) }) {
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
