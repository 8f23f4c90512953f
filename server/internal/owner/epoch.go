package owner

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lifeSign is the time between two signs of life.
const lifeSign = time.Second

// ErrSuperseded means that another process owns the directory now. It stays so.
var ErrSuperseded = errors.New("another process has taken over")

// Epoch is the time of one owner. All methods are safe for concurrent use.
type Epoch struct {
	// FormerLives tells that a former owner still held the lock of its epoch: it may be writing to its directory.
	FormerLives bool

	parent, dir, base string
	number            uint64
	file              *os.File
	log               *slog.Logger
	step              func(string) error

	stop chan struct{}
	lost chan struct{} // closed by alive
	done sync.WaitGroup

	begun atomic.Uint64 // proofs
	life  atomic.Pointer[time.Time]

	mu struct {
		sync.Mutex       // held during a proof
		err        error // of the last proof
		marked     bool  // the record may bear the mark
		closed     bool
	}
}

// Number counts epochs from 1.
func (e *Epoch) Number() uint64 { return e.number }

// Dir is the directory of the epoch, which exists and is empty at first.
func (e *Epoch) Dir() string { return e.dir }

// Base is the directory that the last owner left, "" when there was none. It must not be changed.
func (e *Epoch) Base() string { return e.base }

// Lost is closed when the Epoch learns that it is superseded.
func (e *Epoch) Lost() <-chan struct{} { return e.lost }

// SilentFor tells how long the owner could not prove itself nor give a sign of life; on a healthy volume, a second or so.
func (e *Epoch) SilentFor() time.Duration { return time.Since(*e.life.Load()) }

// record writes the record, which fences all former owners off.
func (e *Epoch) record() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	err = e.step("record")
	if err == nil {
		_, err = e.file.WriteAt(Record{Epoch: e.number, Host: host, PID: os.Getpid(), Since: time.Now()}.encode(), offsetOf(e.number))
	}
	if err != nil {
		return err
	}
	return e.prove()
}

// start begins the signs of life.
func (e *Epoch) start() {
	e.stop, e.lost = make(chan struct{}), make(chan struct{})
	now := time.Now()
	e.life.Store(&now)
	e.done.Go(e.alive)
}

// alive gives signs of life until the epoch ends.
func (e *Epoch) alive() {
	t := time.NewTicker(lifeSign)
	defer t.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-t.C:
		}
		err := e.Prove()
		if errors.Is(err, ErrSuperseded) {
			close(e.lost)
			return
		}
		now := time.Now()
		if err == nil {
			err = os.Chtimes(e.dir, now, now)
		}
		if err != nil {
			e.log.Warn("the owner of a shared directory cannot give a sign of life", "dir", e.parent, "epoch", e.number, "err", err)
			continue
		}
		e.life.Store(&now)
	}
}

// Prove succeeds when the caller owned the directory at a moment after the call began. Calls at the same time share a
// proof.
func (e *Epoch) Prove() error {
	before := e.begun.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun.Load() > before {
		return e.mu.err // of a proof that began after this call did, and has ended
	}
	e.begun.Add(1)
	e.mu.err = e.prove()
	return e.mu.err
}

func (e *Epoch) prove() error {
	last, err := lastEpoch(e.file)
	switch {
	case err != nil:
		return fmt.Errorf("proving the ownership of %s: %w", e.parent, err)
	case last != e.number:
		return fmt.Errorf("%s: %w: epoch %d after %d", e.parent, ErrSuperseded, last, e.number)
	}
	return nil
}

// Serve makes the directory of the epoch the one that the next owner starts from. It must be complete and durable.
func (e *Epoch) Serve() error {
	if err := e.step("serve"); err != nil {
		return err
	}
	e.mu.Lock()
	e.mu.marked = true
	e.mu.Unlock()
	if _, err := e.file.WriteAt([]byte{marked}, offsetOf(e.number)+markOffset); err != nil {
		return err
	}
	if err := e.step("served"); err != nil {
		return err
	}
	return e.Prove() // one who came before the mark starts from elsewhere
}

// Sweep removes what former epochs have left, once this one serves. It returns how many it left where they are, as their
// owners still hold their locks.
func (e *Epoch) Sweep() (left int, err error) {
	if err := e.Prove(); err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(e.parent)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		n, ok := epochOf(entry.Name())
		if !ok || n >= e.number {
			continue
		}
		free, err := lock(e.file, n)
		if err != nil {
			return left, err
		}
		if !free {
			left++
			continue
		}
		err = os.RemoveAll(epochDir(e.parent, n))
		unlock(e.file, n)
		if err != nil {
			return left, err
		}
	}
	return left, nil
}

// Close gives the directory up. What an epoch has made that never served is removed. It may be called twice.
func (e *Epoch) Close() error {
	e.mu.Lock()
	closed, marked := e.mu.closed, e.mu.marked
	e.mu.closed = true
	e.mu.Unlock()
	if closed {
		return nil
	}
	close(e.stop)
	e.done.Wait()
	var err error
	if !marked {
		err = os.RemoveAll(e.dir)
	}
	return errors.Join(err, e.file.Close())
}
