package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"unicode/utf8"

	"pail/fs/keymap"
	"pail/fs/links"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
)

// attempts are versions that were sent without a certain answer, the latest last.
type attempts []attempt

// attempt is what a version is known by: the times in its metadata, in nanoseconds, make it one of ours.
type attempt struct {
	size int64
	meta s3client.Meta
}

// maxAttempts bounds what is remembered of a file that cannot be stored for long.
const maxAttempts = 64

func (a *attempts) note(size int64, meta s3client.Meta) {
	if a.has(size, meta) {
		return
	}
	if len(*a) == maxAttempts {
		*a = slices.Delete(*a, 0, 1)
	}
	*a = append(*a, attempt{size, meta})
}

func (a attempts) has(size int64, meta s3client.Meta) bool {
	return slices.ContainsFunc(a, func(one attempt) bool { return one.size == size && maps.Equal(one.meta, meta) })
}

// reclaim makes the version in place what c is based on, if it is one that was sent from here earlier and whose answer
// got lost. It has the bytes that are still unchanged, as every later version keeps them too.
func (v *Volume) reclaim(n *Inode, c *content, info s3client.ObjectInfo) bool {
	n.mu.Lock()
	if !c.sent.has(info.Size, info.Meta) {
		n.mu.Unlock()
		return false
	}
	old := c.moveTo(v.openVersion(info))
	c.base, c.stored = info, true
	if n.mu.content == c {
		n.mu.obj.info = info
	}
	n.mu.Unlock()
	v.logClose(n, old.Close())
	return true
}

// findSent looks whether the version in place is one that was sent from here, where an answer is missing. The caller
// holds the gate.
func (v *Volume) findSent(ctx context.Context, n *Inode, c *content) bool {
	n.mu.Lock()
	none := len(c.sent) == 0
	n.mu.Unlock()
	if none {
		return false
	}
	path, _ := v.table.Path(n.node)
	info, err := v.client.Head(ctx, v.keys.File(path))
	return err == nil && v.reclaim(n, c, info)
}

// contested finds out why a commit was refused. The version in place is either what we sent, where only the answer got
// lost, now or before; or another client's: then both are kept; or there is none: what another client removed is stored
// again, as the data that was written here later exists nowhere else.
func (v *Volume) contested(ctx context.Context, n *Inode, c *content, snap *stage.Snapshot, next version, cause error) error {
	winner, err := v.client.Head(ctx, next.key)
	if err == nil && links.Moved(winner) {
		err = s3client.ErrNotFound // it is about to be
	}
	switch {
	case err == nil && next.stored && winner.ETag == next.expect.ETag:
		return cause // it is in place after all; the next attempt will tell
	case err == nil && winner.Size == snap.Size() && maps.Equal(winner.Meta, next.meta):
		v.committed(n, c, snap, next, winner)
		return nil
	case err == nil && v.reclaim(n, c, winner):
		next.expect, next.stored = winner, true
		return v.storeSnapshot(ctx, n, c, snap, next)
	case err == nil:
		return v.keepBoth(ctx, n, c, snap, next, v.openVersion(winner))
	case notFound(err) && isShared(next.key):
		return v.keepBoth(ctx, n, c, snap, next, v.formerBytes(ctx, n))
	case notFound(err):
		return v.storeAgain(ctx, n, c, snap, next)
	}
	return errors.Join(cause, err)
}

// isShared reports whether a key is one that only names lead to. What is not there any more must not be stored there
// again: the bytes have moved back under the last name, or no name is left, so nobody would find it.
func isShared(key string) bool {
	_, _, ok := links.ParseInode(key)
	return ok
}

// formerBytes returns the bytes of a file that had several names, where one that is known here has become a plain object;
// else nil.
func (v *Volume) formerBytes(ctx context.Context, n *Inode) readahead.Source {
	name, ok := v.table.OtherPath(n.node)
	if !ok {
		return nil
	}
	info, err := v.client.Head(ctx, v.keys.File(name))
	if _, pointer := links.ParsePointer(info.Meta); err != nil || pointer {
		return nil
	}
	return v.openVersion(info)
}

