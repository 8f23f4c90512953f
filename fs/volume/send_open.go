package volume

import "time"

// openDelay is how long what fsync(2) or a close(2) has acknowledged of a file that stays open waits before it is sent: a
// log must not wait for the end of the program that writes it. It is looked for that often, so it may be twice as long.
const openDelay = 30 * time.Second

// restTimes is how much longer than an attempt to send an open file the time before the next is, as each may send much again,
// and writers may have to wait for it.
const restTimes = 9

// watchOpen has files that stay open sent, as long as there are any with something to send.
func (v *Volume) watchOpen() {
	s := &v.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.watching && !s.mu.stopped {
		s.mu.watching = true
		time.AfterFunc(openDelay, v.sendOpen)
	}
}

func (v *Volume) sendOpen() {
	v.sender.mu.Lock()
	v.sender.mu.watching = false // before it looks, so that nothing is missed
	v.sender.mu.Unlock()
	again := false
	for _, n := range v.openInodes() {
		waits, due := n.toSendOpen(time.Now())
		if due {
			n.mu.Lock()
			w := n.waitingLocked(true)
			n.mu.Unlock()
			v.sender.enqueue(w)
		}
		again = again || waits
	}
	if again {
		v.watchOpen()
	}
}

// toSendOpen reports whether n is open and has something to send that was acknowledged, and whether its time has come.
func (n *Inode) toSendOpen(now time.Time) (waits, due bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	waits = n.mu.writers > 0 && n.unsavedLocked() && n.mu.log.live()
	return waits, waits && now.Sub(n.mu.log.since) >= openDelay && now.After(n.mu.rest)
}
