package store

import (
	"crypto/md5"
	"hash"

	"pail/server/internal/blob"
)

// digestBuffers is how many buffers one body uses: one being filled, one waiting, one being hashed.
const digestBuffers = 3

// digest computes the MD5 of a body in a goroutine of its own: it is slower than all else that is done with the bytes.
// Its buffers go round: buffer gives one to fill, add takes it, and when it is hashed, buffer gives it again. So
// whoever called add may read the bytes until he calls buffer. Only stop ends the goroutine.
type digest struct {
	pool  *blob.Buffers
	md5   hash.Hash
	taken int // buffers that came from the pool

	work  chan []byte
	spare chan []byte // hashed
	done  chan struct{}
}

// newDigest begins with one buffer, which comes from the pool and will be given to add.
func newDigest(pool *blob.Buffers) *digest {
	d := &digest{pool: pool, md5: md5.New(), taken: 1, done: make(chan struct{}),
		work: make(chan []byte, digestBuffers), spare: make(chan []byte, digestBuffers)}
	go func() {
		defer close(d.done)
		for p := range d.work {
			d.md5.Write(p)
			d.spare <- p
		}
	}()
	return d
}

// buffer gives a buffer to fill, and waits for one that is hashed when all are in use.
func (d *digest) buffer() []byte {
	select {
	case p := <-d.spare:
		return p[:d.pool.Size()]
	default:
	}
	if d.taken < digestBuffers {
		d.taken++
		return d.pool.Get()
	}
	return (<-d.spare)[:d.pool.Size()]
}

// add hashes p, which begins a buffer.
func (d *digest) add(p []byte) { d.work <- p }

// stop waits for what was added and gives the buffers back. Calling it again does nothing.
func (d *digest) stop() {
	if d.work == nil {
		return
	}
	close(d.work)
	<-d.done
	d.work = nil
	close(d.spare)
	for p := range d.spare {
		d.pool.Put(p)
	}
}

// sum stops, and gives the MD5 of all that was added.
func (d *digest) sum() []byte {
	d.stop()
	return d.md5.Sum(nil)
}