// storeAgain stores a version whose predecessor was removed. Where it needs unchanged bytes of that, they are lost:
// what was written here then goes to a conflict file, with zeros between.
func (v *Volume) storeAgain(ctx context.Context, n *Inode, c *content, snap *stage.Snapshot, next version) error {
	again := next
	again.stored, again.expect = false, s3client.ObjectInfo{}
	c.file.Rebase(gone{})
	info, err := v.send(ctx, snap, again)
	c.file.Rebase(c.src)
	switch {
	case err == nil:
		v.log.Warn("a file that another client removed is stored again, as it was being written here", "key", next.key)
		v.committed(n, c, snap, again, info)
		return nil
	case errors.Is(err, errBytesGone):
		return v.keepBoth(ctx, n, c, snap, next, nil)
	}
	return err
}

// keepBoth stores the local version beside the one of another client. Unchanged bytes that only the replaced version
// had are read from other, or are zeros; the log says so. The name belongs to the other client's version from then on,
// and every handle that wrote is told once.
func (v *Volume) keepBoth(ctx context.Context, n *Inode, c *content, snap *stage.Snapshot, next version, other readahead.Source) error {
	at, _ := v.table.Path(n.node)
	if name, ok := v.table.OtherPath(n.node); ok {
		at = name // where users see it
	} else if _, id, shared := links.ParseInode(at); shared {
		at = id // nobody has asked for a name since the journal was read: in the root, where it is seen
	}
	beside := version{meta: next.meta, system: next.system}
	besidePath := v.conflictPath(at)
	beside.key = v.keys.File(besidePath)

	sub := &substitute{src: other}
	c.file.Rebase(sub)
	info, err := v.send(ctx, snap, beside)
	c.file.Rebase(c.src)
	if closeErr := sub.Close(); closeErr != nil {
		v.logClose(n, closeErr)
	}
	if err != nil {
		return fmt.Errorf("another client has changed the file, and the version written here cannot be stored beside it: %w", err)
	}
	v.log.Error("another client has changed a file that was being written here; the version written here is kept beside it",
		"path", at, "kept", besidePath, "mixed_with_other_version", sub.used())
	v.noteConflict(besidePath)
	defer func() {
		v.names.Forget(at)
		v.names.Forget(besidePath)
	}()
	lost := fmt.Errorf("%w: what was written here is kept as %q", ErrStale, besidePath)
	if v.partWith(n, c, snap, beside, info, lost) {
		return lost
	}
	if err := v.keepLater(ctx, n, c, beside, lost); err != nil {
		return fmt.Errorf("another client has changed the file, and what was written here last cannot be stored beside it: %w", err)
	}
	return lost
}

// partWith makes a version that was kept beside what c is based on, and parts the inode from c; unless something was written
// meanwhile, which has to be kept too. lost is what handles are told of it.
func (v *Volume) partWith(n *Inode, c *content, snap *stage.Snapshot, beside version, info s3client.ObjectInfo, lost error) (done bool) {
	info.Key, info.Size, info.Meta, info.System = beside.key, snap.Size(), beside.meta, beside.system
	n.mu.Lock()
	old := c.moveTo(v.openVersion(info))
	defer func() { v.logClose(n, old.Close()) }()
	defer n.unlock()
	snap.Release(true)
	c.base = info
	if c.changed() {
		return false
	}
	n.abandonLocked()
	n.mu.lost = lost
	n.mu.lostSeq++
	n.mu.stamp = v.names.Begin()
	return true
}

// keepLater stores what was written while a version was kept beside in its place, and keeps writers out until then.
func (v *Volume) keepLater(ctx context.Context, n *Inode, c *content, beside version, lost error) error {
	if err := c.order.lock(ctx); err != nil {
		return err
	}
	defer c.order.unlock()
	snap, err := c.file.Snapshot()
	if err != nil {
		return localError(err)
	}
	defer snap.Release(false)
	next := v.nextVersion(n, c)
	next.key, next.stored = beside.key, true
	info, err := v.send(ctx, snap, next)
	if err == nil {
		v.partWith(n, c, snap, next, info, lost)
	}
	return err
}

// conflictPath returns where to keep a version that lost: NAME.conflict-TIME-RANDOM in the same directory, with NAME
// cut where that would be too long.
func (v *Volume) conflictPath(at string) string {
	dir, name := path.Split(at)
	suffix := fmt.Sprintf(".conflict-%s-%s", v.opt.Now().UTC().Format("20060102T150405Z"), rand.Text()[:8])
	for cut := min(len(name), keymap.MaxName-len(suffix)); ; cut-- {
		if cut < len(name) && !utf8.RuneStart(name[cut]) {
			continue
		}
		if to := dir + name[:cut] + suffix; cut == 0 || v.keys.CheckFile(to) == nil {
			return to
		}
	}
}
