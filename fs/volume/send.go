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
		queue    []*waiting
		queued   map[*Inode]*waiting
		bytes    int64     // of those in the queue
		urgent   int       // of these, such as are not held back
		last     time.Time // when one was last closed
		hold     time.Duration
		timer    *time.Timer // calls wake; nil: nothing to wait for, or all goroutines are busy
		running  int
		stopped  bool
		watching bool // files that are open
		failing  bool // the last attempt that was not broken off has failed
	}
	work sync.WaitGroup
}

// waiting is a file in the queue.
type waiting struct {
	n      *Inode
	at     time.Time // when it came
	open   bool      // it is to be sent also if it is open
	urgent bool      // others see an old version, or it was due before and was found open
	size   int64
}

// sendDelay is how long a file waits before it is sent: many are given another name or removed in that time, and then
// need no request of their own. It begins anew whenever another is closed, for sendHold at most: who makes many files
// is done sooner if sending them does not take the processors from him. It does not where more than holdFiles or holdBytes wait,
// which is work for long, or one of which others see an old version.
const (
	sendDelay = 50 * time.Millisecond
	sendHold  = time.Second
	holdFiles = 1024
	holdBytes = 8 << 20
)

func (s *sender) init(parallel int, wake func()) {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.parallel, s.wake = parallel, wake
	s.mu.hold = sendHold
	s.mu.queued = map[*Inode]*waiting{}
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
	n.mu.Lock()
	defer n.mu.Unlock()
	v.storeLaterLocked(n)
}

func (v *Volume) storeLaterLocked(n *Inode) {
	if v.opt.Journal == nil {
		v.retryLater()
		return
	}
	v.sender.enqueue(n.waitingLocked(false))
}

func (n *Inode) waitingLocked(open bool) *waiting {
	w := &waiting{n: n, at: time.Now(), open: open}
	if c := n.mu.content; c != nil {
		old := n.mu.log.live() && w.at.Sub(n.mu.log.since) >= sendHold
		w.size, w.urgent = c.size(), old || c.stored || len(c.sent) > 0
	}
	return w
}

// enqueue has a file sent a moment later.
func (s *sender) enqueue(w *waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return
	}
	s.mu.last = w.at
	if was := s.mu.queued[w.n]; was != nil {
		s.countLocked(was, -1)
		was.open, was.urgent, was.size = was.open || w.open, w.urgent, w.size
		w = was
	} else {
		s.mu.queue = append(s.mu.queue, w)
		s.mu.queued[w.n] = w
	}
	s.countLocked(w, 1)
	s.timeLocked()
}

// countLocked adds a file to what waits, or takes it off.
func (s *sender) countLocked(w *waiting, times int) {
	s.mu.bytes += int64(times) * w.size
	if w.urgent {
		s.mu.urgent += times
	}
}

// has reports whether a file waits to be sent.
func (s *sender) has(n *Inode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.queued[n] != nil
}

// dueLocked returns when the first file in the queue is to be sent.
func (s *sender) dueLocked() time.Time {
	first := s.mu.queue[0].at
	if s.mu.urgent > 0 || len(s.mu.queue) > holdFiles || s.mu.bytes > holdBytes {
		return first.Add(sendDelay)
	}
	due := s.mu.last.Add(sendDelay)
	if most := first.Add(s.mu.hold); most.Before(due) {
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
func (s *sender) takeLocked() *waiting {
	if len(s.mu.queue) == 0 || time.Now().Before(s.dueLocked()) {
		return nil
	}
	first := s.mu.queue[0]
	s.mu.queue[0] = nil
	s.mu.queue = s.mu.queue[1:]
	s.countLocked(first, -1)
	delete(s.mu.queued, first.n)
	return first
}

// next is takeLocked for a goroutine that has to end if nothing is due.
func (s *sender) next() *waiting {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.takeLocked()
	if w == nil {
		s.mu.running--
	}
	s.timeLocked()
	return w
}

// sendDue begins to send what is due, so much at once as may be.
func (v *Volume) sendDue() {
	s := &v.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.timer = nil; s.mu.running < s.parallel; s.mu.running++ {
		w := s.takeLocked()
		if w == nil {
			break
		}
		s.work.Go(func() { v.sendQueued(w) })
	}
	s.timeLocked()
}

// sendQueued stores a file and those that follow, until none is due.
func (v *Volume) sendQueued(w *waiting) {
	for ; w != nil; w = v.sender.next() {
		n := w.n
		if !w.open && !n.orphaned() {
			n.closeContent() // it is stored already, or
			continue         // opened again: whoever closes it last sees to it, or else watchOpen
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
	s.mu.queue, s.mu.bytes, s.mu.urgent = nil, 0, 0
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
