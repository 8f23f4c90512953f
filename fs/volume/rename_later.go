package volume

import (
	"context"
	"slices"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/tree"
	"pail/s3client"
)

// renameLater renames a file that the service has never heard of: the name is changed here and in the journal, and the
// file is sent under the new one, over what has that name. Programs that write a file under a temporary name first thus
// cost one request. It reports false for what has to be renamed on the service. The caller owns both paths and has both
// gates, so nothing of either is on its way.
func (v *Volume) renameLater(ctx context.Context, m *move, n, target *Inode) (done bool, err error) {
	if v.opt.Journal == nil || m.name != nil || m.over != nil || !n.unsent(target) {
		return false, nil
	}
	unlock, err := v.keepName(ctx, n)
	if err != nil {
		return false, err
	}
	defer unlock()
	if target != nil {
		unlock, err := v.keepName(ctx, target)
		if err != nil {
			return false, err
		}
		defer unlock()
	}
	next, stay, err := v.inherit(ctx, m, n, target)
	if err != nil {
		return false, err
	}
	if err := v.journalMove(ctx, n, next, m.to, next.ended...); err != nil {
		stay()
		v.log.Debug("a rename does not go to the journal, but to the service", "path", m.from, "error", err)
		return false, nil
	}
	n.rebaseUnsent(next)
	if v.sender.has(n) {
		v.storeLater(n) // it may be urgent now
	}
	v.replace(*m, target)
	v.vacated(m.src, m.from, nil, tree.Stamp{})
	m.dst.dir.touch()
	return true, nil
}

// unsent reports whether n was made here and no version of it was ever sent. What is no file can only be made where there
// is no other.
func (n *Inode) unsent(target *Inode) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.mu.content
	return c != nil && !n.mu.removed && !c.stored && len(c.sent) == 0 && (c.file != nil || target == nil)
}

// inherited is what a file that gets another name is to replace there.
type inherited struct {
	base   s3client.ObjectInfo // Key alone if nothing is stored
	stored bool
	sent   attempts      // versions of the replaced file whose answers are missing
	ended  []journal.Ref // its entries
}

// inherit finds out what has the new name, and prepares its inode for losing it; stay undoes that.
func (v *Volume) inherit(ctx context.Context, m *move, n, target *Inode) (next inherited, stay func(), err error) {
	next.base.Key = v.keys.File(m.to)
	if n.typ == attr.Dir {
		next.base.Key = v.keys.Dir(m.to)
	}
	if target == nil {
		return next, func() {}, nil
	}
	target.mu.Lock()
	unsaved := target.unsavedLocked()
	if c := target.mu.content; unsaved {
		next.stored, next.sent, next.ended = c.stored, slices.Clone(c.sent), target.mu.log.refs()
		if c.stored {
			next.base = c.base
		}
	}
	target.mu.Unlock()
	if !unsaved {
		o, err := v.known(ctx, m.to)
		if err != nil {
			return next, nil, err
		}
		next.base, next.stored = o.info, true
	}
	stay, err = v.leave(ctx, target)
	return next, stay, err
}

// journalMove puts n under another path into the journal, with its bytes if they are not there, and ends the entries of what
// it takes the place of.
func (v *Volume) journalMove(ctx context.Context, n *Inode, next inherited, to string, ended ...journal.Ref) error {
	n.mu.Lock()
	c := n.mu.content
	n.mu.Unlock()
	snap, ver, err := v.state(ctx, n, c)
	if err != nil {
		return err
	}
	if snap != nil {
		defer snap.Release(false)
	}
	ver.expect, ver.stored, ver.sent = next.base, next.stored, next.sent
	return v.journalAs(n, c, snap, ver, to, ended...)
}

// rebaseUnsent makes what n is to replace what its first version is based on.
func (n *Inode) rebaseUnsent(next inherited) {
	n.mu.Lock()
	c := n.mu.content
	old := c.src
	if next.stored {
		old = c.moveTo(n.v.openVersion(next.base))
	}
	c.base, c.stored, c.sent = next.base, next.stored, next.sent
	n.mu.obj.info.Key, n.mu.obj.info.ETag = next.base.Key, next.base.ETag
	n.mu.stamp, n.mu.renamed = n.v.names.Begin(), n.v.opt.Now()
	n.mu.Unlock()
	if next.stored {
		n.v.logClose(n, old.Close())
	}
}
