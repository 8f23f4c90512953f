package volume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pail/fs/tree"
	"pail/s3client"
)

// A program that removes one file of a directory after the other (rm -r, git gc) need not wait for each of them: with
// Options.LazyUnlink, once two have been removed in a row, what is only a name and a key is queued; in directories beside one
// that was just removed after files in it were, and of who has just listed the directory (OneOfMany), it is queued from the
// first on. The queue is sent in requests for many keys, one after the other; the first begins in a few milliseconds. What needs
// a marker is sent for each directory when that is there. When somebody waits for what is queued, that is sent at once, but for
// what needs a marker.
//
// For this mount a queued file is gone. Its path stays owned, so whoever makes or renames something there, or removes or
// renames a directory above, waits; so do requests whose answer could show it (watchful). The queue itself is in
// removal_queue.go.

const (
	inARow   = 2           // removals in a directory that wait, before others do not
	rowBreak = time.Second // between two that are in a row
)

// row is the removals in a directory.
type row struct {
	last   time.Time
	length int
	err    error     // of one that was queued, which nobody has heard of
	dirs   time.Time // when a directory was removed in which there had just been others
}

// OneOfMany says that a removal is likely to be the first of many, as its caller has just listed the directory.
func OneOfMany(ctx context.Context) context.Context { return context.WithValue(ctx, manyKey{}, true) }

type manyKey struct{}

func isOneOfMany(ctx context.Context) bool { return ctx.Value(manyKey{}) != nil }

// removesLater reports whether a removal in dir may be queued.
func (v *Volume) removesLater(ctx context.Context, dir *Inode) bool {
	if !v.opt.LazyUnlink {
		return false
	}
	now := v.opt.Now()
	dir.mu.Lock()
	inRow, failed := dir.mu.row.length >= inARow && now.Sub(dir.mu.row.last) < rowBreak, dir.mu.row.err != nil
	dir.mu.Unlock()
	later := inRow || isOneOfMany(ctx)
	if failed { // this one is told
		return false
	}
	for up, _ := v.table.Parent(dir.node); up != nil && !later; up, _ = v.table.Parent(up) {
		later = up.Value().losesTrees(now)
	}
	return later
}

// losesTrees reports whether directories in n are being removed with what is in them.
func (n *Inode) losesTrees(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Sub(n.mu.row.dirs) < rowBreak
}

// countRmdir notes that a directory was removed, n if it is known, from another.
func (v *Volume) countRmdir(dir, n *Inode) {
	if n == nil {
		return
	}
	now := v.opt.Now()
	n.mu.Lock()
	r := n.mu.row
	n.mu.Unlock()
	if r.length > 0 && now.Sub(r.last) < rowBreak || now.Sub(r.dirs) < rowBreak {
		dir.mu.Lock()
		defer dir.mu.Unlock()
		dir.mu.row.dirs = now
	}
}

// countRemoval notes a removal in a directory that has succeeded.
func (v *Volume) countRemoval(dir *Inode) {
	now := v.opt.Now()
	dir.mu.Lock()
	defer dir.mu.Unlock()
	r := &dir.mu.row
	if now.Sub(r.last) >= rowBreak {
		r.length = 0
	}
	r.length++
	r.last = now
}

// SyncDir waits for the removals in dir that are queued, and says that one in dir has failed; then fsync(2) of the directory
// makes durable what was done to its names.
func (v *Volume) SyncDir(ctx context.Context, dir *Inode) error {
	if err := v.removals.settle(ctx, func(b *removalBatch) bool {
		return slices.ContainsFunc(b.list, func(r removal) bool { return r.dir == dir })
	}); err != nil {
		return err
	}
	return errors.Join(dir.removalError(), v.syncNames())
}

// removalError says, once, that a queued removal in a directory has failed.
func (n *Inode) removalError() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.mu.row.err
	if n.mu.row.err = nil; err != nil {
		n.v.removals.count(-1, nil)
	}
	return err
}

// count adds to the directories with a failed removal that nobody has heard of.
func (q *removals) count(n int, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.untold = max(q.mu.untold+n, 0); why != nil { // the unmount may have told already
		q.mu.why = why
	}
}

// tell says, once, that removals have failed of which nobody has heard.
func (q *removals) tell() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.mu.untold
	if q.mu.untold = 0; n == 0 {
		return nil
	}
	return fmt.Errorf("files that were removed are there again, in %d directories: %w", n, q.mu.why)
}

// removedVersion is what the removal of a file takes, if it does not succeed at once, or is sent when anyway says no: not what
// another client has made in its place, as far as its ETag tells. What was sent without an answer may have any ETag. The
// caller has the gate, without which this mount may be about to store another version.
func (v *Volume) removedVersion(n *Inode, at, key string, anyway func() bool) s3client.Version {
	what := s3client.Version{Key: key, Any: anyway}
	if !v.caps.ConditionalPut || n.sent() {
		return what
	}
	o, state, _ := v.names.Get(at)
	if (state == tree.Present || state == tree.WasPresent) && !o.dir && o.info.Key == key {
		what.ETag = o.info.ETag
		return what
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.mu.content; c != nil && c.stored && !c.abandoned && c.base.Key == key {
		what.ETag = c.base.ETag
	}
	return what
}

// whatever is for removals that take what they find at once, but when they are tried again only what was known before.
func whatever() bool { return true }

// removalFailed reports whether a removal has left what it was to remove; one that was refused has met another client's.
func removalFailed(err error) bool {
	return err != nil && !errors.Is(err, s3client.ErrPrecondition)
}

// overtaken is the outcome of a removal: where it came so late that another client has made something under the name
// meanwhile, that stays.
func (v *Volume) overtaken(at string, err error) error {
	if !errors.Is(err, s3client.ErrPrecondition) {
		return err
	}
	v.names.Forget(at)
	v.log.Info("a removal came late; what another client has made under the name stays", "path", at)
	return nil
}

// comesBack says that a file which this mount takes for gone is there: a name anew, as its inode has lost it.
func (v *Volume) comesBack(r removal, err error) {
	v.names.Forget(r.at)
	v.log.Error("a removed file is there again", "path", r.at, "error", err)
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	failed := fmt.Errorf("remove %q: %w", r.at, err)
	if r.dir.mu.row.err == nil {
		v.removals.count(1, failed)
	}
	r.dir.mu.row = row{err: failed}
}
