package volume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/stage"
	"pail/fs/tree"
	"pail/s3client"
)

// With a journal, a file of which the service has never heard is published here: its second name goes to the journal, as a
// file of its own, and one of the two is given up there when the other is removed. So what git makes is one request, under its
// final name, for which nobody waits. Whatever else is to happen to the file sends both before.

// publishLaterAtMost is the size up to which a file is published so, in bytes, as the journal has it twice meanwhile.
const publishLaterAtMost = 16 << 20

// later is a second name of which the service has not heard.
type later struct {
	entry   journal.Ref // in the journal
	changes int         // of the file in the state that is there
	tried   attempts    // versions that were sent, without an answer
	sent    bool        // it is there, or kept beside
}

// publishesLater reports whether a file may be published so: where what is made exclusively is made here first, too.
func (v *Volume) publishesLater(n, dir *Inode) bool {
	return v.owns(dir) && n.typ == attr.Regular && n.unsent(nil) && v.mayPublish(n) &&
		n.unsavedSize() <= min(publishLaterAtMost, v.publishAtMost())
}

// publishLater is publish for such a file, if it is one and the journal has room.
func (v *Volume) publishLater(ctx context.Context, n *Inode, second place, at string, unlock func()) (done bool, err error) {
	if !v.publishesLater(n, second.dir) {
		return false, nil
	}
	home, err := v.linkable(ctx, n, second, at)
	if err != nil {
		return false, err
	}
	still, err := v.keepStill(ctx, n)
	if err != nil {
		return false, err
	}
	l := &later{entry: journal.Ref{ID: v.opt.Journal.NewID()}}
	if err := v.journalSecond(ctx, n, at, l); err != nil {
		still()
		v.log.Debug("a link does not go to the journal, but to the service", "path", at, "error", err)
		return false, nil
	}
	v.show(&publication{n: n, second: second, home: home, at: at, later: l, unlock: func() {
		still()
		unlock()
		v.storeLater(n)
	}})
	return true, nil
}

// waits reports whether a file waits for what happens to its names, and so is not to be sent yet.
func (p *published) waits(n *Inode) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pub := range p.mu.by {
		if pub.n == n && pub.later != nil {
			return true
		}
	}
	return false
}

// unheard notes that the service has not heard of the second name of a publication.
func (p *published) unheard(pub *publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.unheard[pub.second] = pub.n
}

func (p *published) heard(pub *publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.unheard, pub.second)
}

func (p *published) isUnheard(name place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.unheard[name] != nil
}

// unheardIn adds the names in a directory of which the service has not heard to others.
func (p *published) unheardIn(dir *Inode, names map[string]*Inode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, n := range p.mu.unheard {
		if name.dir == dir {
			names[name.name] = n
		}
	}
}

// journalSecond puts a second name of n into the journal. The caller keeps n's states out of it.
func (v *Volume) journalSecond(ctx context.Context, n *Inode, at string, l *later) error {
	n.mu.Lock()
	c := n.mu.content
	n.mu.Unlock()
	if !n.journaled() {
		if err := v.journalNow(ctx, n, c); err != nil {
			return err
		}
	}
	snap, next, err := v.freeze(ctx, n, c)
	if err != nil {
		return err
	}
	defer snap.Release(false)
	return v.journalSnapshot(c, snap, next, at, l)
}

// journalSnapshot puts a state of a second name into the journal.
func (v *Volume) journalSnapshot(c *content, snap *stage.Snapshot, next version, at string, l *later) error {
	next.expect.Key, next.sent = v.keys.File(at), l.tried
	e := next.entry(c)
	e.freeze(snap)
	e.Path, e.Journaled = []byte(at), v.opt.Now()
	lay := v.layOut(layers{}, c, snap, next)
	changes, err := lay.changes(l.entry.ID, e)
	if err != nil {
		return err
	}
	refs, err := v.opt.Journal.Put(changes)
	if err != nil {
		return journalError(err)
	}
	l.entry, l.changes = refs[0], next.changes
	return nil
}

// unpublishLater removes one of the two names: in the journal, unless the service may have it. It reports false where the
// service may have the first name, or the journal has no room.
func (v *Volume) unpublishLater(ctx context.Context, pub *publication, name place) (done bool, err error) {
	if name == pub.second {
		return true, v.loseLater(ctx, pub)
	}
	n, l := pub.n, pub.later
	if !n.unsent(nil) {
		return false, nil
	}
	next, ended := inherited{base: s3client.ObjectInfo{Key: v.keys.File(pub.at)}, sent: l.tried}, []journal.Ref{l.entry}
	if l.sent {
		next.base, next.stored, ended = pub.copied.info, true, nil
	}
	if err := v.journalMove(ctx, n, next, pub.at, ended...); err != nil {
		v.log.Debug("a removal does not go to the journal, but to the service", "path", pub.home, "error", err)
		return false, nil
	}
	n.rebaseUnsent(next)
	n.mu.Lock()
	n.mu.twice = false
	n.mu.Unlock()
	v.table.Promote(n.node, pub.second.dir.node, pub.second.name)
	v.published.heard(pub)
	v.vacated(pub.first, pub.home, nil, tree.Stamp{})
	return true, nil
}

