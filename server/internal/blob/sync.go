package blob

import "sync"

// dirSyncs makes directories durable. Calls for one directory that arrive while a sync of it runs share the next one.
type dirSyncs struct {
	fs FS

	mu struct {
		sync.Mutex
		dirs map[string]*dirSync
	}
}

// dirSync is the state of a directory with callers.
type dirSync struct {
	running *syncRound // the sync that runs now
	next    *syncRound // the one that callers join, begun when running ends
}

type syncRound struct {
	done chan struct{}
	err  error // valid after done
}

// sync returns when a sync of dir that began after the call has ended.
func (d *dirSyncs) sync(dir string) error {
	d.mu.Lock()
	if d.mu.dirs == nil {
		d.mu.dirs = make(map[string]*dirSync)
	}
	s := d.mu.dirs[dir]
	if s == nil {
		s = &dirSync{running: &syncRound{done: make(chan struct{})}}
		d.mu.dirs[dir] = s
		round := s.running
		d.mu.Unlock()
		d.run(dir, s, round)
		return round.err
	}
	if s.next == nil {
		s.next = &syncRound{done: make(chan struct{})}
		lead, previous := s.next, s.running
		d.mu.Unlock()
		<-previous.done
		d.run(dir, s, lead)
		return lead.err
	}
	join := s.next
	d.mu.Unlock()
	<-join.done
	return join.err
}

// run makes round the running one, syncs, and forgets the directory when nobody waits for another round.
func (d *dirSyncs) run(dir string, s *dirSync, round *syncRound) {
	d.mu.Lock()
	if s.next == round {
		s.running, s.next = round, nil
	}
	d.mu.Unlock()
	round.err = d.fs.SyncDir(dir)
	d.mu.Lock()
	if s.next == nil {
		delete(d.mu.dirs, dir)
	}
	d.mu.Unlock()
	close(round.done)
}
