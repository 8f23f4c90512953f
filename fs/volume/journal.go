package volume

import (
	"context"
	"errors"
	"time"

	"pail/fs/journal"
	"pail/fs/stage"
	"pail/s3client"
)

// logged is what the journal has of an inode; the zero value is nothing.
type logged struct {
	id      uint64      // of its entries; 0: never had one
	ref     journal.Ref // the state that is in the journal and not stored; zero: none
	changes int         // of the inode when that state was journaled
	writes  int         // of its content
	held    held
	layers  layers
	covered int       // states with fewer changes are on the service
	since   time.Time // when the first state was journaled that is not stored
}

// held is what an entry says of the bytes that the journal has with it.
type held struct {
	bytes bool // there are some
	size  int64
	zero  []journal.Extent
}

func (l *logged) live() bool { return l.ref != journal.Ref{} }

// refs are all entries of the inode.
func (l *logged) refs() []journal.Ref {
	if !l.live() {
		return nil
	}
	return append(l.layers.refs(), l.ref)
}

// secure makes what was written to n durable: in the journal where there is one, else on the service. A journal without
// room makes the caller wait for the service.
func (v *Volume) secure(ctx context.Context, n *Inode) error {
	if err := v.finishBack(ctx, n); err != nil {
		return err
	}
	if v.opt.Journal == nil {
		return v.commit(ctx, n)
	}
	err := v.journal(ctx, n)
	if err == nil || n.journaled() && !v.published.waits(n) { // or removed meanwhile
		v.watchOpen()
		if v.sender.full() {
			_ = v.commit(ctx, n) // to wait; it is safe already
		}
		return nil
	}
	path, _ := v.table.Path(n.node)
	v.log.Warn("a file does not go to the journal, but straight to the service", "path", path, "error", err)
	if sendErr := v.commit(ctx, n); sendErr != nil {
		return errors.Join(sendErr, err)
	}
	if v.published.waits(n) {
		return err // one of its names may have it alone
	}
	return nil
}

// secureClosed is secure for a change of the attributes of a closed file that is still to be sent. An open one has its
// Flush to come.
func (v *Volume) secureClosed(ctx context.Context, n *Inode) error {
	if v.opt.Journal == nil || !n.orphaned() {
		return nil
	}
	defer v.storeLater(n) // it may be on its way without the change
	return v.secure(ctx, n)
}

// journal puts the state of n into the journal, if it is not stored and not there yet.
func (v *Volume) journal(ctx context.Context, n *Inode) error {
	if n.journaled() {
		return nil
	}
	ctx, cancel := v.detached(ctx, n.unsavedSize())
	defer cancel()
	unlock, err := v.lockName(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	if n.journaled() {
		return nil
	}
	n.mu.Lock()
	c := n.mu.content
	n.mu.Unlock()
	for c != nil {
		err := v.journalNow(ctx, n, c)
		if !errors.Is(err, journal.ErrKept) { // else what the journal had was stored meanwhile
			return err
		}
	}
	return nil
}

func (v *Volume) journalNow(ctx context.Context, n *Inode, c *content) error {
	snap, next, err := v.state(ctx, n, c)
	if err != nil {
		return err
	}
	if snap != nil {
		defer snap.Release(false)
	}
	return v.journalState(n, c, snap, next)
}

// state reads what to journal: with a snapshot, unless there are no bytes of the inode's own, or the journal has them.
// What a writer has not noted yet is not in the state that is found then, as its counts tell: they, and what the state
// consists of, are read at one moment.
func (v *Volume) state(ctx context.Context, n *Inode, c *content) (*stage.Snapshot, version, error) {
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	next, bytes := n.versionLocked(c, path), c.file != nil
	next.kept = bytes && n.mu.log.live() && n.mu.log.writes == next.writes
	if next.kept {
		next.held = n.mu.log.held
	}
	n.mu.Unlock()
	if bytes && !next.kept {
		return v.freeze(ctx, n, c)
	}
	return nil, next, nil
}

// journaled reports whether everything of n is stored or in the journal.
func (n *Inode) journaled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.unsavedLocked() || n.mu.log.live() && n.mu.log.changes == n.mu.changes
}

// lockName is lockInode with n's naming lock in place of its gate.
func (v *Volume) lockName(ctx context.Context, n *Inode) (unlock func(), err error) {
	return v.lockWith(ctx, n, n.naming)
}

// keepName takes n's naming lock for somebody who has its gate, unless he has it already.
func (v *Volume) keepName(ctx context.Context, n *Inode) (unlock func(), err error) {
	if v.opt.Journal == nil || n.still {
		return func() {}, nil
	}
	if err := n.naming.lock(ctx); err != nil {
		return nil, err
	}
	return n.naming.unlock, nil
}

