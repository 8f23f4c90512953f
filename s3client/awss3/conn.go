package awss3

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn breaks a connection on which no byte moved for the time idle. Progress in one direction keeps the other one
// alive: while a large body is being sent, a read has been waiting for the answer all along.
type conn struct {
	net.Conn
	idle  time.Duration
	start time.Time
	set   atomic.Int64 // when the deadline was last moved, in nanoseconds after start; 0: never
}

func (c *conn) Read(p []byte) (int, error) {
	c.progress()
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.progress()
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		c.progress()
		n, err := c.Conn.Write(p[:min(len(p), maxWrite)])
		written += n
		p = p[n:]
		if err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// maxWrite bounds one write, so that a slow but living connection shows progress.
const maxWrite = 256 << 10

// bodyBuffers are what bodies are hashed and sent through.
var bodyBuffers = sync.Pool{New: func() any { return new([maxWrite]byte) }}

// ReadFrom sends a body over plain HTTP, in the largest pieces that one write takes. net/http would copy through 32 KiB: eight
// times as many system calls here, and as many wake-ups of a server that is near.
func (c *conn) ReadFrom(r io.Reader) (sent int64, err error) {
	buf := bodyBuffers.Get().(*[maxWrite]byte)
	defer bodyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, buf[:]) // by no way of theirs around the buffer
}

// progress moves the deadline when an eighth of the time is gone; setting it on each call would cost more than it
// gives.
func (c *conn) progress() {
	now := int64(time.Since(c.start)) + 1
	last := c.set.Load()
	if last != 0 && now-last < int64(c.idle/8) || !c.set.CompareAndSwap(last, now) {
		return
	}
	// A connection that cannot take a deadline is closed: the following call will say so.
	_ = c.SetDeadline(time.Now().Add(c.idle))
}
