package volume

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"pail/fs/attr"
	"pail/fs/journal"
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
	entry journal.Ref // in the journal
	o     object      // what is to be there
	sent  bool        // it is
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
	l, err := v.journalSecond(ctx, n, at)
	if err != nil {
		still()
		v.log.Debug("a link does not go to the journal, but to the service", "path", at, "error", err)
		return false, nil
	}
	v.show(&publication{n: n, second: second, home: home, at: at, later: l, unlock: func() { still(); unlock() }})
	return true, nil
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
func (v *Volume) journalSecond(ctx context.Context, n *Inode, at string) (*later, error) {
	n.mu.Lock()
	c, o := n.mu.content, n.mu.obj
	n.mu.Unlock()
	if !n.journaled() {
		if err := v.journalNow(ctx, n, c); err != nil {
			return nil, err
		}
	}
	snap, next, err := v.freeze(ctx, n, c)
	if err != nil {
		return nil, err
	}
	defer snap.Release(false)
	o.attr.Ctime = v.opt.Now()
	o.info.Key, o.info.Size, o.info.Meta = v.keys.File(at), snap.Size(), attr.Encode(o.attr, o.info.Meta)
	next.meta, next.expect.Key = o.info.Meta, o.info.Key
	e := next.entry(c)
	e.freeze(snap)
	e.Path, e.Journaled = []byte(at), v.opt.Now()
	l := v.layOut(layers{}, c, snap, next)
	changes, err := l.changes(v.opt.Journal.NewID(), e)
	if err != nil {
		return nil, err
	}
	refs, err := v.opt.Journal.Put(changes)
	if err != nil {
		return nil, journalError(err)
	}
	return &later{entry: refs[0], o: o}, nil
}

// unpublishLater removes one of the two names in the journal. It reports false for what has to be removed on the service.
func (v *Volume) unpublishLater(ctx context.Context, pub *publication, name place) (done bool) {
	if pub.later == nil || pub.later.sent {
		return false
	}
	if name == pub.second {
		v.opt.Journal.Forget(pub.later.entry)
		v.loseSecond(pub)
		v.published.heard(pub)
		v.vacated(pub.second, pub.at, nil, tree.Stamp{})
		return true
	}
	n := pub.n
	next := inherited{base: s3client.ObjectInfo{Key: v.keys.File(pub.at)}}
	if err := v.journalMove(ctx, n, next, pub.at, pub.later.entry); err != nil {
		v.log.Debug("a removal does not go to the journal, but to the service", "path", pub.home, "error", err)
		return false
	}
	n.rebaseUnsent(next)
	n.mu.Lock()
	n.mu.twice = false
	n.mu.Unlock()
	v.table.Promote(n.node, pub.second.dir.node, pub.second.name)
	v.published.heard(pub)
	v.vacated(pub.first, pub.home, nil, tree.Stamp{})
	return true
}

// sendLater stores both names of a publication of which the service has not heard. Then it is as any other.
func (v *Volume) sendLater(ctx context.Context, pub *publication) error {
	if pub.later == nil {
		return nil
	}
	for _, p := range []place{pub.second, pub.first} {
		if err := v.commitTarget(ctx, p.dir); err != nil {
			return err
		}
	}
	if !pub.later.sent {
		if err := v.sendSecond(ctx, pub); err != nil {
			return err
		}
	}
	if err := v.commitWithin(ctx, pub.n); err != nil {
		return err
	}
	v.endJournaled()
	pub.later = nil
	return nil
}

// sendSecond stores what is under the second name. Where another client has made that, it is kept beside: ErrStale.
func (v *Volume) sendSecond(ctx context.Context, pub *publication) error {
	n, o := pub.n, pub.later.o
	n.mu.Lock()
	c := n.mu.content
	n.mu.Unlock()
	ctx, cancel := v.detached(ctx, n.unsavedSize())
	defer cancel()
	snap, _, err := v.freeze(ctx, n, c)
	if err != nil {
		return err
	}
	defer snap.Release(false)
	o.info.Size = snap.Size()
	put := s3client.PutOptions{Meta: o.info.Meta, System: o.info.System, IfNoneMatch: true}
	began := v.names.Begin()
	info, err := v.opt.Upload.Commit(ctx, o.info.Key, snap, nil, put)
	if errors.Is(err, s3client.ErrPrecondition) {
		if info, err = v.client.Head(ctx, o.info.Key); err != nil {
			return err
		}
		if info.Size != o.info.Size || !maps.Equal(info.Meta, o.info.Meta) { // else an answer got lost
			beside := v.conflictPath(pub.at)
			put.IfNoneMatch = false
			if _, err := v.opt.Upload.Commit(ctx, v.keys.File(beside), snap, nil, put); err != nil {
				v.doubt(beside, err)
				return err
			}
			v.log.Error("another client has made a name that was given to a file here; what it was given to is kept beside it too",
				"path", pub.at, "kept", beside)
			v.noteConflict(beside)
			v.names.Forget(beside)
			v.names.Forget(pub.at)
			return fmt.Errorf("%w: what was linked is kept as %q", ErrStale, beside)
		}
		began = tree.Stamp{}
	}
	if err != nil {
		v.doubt(pub.at, err)
		return err
	}
	o.info.ETag, o.info.LastModified, o.at = info.ETag, info.LastModified, v.opt.Now()
	pub.later.o, pub.later.sent = o, true
	pub.copied, pub.since = o, began
	v.present(pub.at, o, began)
	v.published.heard(pub)
	v.opt.Journal.Forget(pub.later.entry)
	return nil
}
