package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// sender stores closed files that are in the journal, several at once, in the order in which they were closed, and files
// that stay open (send_open.go). What cannot be stored is left to the retries. Its goroutines run only while there is
// something to send.
type sender struct {
	ctx  context.Context // ends with stop
	stop context.CancelFunc

	mu struct {
		sync.Mutex
		queue    []waiting
		queued   map[*Inode]bool // true: also if it is open
		running  int
		stopped  bool
		watching bool // files that are open
		failing  bool // the last attempt that was not broken off has failed
	}
	work sync.WaitGroup
}

// waiting is a file in the queue.
type waiting struct {
	n   *Inode
	due time.Time
}

// sendDelay is how long a file waits before it is sent: many are given another name or removed in that time, and then
// need no request of their own.
const sendDelay = 50 * time.Millisecond

func (s *sender) init() {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.mu.queued = map[*Inode]bool{}
}

// maxWaiting is how many files may wait to be sent before those who close more have to wait too.
const maxWaiting = 4096

// full reports whether too many files wait.
func (s *sender) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.queue) > maxWaiting
}

// storeLater says that there is a file without writers that is not stored.
func (v *Volume) storeLater(n *Inode) {
	if v.opt.Journal == nil {
		v.retryLater()
		return
	}
	v.enqueue(n, false)
}

// enqueue has a file sent a moment later; open says also if somebody has it open to write to it.
func (v *Volume) enqueue(n *Inode, open bool) {
	s := &v.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return
	}
	if already, waits := s.mu.queued[n]; waits {
		s.mu.queued[n] = already || open
		return
	}
	s.mu.queue = append(s.mu.queue, waiting{n, time.Now().Add(sendDelay)})
	s.mu.queued[n] = open
	if s.mu.running < v.opt.Parallel {
		s.mu.running++
		s.work.Go(v.sendQueued)
	}
}

// next takes a file from the queue when its time has come; nil says that the caller has to end.
func (s *sender) next() (n *Inode, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.queue) == 0 {
		s.mu.running--
		return nil, false
	}
	first := s.mu.queue[0]
	s.mu.queue[0] = waiting{}
	s.mu.queue = s.mu.queue[1:]
	if early := time.Until(first.due); early > 0 {
		s.mu.Unlock()
		select {
		case <-time.After(early):
		case <-s.ctx.Done():
		}
		s.mu.Lock()
	}
	open = s.mu.queued[first.n]
	delete(s.mu.queued, first.n)
	return first.n, open
}

// sendQueued stores files until there are none left.
func (v *Volume) sendQueued() {
	for n, open := v.sender.next(); n != nil; n, open = v.sender.next() {
		if !open && !n.orphaned() {
			continue // opened again: whoever closes it last sees to it, or else watchOpen
		}
		if v.published.waits(n) {
			continue // the end of that sees to it
		}
		err := v.sendOne(v.sender.ctx, n)
		closed := n.orphaned()
		if err != nil && (closed || n.unsaved()) && !errors.Is(err, errYielded) {
			path, _ := v.table.Path(n.node)
			v.log.Warn("a file is not stored yet; it is in the journal, and will be tried again", "path", path, "error", err)
		}
		switch {
		case !closed:
		case err == nil: // changed meanwhile
			v.storeLater(n)
		default:
			v.retryLater()
		}
	}
}

// yieldAfter is how long somebody who writes to a file waits for an attempt to send it, where what he overwrites cannot be
// kept for that. yieldMax is the size above which an attempt may take longer for good reasons. yieldTimes is how many
// attempts in a row are broken off: a file that is written to again and again must be sent too, also where that takes longer.
const (
	yieldAfter = time.Second
	yieldMax   = 64 << 20
	yieldTimes = 2
)

var errYielded = errors.New("somebody waits to write to it")

// sendOne stores a file in the background, unless it takes long and a writer has to wait for it.
func (v *Volume) sendOne(ctx context.Context, n *Inode) error {
	size := n.unsavedSize()
	ctx, cancel := context.WithTimeout(ctx, v.limit(size))
	defer cancel()
	if v.opt.Journal == nil {
		return v.commitNow(ctx, n)
	}
	ctx, yield := context.WithCancelCause(ctx)
	defer yield(nil)
	failing := v.sender.failing()
	n.mu.Lock()
	if n.yieldsLocked(size, failing) {
		n.mu.sending = func() { yield(errYielded) }
	}
	n.mu.Unlock()
	begin := time.Now()
	err := v.commitNow(ctx, n)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.sending = nil
	if err == nil || context.Cause(ctx) == errYielded {
		n.mu.rest = time.Now().Add(restTimes * time.Since(begin))
	}
	if err != nil && context.Cause(ctx) == errYielded {
		n.mu.yielded++
		return errors.Join(errYielded, err)
	}
	n.mu.yielded = 0
	v.sender.tried(err)
	return err
}

// yieldsLocked reports whether an attempt to send n gives way to writers. While a service takes nothing, each does; that of
// a large file does if somebody has it open, and so may be writing all the time.
func (n *Inode) yieldsLocked(size int64, failing bool) bool {
	if size > yieldMax {
		return n.mu.writers > 0
	}
	return failing || n.mu.yielded < yieldTimes
}

func (s *sender) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failing
}

// tried notes how an attempt has ended.
func (s *sender) tried(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.failing = err != nil && !errors.Is(err, ErrStale)
}

// yield makes an attempt in the background give way to a write that takes long: it waits for that, as there is no room to
// keep what is sent. A service that does not answer must not hold up what is done here. over is called when it is done.
func (n *Inode) yield() (over func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.sending == nil {
		return func() {}
	}
	waiting := time.AfterFunc(yieldAfter, n.mu.sending)
	return func() { waiting.Stop() }
}

// end lets no more files begin. What is being sent goes on.
func (s *sender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stopped = true
	s.mu.queue = nil
	clear(s.mu.queued)
}

// journalOpen puts everything into the journal that is neither there nor stored, so that a service that does not answer
// cannot hold it up.
func (v *Volume) journalOpen(ctx context.Context) {
	if v.opt.Journal == nil {
		return
	}
	for _, n := range v.openInodes() {
		if err := v.journal(ctx, n); err != nil && !n.journaled() {
			path, _ := v.table.Path(n.node)
			v.log.Warn("a file is not in the journal; it is tried to be stored", "path", path, "error", err)
		}
	}
}

// closeJournaled is Close with a journal.
func (v *Volume) closeJournaled(ctx context.Context) error {
	v.journalOpen(ctx)
	v.sender.end()
	err := v.retries.end(ctx)
	if err == nil {
		err = v.storeOpen(ctx, (*Inode).closeContent)
	}
	v.sender.stop()
	v.sender.work.Wait()
	if files, bytes := v.leaveToJournal(); files > 0 {
		return fmt.Errorf("%w: %d files with %d bytes; they are kept in the journal, and the next mount sends them: %w",
			ErrUnsent, files, bytes, err)
	}
	if err == nil {
		v.storeAllTimes(ctx)
	}
	return err
}

// leaveToJournal frees what is here of files that are not stored, but in the journal, and returns how many these are.
func (v *Volume) leaveToJournal() (files int, bytes int64) {
	for _, n := range v.openInodes() {
		if !n.unsaved() || !n.journaled() {
			continue
		}
		files++
		bytes += n.unsavedSize()
		n.mu.Lock()
		n.abandonLocked()
		n.mu.log = logged{}
		n.unlock()
	}
	return files, bytes
}
