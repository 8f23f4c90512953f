package server

import (
	"bytes"
	"strconv"
	"sync"
)

// net/http writes an answer through a buffer of fullBuffer bytes, so that one which is a little longer, as that to a GET of
// 4 KiB, goes out in two pieces: two system calls here and two wake-ups of the client, which are the larger part of what
// such an answer costs. coalescer keeps the first piece back until the second is there, where it is certain to come.
type coalescer struct {
	held *[roomToHold]byte // nil: nothing is held
	n    int
}

const (
	fullBuffer = 4 << 10 // net/http's bufferedWriter of a connection
	roomToHold = 16 << 10
)

// Connections keep no memory of their own for this: most are idle.
var heldBuffers = sync.Pool{New: func() any { return new([roomToHold]byte) }}

// hold takes p and reports true, if p is the beginning of an answer whose header says that more follows.
func (c *coalescer) hold(p []byte) bool {
	if len(p) != fullBuffer || !moreFollows(p) {
		return false
	}
	c.held = heldBuffers.Get().(*[roomToHold]byte)
	c.n = copy(c.held[:], p)
	return true
}

// release writes what is held and p: together if they are short.
func (c *coalescer) release(p []byte, write func([]byte) (int, error)) (int, error) {
	held, n := c.held, c.n
	c.held = nil
	defer heldBuffers.Put(held)
	if n+len(p) <= roomToHold {
		if _, err := write(held[:n+copy(held[n:], p)]); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if _, err := write(held[:n]); err != nil {
		return 0, err
	}
	return write(p)
}

// moreFollows reports whether p begins an answer with a body that goes on after p.
func moreFollows(p []byte) bool {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 20")) {
		return false
	}
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	_, rest, found := bytes.Cut(p[:end+2], []byte("\r\nContent-Length: "))
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.ParseInt(string(value), 10, 64)
	return found && err == nil && length > int64(len(p)-end-4)
}
