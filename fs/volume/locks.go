package volume

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// gate is a mutex that may be held while waiting for the network, and whose Lock ends with its context.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) lock(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryLock takes the gate if nobody has it.
func (g gate) tryLock() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) unlock() { <-g }

// lockGates locks the gates of several inodes in the order of their numbers; nil ones are skipped.
func lockGates(ctx context.Context, nodes ...*Inode) (unlock func(), err error) {
	var held []*Inode
	unlock = func() {
		for _, n := range held {
			n.gate.unlock()
		}
	}
	for {
		next := nextNode(nodes, held)
		if next == nil {
			return unlock, nil
		}
		if err := next.gate.lock(ctx); err != nil {
			unlock()
			return nil, err
		}
		held = append(held, next)
	}
}

// nextNode returns the inode with the smallest number after the last of held.
func nextNode(nodes, held []*Inode) (next *Inode) {
	for _, n := range nodes {
		if n == nil || len(held) > 0 && n.Ino() <= held[len(held)-1].Ino() {
			continue
		}
		if next == nil || n.Ino() < next.Ino() {
			next = n
		}
	}
	return next
}

// pathLocks keep names still while they are changed. An operation that makes, removes or renames a file owns its path;
// one that only sends requests about it shares it, also with an owner; a directory rename or removal excludes all others
// from its subtree. Owner and sharers of one file order themselves by the gate of its inode.
type pathLocks struct {
	hurry func(paths []string) // is told of paths that somebody waits for
	mu    struct {
		sync.Mutex
		shared    map[*pathLock]struct{}
		exclusive map[*pathLock]struct{} // held or waited for; waiting ones hold new shared locks up
		changed   chan struct{}          // closed when a lock is given back
	}
}

type pathLock struct {
	paths []string
	owner bool // not exclusive: of these very paths
	held  bool // exclusive: no longer waiting
}

func newPathLocks(hurry func(paths []string)) *pathLocks {
	l := &pathLocks{hurry: hurry}
	l.mu.shared = map[*pathLock]struct{}{}
	l.mu.exclusive = map[*pathLock]struct{}{}
	l.mu.changed = make(chan struct{})
	return l
}

// share locks paths together, so that holding one of them while waiting for another cannot happen; so do the others.
func (l *pathLocks) share(ctx context.Context, paths ...string) (unlock func(), err error) {
	return l.join(ctx, &pathLock{paths: paths})
}

// own is share, but paths have at most one owner.
func (l *pathLocks) own(ctx context.Context, paths ...string) (unlock func(), err error) {
	return l.join(ctx, &pathLock{paths: paths, owner: true})
}

func (l *pathLocks) join(ctx context.Context, lock *pathLock) (unlock func(), err error) {
	err = l.wait(ctx, lock.paths, func() bool {
		for other := range l.mu.exclusive {
			if other.covers(lock) {
				return false
			}
		}
		for other := range l.mu.shared {
			if lock.owner && other.owner && slices.ContainsFunc(lock.paths, other.has) {
				return false
			}
		}
		l.mu.shared[lock] = struct{}{}
		return true
	})
	if err != nil {
		return nil, err
	}
	return func() { l.release(l.mu.shared, lock) }, nil
}

// exclude locks everything at and below the paths.
func (l *pathLocks) exclude(ctx context.Context, paths ...string) (unlock func(), err error) {
	lock := &pathLock{paths: paths}
	err = l.wait(ctx, paths, func() bool {
		l.mu.exclusive[lock] = struct{}{}
		for other := range l.mu.exclusive {
			if other != lock && other.held && (other.covers(lock) || lock.covers(other)) {
				return false
			}
		}
		for other := range l.mu.shared {
			if lock.covers(other) {
				return false
			}
		}
		lock.held = true
		return true
	})
	if err != nil {
		l.release(l.mu.exclusive, lock)
		return nil, err
	}
	return func() { l.release(l.mu.exclusive, lock) }, nil
}

// wait calls try, under the lock, until it says true.
func (l *pathLocks) wait(ctx context.Context, paths []string, try func() bool) error {
	for first := true; ; first = false {
		l.mu.Lock()
		ok, changed := try(), l.mu.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		if first {
			l.hurry(paths)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *pathLocks) release(from map[*pathLock]struct{}, lock *pathLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(from, lock)
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
}

// covers reports whether a path of other is one of l or below it.
func (l *pathLock) covers(other *pathLock) bool {
	for _, dir := range l.paths {
		for _, path := range other.paths {
			if path == dir || below(path, dir) {
				return true
			}
		}
	}
	return false
}

func (l *pathLock) has(path string) bool { return slices.Contains(l.paths, path) }

// place is a name in a directory.
type place struct {
	dir  *Inode
	name string
}

// lockPlaces locks the paths of places with one of the methods of v.paths, and returns them. A directory above may be
// renamed while it waits; then it starts over.
func (v *Volume) lockPlaces(ctx context.Context, lock func(context.Context, ...string) (func(), error), places ...place) (paths []string, unlock func(), err error) {
	for {
		if paths, err = v.placePaths(places); err != nil {
			return nil, nil, err
		}
		if err := v.settlePaths(ctx, paths...); err != nil {
			return nil, nil, err
		}
		if err := v.finishPaths(ctx, paths...); err != nil {
			return nil, nil, err
		}
		if unlock, err = lock(ctx, paths...); err != nil {
			return nil, nil, err
		}
		now, err := v.placePaths(places)
		if err == nil && slices.Equal(now, paths) && len(v.goingBackTo(paths)) == 0 {
			return paths, unlock, nil
		}
		unlock()
	}
}

func (v *Volume) placePaths(places []place) (paths []string, err error) {
	for _, p := range places {
		path, err := v.childPath(p.dir, p.name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// below reports whether path is below dir.
func below(path, dir string) bool {
	return dir == "" && path != "" || strings.HasPrefix(path, dir) && len(path) > len(dir) && path[len(dir)] == '/'
}