// loseLater removes the second name.
func (v *Volume) loseLater(ctx context.Context, pub *publication) error {
	if l := pub.later; l.sent || len(l.tried) > 0 {
		v.endJournaled()
		if err := v.removeSecond(ctx, pub); err != nil {
			return err
		}
	} else {
		v.loseSecond(pub)
		v.vacated(pub.second, pub.at, nil, tree.Stamp{})
	}
	v.endLater(pub)
	return nil
}

// endLater says that the journal need not have the second name any more.
func (v *Volume) endLater(pub *publication) {
	v.published.heard(pub)
	if !pub.later.sent {
		v.opt.Journal.Forget(pub.later.entry)
	}
	pub.later.sent = true
}

// partLater makes a second name of which the service has not heard a file of its own, as the next mount would of what the
// journal has: then it is sent as any file, or told of. ErrUnsent says that it is left to the next mount.
func (v *Volume) partLater(ctx context.Context, pub *publication) error {
	l := pub.later
	if l == nil || l.sent {
		return nil
	}
	v.loseSecond(pub)
	v.published.heard(pub)
	r := replaying{v: v}
	for _, e := range v.opt.Journal.Entries() {
		if e.ID == l.entry.ID {
			r.read(e)
		}
	}
	err := journal.ErrDamaged
	for _, f := range r.files {
		f.what.Sent = append(f.what.Sent, sentEntries(l.tried)...)
		err = r.restore(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("%w: %q is kept in the journal, and the next mount sends it: %w", ErrUnsent, pub.at, err)
	}
	return nil
}

// sendLater stores both names of a publication of which the service has not heard.
func (v *Volume) sendLater(ctx context.Context, pub *publication) error {
	if pub.later == nil {
		return nil
	}
	if err := v.commitTarget(ctx, pub.second.dir, pub.first.dir); err != nil {
		return err
	}
	n, l := pub.n, pub.later
	n.mu.Lock()
	changes := n.mu.changes
	n.mu.Unlock()
	if !l.sent || n.pending() && l.changes != changes {
		if err := v.sendSecond(ctx, pub); err != nil {
			return err
		}
	}
	if n.pending() || n.sent() { // what is changed later waits for the hard link, else a crash would show it under the first name alone
		if err := v.commitWithin(ctx, n); err != nil {
			return err
		}
	}
	v.endJournaled()
	return nil
}

// sendSecond stores what is under the second name, as the file is now.
func (v *Volume) sendSecond(ctx context.Context, pub *publication) error {
	n, l := pub.n, pub.later
	n.mu.Lock()
	c := n.mu.content
	n.mu.Unlock()
	if c == nil {
		return ErrClosed // it was left to the journal
	}
	ctx, cancel := v.detached(ctx, n.unsavedSize())
	defer cancel()
	snap, next, err := v.freeze(ctx, n, c)
	if err != nil {
		return err
	}
	defer snap.Release(false)
	if !l.sent && next.changes != l.changes {
		if err := v.journalSnapshot(c, snap, next, pub.at, l); err != nil { // as journalAhead
			v.log.Debug("a file is sent that is not in the journal", "path", pub.at, "error", err)
		}
	}
	next.key = v.keys.File(pub.at)
	before := slices.Clone(l.tried)
	l.tried.note(snap.Size(), next.meta)
	began := v.names.Begin()
	put := s3client.PutOptions{Meta: next.meta, System: next.system, IfNoneMatch: !l.sent}
	if l.sent {
		put.IfMatch = pub.copied.info.ETag
	}
	info, err := v.upload.Commit(ctx, next.key, snap, nil, put)
	if errors.Is(err, s3client.ErrPrecondition) {
		began = tree.Stamp{}
		info, err = v.contestedSecond(ctx, pub, snap, next, before)
	}
	if err != nil {
		v.names.Forget(pub.at)
		return err
	}
	info.Key, info.Size, info.Meta, info.System = next.key, snap.Size(), next.meta, next.system
	o := v.newObject(info)
	o.attr, o.full, o.sys, o.at = attr.Decode(info, v.opt.Defaults), true, true, v.opt.Now()
	pub.copied, pub.since, l.changes = o, began, next.changes
	v.present(pub.at, o, began)
	v.endLater(pub)
	return nil
}

// contestedSecond finds out why there is something under the second name: it was sent from here, now or before, or another
// client has made it. Then what was to be there is kept beside: ErrStale.
func (v *Volume) contestedSecond(ctx context.Context, pub *publication, snap *stage.Snapshot, next version, before attempts) (s3client.ObjectInfo, error) {
	info, err := v.client.Head(ctx, next.key)
	switch {
	case err != nil:
		return info, err
	case info.Size == snap.Size() && maps.Equal(info.Meta, next.meta):
		return info, nil
	case before.has(info.Size, info.Meta):
		put := s3client.PutOptions{Meta: next.meta, System: next.system, IfMatch: info.ETag}
		return v.upload.Commit(ctx, next.key, snap, nil, put)
	}
	beside := v.conflictPath(pub.at)
	to := version{key: v.keys.File(beside), meta: next.meta, system: next.system}
	if _, err := v.send(ctx, snap, to); err != nil {
		v.names.Forget(beside)
		return info, err
	}
	v.log.Error("another client has made a name that was given to a file here; what it was given to is kept beside it too",
		"path", pub.at, "kept", beside)
	v.noteConflict(beside)
	v.names.Forget(beside)
	v.names.Forget(pub.at)
	v.endLater(pub)
	return info, fmt.Errorf("%w: what was linked is kept as %q", ErrStale, beside)
}