// commitStill stores what is not stored of n, and keeps its states out of the journal until done, as its name is about to
// change on the service. The caller has the gate.
func (v *Volume) commitStill(ctx context.Context, n *Inode) (done func(), err error) {
	if done, err = v.keepStill(ctx, n); err != nil {
		return nil, err
	}
	if err := v.commitWithin(ctx, n); err != nil {
		done()
		return nil, err
	}
	v.endJournaled()
	return done, nil
}

// keepStill keeps n's states out of the journal until done, be it that the caller does so already. The caller has the gate.
func (v *Volume) keepStill(ctx context.Context, n *Inode) (done func(), err error) {
	if n.still {
		return func() {}, nil
	}
	unlock, err := v.keepName(ctx, n)
	if err != nil {
		return nil, err
	}
	n.still = true
	return func() {
		n.still = false
		unlock()
	}, nil
}

// endJournaled makes durable that entries have ended, before something is done to the names that they had: an entry that
// came back after a power cut would undo it.
func (v *Volume) endJournaled() {
	if v.opt.Journal == nil {
		return
	}
	if err := v.opt.Journal.Barrier(); err != nil {
		v.log.Warn("the journal cannot be synced; a power cut may bring files back that were removed or renamed", "error", err)
	}
}

// journalAhead puts into the journal what is about to be sent, so that whoever finds the version after a crash knows it.
// It is a courtesy: without room for it, it is sent all the same.
func (v *Volume) journalAhead(n *Inode, c *content, snap *stage.Snapshot, next version) {
	if v.opt.Journal == nil || n.journaled() {
		return
	}
	if err := v.journalState(n, c, snap, next); err != nil {
		v.log.Debug("a file is sent that is not in the journal", "key", next.key, "error", err)
	}
}

// journalState puts a state of n into the journal. snap nil says that only attributes have changed, or that the journal has
// the bytes: ErrKept if it has not any more. The caller keeps the name.
func (v *Volume) journalState(n *Inode, c *content, snap *stage.Snapshot, next version) error {
	path, err := n.path()
	if err != nil {
		return err
	}
	return v.journalAs(n, c, snap, next, path)
}

// journalAs is journalState under another path; forget are entries of others that end with it.
func (v *Volume) journalAs(n *Inode, c *content, snap *stage.Snapshot, next version, path string, forget ...journal.Ref) (err error) {
	n.mu.Lock()
	if n.mu.log.id == 0 {
		n.mu.log.id = v.opt.Journal.NewID()
	}
	id, had := n.mu.log.id, n.mu.log.layers
	n.mu.Unlock()
	l := v.layOut(had, c, snap, next)
	e := next.entry(c)
	if snap != nil {
		e.freeze(snap)
		if l.content != nil && !n.isWritten() { // else all would be copied for the next write
			l.content.Give = snap.Give
		}
	}
	e.Path, e.Journaled, e.Parts = []byte(path), v.opt.Now(), l.next.ids()
	changes, err := l.changes(id, e)
	if err != nil {
		return err
	}
	refs, err := v.opt.Journal.Put(changes, append(forget, had.without(l.next)...)...)
	defer v.settleJournal(n) // it may have been stored or removed meanwhile
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		return journalError(err)
	}
	if snap != nil {
		snap.Saved()
	}
	if !n.mu.log.live() {
		n.mu.log.since = time.Now()
	}
	n.mu.log.ref, n.mu.log.changes, n.mu.log.writes = refs[0], next.changes, next.writes
	n.mu.log.held = held{e.Bytes, e.Size, e.Zero}
	n.mu.log.layers = l.next.written(refs[1:])
	return nil
}

// noteSending remembers a version before it is sent: a state that is journaled meanwhile has to know it.
func (v *Volume) noteSending(n *Inode, c *content, size int64, meta s3client.Meta) {
	if v.opt.Journal == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c.sent.note(size, meta)
}

// settleJournal ends n's entry in the journal if the service has that state, or a later one, or if nobody wants it any more.
func (v *Volume) settleJournal(n *Inode) {
	if v.opt.Journal == nil {
		return
	}
	n.mu.Lock()
	ref, parts := n.mu.log.ref, n.mu.log.layers.refs()
	if !n.mu.log.live() || n.unsavedLocked() && n.mu.log.changes >= n.mu.log.covered {
		n.mu.Unlock()
		return
	}
	n.mu.log.ref, n.mu.log.layers = journal.Ref{}, layers{}
	n.mu.Unlock()
	v.opt.Journal.Forget(ref, parts...)
}

// journalError translates errors of the journal.
func journalError(err error) error {
	if errors.Is(err, journal.ErrFull) {
		return errors.Join(ErrNoSpace, err)
	}
	return err
}
