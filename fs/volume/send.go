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

	parallel int    // files at once
	wake     func() // sends what is due

	mu struct {
		sync.Mutex
		queue    []waiting
		queued   map[*Inode]bool // true: also if it is open
		bytes    int64           // of those in the queue
		last     time.Time       // when one was last closed
		timer    *time.Timer     // calls wake; nil: nothing to wait for, or all goroutines are busy
		running  int
		stopped  bool
		watching bool // files that are open
		failing  bool // the last attempt that was not broken off has failed
	}
	work sync.WaitGroup
}

// waiting is a file in the queue.
type waiting struct {
	n    *Inode
	size int64
	at   time.Time // when it came
}

// sendDelay is how long a file waits before it is sent: many are given another name or removed in that time, and then
// need no request of their own. It begins anew whenever another is closed, for sendHold at most: who makes many files
// is done sooner if sending them does not take the processors from him. Where more than holdFiles or holdBytes wait, which is
// work for long, it does not.
const (
	sendDelay = 50 * time.Millisecond
	sendHold  = time.Second
	holdFiles = 1024
	holdBytes = 8 << 20
)

func (s *sender) init(parallel int, wake func()) {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.parallel, s.wake = parallel, wake
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
	v.sender.enqueue(n, false)
}

// enqueue has a file sent a moment later; open says also if somebody has it open to write to it.
func (s *sender) enqueue(n *Inode, open bool) {
	size, now := n.unsavedSize(), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return
	}
	s.mu.last = now
	if already, waits := s.mu.queued[n]; waits {
		s.mu.queued[n] = already || open
		return
	}
	s.mu.queue = append(s.mu.queue, waiting{n, size, now})
	s.mu.bytes += size
	s.mu.queued[n] = open
	s.timeLocked()
}

// dueLocked returns when the first file in the queue is to be sent.
func (s *sender) dueLocked() time.Time {
	first := s.mu.queue[0].at
	if len(s.mu.queue) > holdFiles || s.mu.bytes > holdBytes {
		return first.Add(sendDelay)
	}
	due := s.mu.last.Add(sendDelay)
	if most := first.Add(sendHold); most.Before(due) {
		return most
	}
	return due
}

// timeLocked sees to it that somebody looks at the queue when the first file is due.
func (s *sender) timeLocked() {
	if len(s.mu.queue) > 0 && s.mu.timer == nil && s.mu.running < s.parallel {
		s.mu.timer = time.AfterFunc(time.Until(s.dueLocked()), s.wake)
	}
}

// takeLocked takes the first file from the queue if its time has come, else it returns nil.
func (s *sender) takeLocked() (n *Inode, open bool) {
	if len(s.mu.queue) == 0 || time.Now().Before(s.dueLocked()) {
		return nil, false
	}
	first := s.mu.queue[0]
	s.mu.queue[0] = waiting{}
	s.mu.queue = s.mu.queue[1:]
	s.mu.bytes -= first.size
	open = s.mu.queued[first.n]
	delete(s.mu.queued, first.n)
	return first.n, open
}

// next is takeLocked for a goroutine that has to end if nothing is due.
func (s *sender) next() (n *Inode, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, open = s.takeLocked(); n == nil {
		s.mu.running--
	}
	s.timeLocked()
	return n, open
}

// sendDue begins to send what is due, so much at once as may be.
func (v *Volume) sendDue() {
	s := &v.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.timer = nil; s.mu.running < s.parallel; s.mu.running++ {
		n, open := s.takeLocked()
		if n == nil {
			break
		}
		s.work.Go(func() { v.sendQueued(n, open) })
	}
	s.timeLocked()
}

// sendQueued stores a file and those that follow, until none is due.
func (v *Volume) sendQueued(n *Inode, open bool) {
	for ; n != nil; n, open = v.sender.next() {
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
	s.mu.queue, s.mu.bytes = nil, 0
	clear(s.mu.queued)
	if s.mu.timer != nil {
		s.mu.timer.Stop()
	}
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
