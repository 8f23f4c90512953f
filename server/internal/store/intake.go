package store

import (
	"crypto/md5"
	"hash"
	"io"
	"sync/atomic"

	"pail/server/internal/blob"
)

// intakeBuffers is how many buffers one body uses: one being filled, one being written, one being hashed and one that
// waits for the slowest of the three.
const intakeBuffers = 4

// intake takes in a body beside the one who reads it: a goroutine writes each piece and adds it to the checksum, and
// another computes the MD5, if it is needed, which is slower than all else that is done with the bytes. The buffers go round: buffer gives
// one to fill, add takes it, and when it is written and hashed, buffer gives it again. Only stop ends the goroutines.
type intake struct {
	pool  *blob.Buffers
	w     io.Writer
	sum   hash.Hash // nil for none
	md5   hash.Hash // nil for none
	taken int       // buffers that came from the pool

	work    chan []byte
	written chan []byte
	spare   chan []byte // hashed
	done    chan struct{}
	failure atomic.Pointer[error] // of the first write that failed
}

// newIntake begins with one buffer, which comes from the pool and will be given to add. w and sum are the intake's until
// stop.
func newIntake(pool *blob.Buffers, w io.Writer, sum hash.Hash, needsMD5 bool) *intake {
	d := &intake{pool: pool, w: w, sum: sum, taken: 1, done: make(chan struct{}),
		work: make(chan []byte, intakeBuffers), written: make(chan []byte, intakeBuffers), spare: make(chan []byte, intakeBuffers)}
	if needsMD5 {
		d.md5 = md5.New()
	}
	go d.write()
	go d.hash()
	return d
}

// write writes what is added, and only passes it on once a write has failed.
func (d *intake) write() {
	defer close(d.written)
	for p := range d.work {
		if len(p) > 0 && d.err() == nil {
			if _, err := d.w.Write(p); err != nil {
				d.failure.Store(&err)
			} else if d.sum != nil {
				d.sum.Write(p)
			}
		}
		d.written <- p
	}
}

func (d *intake) hash() {
	defer close(d.done)
	for p := range d.written {
		if d.md5 != nil && d.err() == nil {
			d.md5.Write(p)
		}
		d.spare <- p
	}
}

// err is the error of the first write that failed so far.
func (d *intake) err() error {
	if e := d.failure.Load(); e != nil {
		return *e
	}
	return nil
}

// buffer gives a buffer to fill, and waits for one that is done with when all are in use.
func (d *intake) buffer() []byte {
	select {
	case p := <-d.spare:
		return p[:d.pool.Size()]
	default:
	}
	if d.taken < intakeBuffers {
		d.taken++
		return d.pool.Get()
	}
	return (<-d.spare)[:d.pool.Size()]
}

// add takes p, which begins a buffer, and may not be touched any more.
func (d *intake) add(p []byte) { d.work <- p }

// stop waits for what was added and gives the buffers back. It gives err. Calling it again changes nothing.
func (d *intake) stop() error {
	if d.work == nil {
		return d.err()
	}
	close(d.work)
	<-d.done
	d.work = nil
	close(d.spare)
	for p := range d.spare {
		d.pool.Put(p)
	}
	return d.err()
}
